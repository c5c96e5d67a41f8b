"""User-defined metrics under hostile definitions and events: a sentence, or a right answer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import views
from pipeline.clickhouse.schema.files import FOR_GOOD
from pipeline.facts.definitions import regexes
from tests.support.contract.events import TYPES
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.metric_world import AS_OF, world
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import differences, select
from tests.support.harness.view_store import duplicate_window, empty, fill
from tests.support.oracle.log import DEFINITIONS, EVENTS, Entry
from tests.support.oracle.world import World

HOSTILE = "'); DROP TABLE product_events; -- {tenant:String} \\"
BOMBS = (
    "(a+)+b",
    "(a|aa)+$",
    "(.*)*x",
    "((a{1,30}){1,30})$",
    r"(\pL|\d|.)*y",
    "^(([a-z])+.)+[A-Z]$",
)


class Log:
    """Events and definitions, one after the other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, topic: str, tenant: str, at: datetime, **data: Any) -> None:
        number, ms = len(self.entries), int(at.timestamp() * 1000)
        event = {
            "specversion": "1.0",
            "id": str(number),
            "source": "test",
            "type": TYPES[topic],
            "subject": tenant,
            "data": data,
        }
        self.entries.append(Entry(topic, 0, number, ms, event))

    def event(self, name: str, properties: dict[str, Any], at: datetime | None = None) -> None:
        self.add(EVENTS, "acme", at or AS_OF - timedelta(days=1), name=name, properties=properties)

    def metric(self, metric_id: str, **says: Any) -> None:
        usual = {"metric_id": metric_id, "name": "M", "interval_days": 7, "match": ["e"]}
        self.add(DEFINITIONS, "*", AS_OF, **usual | says)


def values(tables: Store, log: Log) -> dict[str, Any]:
    """The value of each metric of acme."""
    empty(tables)
    fill(tables, log.entries)
    rows = select(tables, "metric_values", {"as_of": AS_OF, "tenant": "acme"})
    return {row[1]: row[6] for row in rows}


def where(operator: str, value: Any = None, path: str = "p") -> dict[str, Any]:
    return {"filters": [{"property": path, "operator": operator, "value": value}]}


def test_hostile_definitions_are_answered_beside_all_others(tables: Store) -> None:
    log = Log()
    long = "a" * 100_000
    log.event("e", {"p": long, HOSTILE: HOSTILE})
    log.event(HOSTILE, {"p": HOSTILE})
    log.metric("plain")
    for number, bomb in enumerate(BOMBS):
        log.metric(f"bomb_{number}", **where("not_regex", bomb))
    log.metric("refused", **where("regex", "(?=a)"))
    log.metric("by_path", **where("exact", HOSTILE, HOSTILE.replace("\\", "\\\\")))
    log.metric("by_name", match=[HOSTILE], **where("contains", "DROP TABLE"))
    found = values(tables, log)
    assert "refused" not in found
    assert (found["plain"], found["by_path"], found["by_name"]) == (1, 1, 1)
    matched = {bomb: bool(regexes_of(bomb).search(long)) for bomb in BOMBS}
    assert {b: found.get(f"bomb_{n}", 0) for n, b in enumerate(BOMBS)} == {
        bomb: int(not hit) for bomb, hit in matched.items()
    }


def regexes_of(pattern: str) -> Any:
    import re2

    return re2.compile(pattern)


def test_many_keys_and_a_record_of_many_leaves_are_answered(tables: Store) -> None:
    log = Log()
    for number in range(0, 20_000, 1_000):
        log.event("e", {f"key {n}": n for n in range(number, number + 1_000)})
    log.event("e", {str(n): 1 for n in range(90_000)})
    log.metric("one_key", calculation="sum", property="key 19999")
    log.metric("last_leaf", **where("exact", 1, "89999"))
    log.metric("all", calculation="unique", property="key 7")
    assert values(tables, log) == {"one_key": 19_999, "last_leaf": 1, "all": 1}


def patterns() -> Iterator[str]:
    """Random ones, of which RE2 takes some."""
    pick = random.Random(5)
    pieces = (
        *"ab.^$|*+?()[]{},-0129\\", "(?i)", "(?P<n>", "(?<n>", "[[:alpha:]]", r"\pL", r"\b", r"\Q",
        r"\x41", "{2}", "{2,5}", "{1000}", "[^a]", "é", "(?s)", r"\z", r"\C", "\n", "'",
    )  # fmt: skip
    for _ in range(4_000):
        yield "".join(pick.choices(pieces, k=pick.randint(1, 8)))


def test_the_store_takes_every_pattern_that_is_let_in(tables: Store) -> None:
    """One that it refused would fail the view for everybody."""
    taken = sorted({one for one in patterns() if not regexes.fault(one)})
    assert 500 < len(taken) < 3_500
    rows = tables.query(
        "SELECT count(), countIf(match('ab\\n0', materialize(p)) IN (0, 1)) "
        "FROM (SELECT arrayJoin(JSONExtract({patterns:String}, 'Array(String)')) AS p)",
        {"patterns": json.dumps(taken, ensure_ascii=False)},
    )
    assert rows == [(len(taken), len(taken))]


BROKEN = {
    "f.negated !=": "0 !=",
    "toIntervalDay(interval_days) AS current": "toIntervalDay(interval_days + 1) AS current",
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_view_that_is_broken_on_purpose_differs(store: EmbeddedStore, part: str) -> None:
    """Each breaks one rule: negation, and where windows meet."""
    [view] = [one for one in views.shipped() if one.name == "metric_values"]
    assert part in view.select
    kept = {"USAGE_KEEP_MINUTE_ROWS": "0", "USAGE_KEEP_PRODUCT_EVENTS_DAYS": "0"}
    with migrated_database(store.port, **kept) as tables:
        log = world(0, 900, 80)
        fill(tables, log)
        due, asked = World(log, duplicate_window()), {"as_of": AS_OF, "tenant": ""}
        assert not list(differences(tables, due, "metric_values", asked))
        right = select(tables, "metric_values", asked)
        mutant = views.View(view.name, view.select.replace(part, BROKEN[part]), view.comment)
        tables.command(mutant.statement("", FOR_GOOD))
        assert select(tables, "metric_values", asked) != right


def test_what_may_have_expired_is_compared_with_nothing(store: EmbeddedStore) -> None:
    """Events are kept for 200 days: of two windows of 90 days, as of a month ago, the first is not
    whole any more.
    """
    now = datetime.now(UTC)
    with migrated_database(store.port, USAGE_KEEP_PRODUCT_EVENTS_DAYS="200") as tables:
        log = Log()
        for days in (190, 130, 40):
            log.event("e", {}, now - timedelta(days=days))
        log.add(DEFINITIONS, "*", now, metric_id="m", name="M", interval_days=90, match=["e"])
        fill(tables, log.entries)
        for back, previous, state in ((0, 1, "ok"), (30, None, "none")):
            as_of = now - timedelta(days=back)
            [row] = select(tables, "metric_values", {"as_of": as_of, "tenant": ""})
            assert (row[6], row[7], row[9]) == (1, previous, state)
