"""User-defined metrics against the oracle: random definitions over nasty worlds."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.errors import StoreRefused
from pipeline.views import asking, catalogue
from pipeline.views.call import call
from tests.support.harness.metric_world import (
    AS_OF,
    PATHS,
    TENANTS,
    UNREGISTERED,
    ZONES,
    is_plain,
    world,
)
from tests.support.harness.view_check import differences
from tests.support.harness.view_store import duplicate_window, empty, fill
from tests.support.oracle.log import DEFINITIONS, Entry
from tests.support.oracle.world import World

WORLDS = int(os.environ.get("TEST_METRIC_WORLDS", "3"))
"""Each with a hundred metrics."""
EVENTS = 1_500


def questions(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a world is asked."""
    pick = random.Random(seed)
    tenants = ("", pick.choice((*TENANTS, UNREGISTERED)))
    instants = (
        AS_OF,
        AS_OF.replace(minute=45, second=0),
        AS_OF - timedelta(days=pick.randrange(40)),
    )
    for tenant, as_of in zip((*tenants, ""), instants, strict=True):
        yield "metric_values", {"as_of": as_of, "tenant": tenant}
    for metric in ("", f"m_{pick.randrange(100)}"):
        asked = {"as_of": pick.choice(instants), "tenant": pick.choice(tenants), "metric": metric}
        yield "metric_sparkline", {**asked, "tz": pick.choice(ZONES)}
    for path in pick.sample(PATHS, 2):
        asked = {"as_of": AS_OF, "tenant": pick.choice(tenants), "metric": ""}
        yield "metric_breakdown", {**asked, "property": path, "k": pick.choice((1, 3, 1000))}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(WORLDS))
def test_every_answer_is_what_the_oracle_says(tables: Store, seed: int) -> None:
    log = world(seed, EVENTS, 100)
    empty(tables)
    fill(tables, log)
    due = World(log, duplicate_window())
    assert_all_are_taken(tables, log)
    for view, parameters in questions(seed):
        lines = list(differences(tables, due, view, parameters))
        assert not lines, "\n".join([*lines, *defined(log, lines)])
    assert_the_plain_case_is_no_other(tables, log, seed)


def assert_the_plain_case_is_no_other(tables: Store, log: list[Entry], seed: int) -> None:
    """It refuses where metrics are of all kinds; of plain ones it answers the same."""
    known = catalogue.names(tables)
    asked = [one for one in questions(seed) if known[one[0]].plain]
    assert {view for view, _ in asked} == {"metric_values", "metric_sparkline"}
    for view, given in asked:
        if not given.get("metric"):
            with pytest.raises(StoreRefused) as refused:
                tables.query(f"SELECT * FROM {known[view].asked_plainly(given)}")
            assert catalogue.not_plain(refused.value.reason)
            by_name = tables.query(f"SELECT * FROM {call(view, given)}")
            assert asking.rows(tables, known[view], given) == by_name
    empty(tables)
    fill(tables, [one for one in log if one.topic != DEFINITIONS or is_plain(one)])
    for view, given in asked:
        by_name = tables.query(f"SELECT * FROM {call(view, given)}")
        assert tables.query(f"SELECT * FROM {known[view].asked_plainly(given)}") == by_name


def assert_all_are_taken(tables: Store, log: list[Entry]) -> None:
    sent = Counter(entry.topic for entry in log)
    kept = tables.query("SELECT count() FROM metric_definitions")[0][0]
    assert kept == sent[DEFINITIONS], "some definitions were refused"


def defined(log: list[Entry], lines: list[str]) -> Iterator[str]:
    """The definitions that lines of differences speak of."""
    text = "\n".join(lines)
    for entry in log:
        if entry.topic == DEFINITIONS and f"'{entry.event['data']['metric_id']}'" in text:
            yield str(entry.event["data"])


def test_the_worlds_have_every_operator_and_calculation() -> None:
    asked: Counter[str] = Counter()
    for seed in range(3):
        for entry in world(seed, 0, 100):
            if entry.topic == DEFINITIONS:
                data = entry.event["data"]
                asked[data.get("source", "events")] += 1
                asked[data.get("calculation", "count")] += 1
                asked.update(one["operator"] for one in data["filters"])
    assert len(asked) == 3 + 10 + 15
    assert min(asked.values()) >= 3, asked
