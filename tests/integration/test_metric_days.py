"""Days that were added up before change no answer, whatever came, went or was redefined since."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.api import metric_days
from pipeline.api.metric_days import Days
from pipeline.cli import metric as commands
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.quoting import quoted
from pipeline.clickhouse.schema.views import written_out
from pipeline.errors import StoreRefused
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.definitions.reading import read
from pipeline.meters import days
from pipeline.views import asking, catalogue
from schemas.metric_definition import INTERVALS
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.metric_world import AS_OF, TENANTS, UNREGISTERED, is_plain, world
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.view_store import empty, fill
from tests.support.harness.waiting import until
from tests.support.oracle.log import DEFINITIONS, ENTITIES, EVENTS, Entry

WORLDS = int(os.environ.get("TEST_METRIC_WORLDS", "1"))
EVENTS_OF_WORLD, METRICS = 500, 25
WEEKS_AT_ONCE = 4
MIDNIGHT = AS_OF.replace(hour=0, minute=0, second=0)
INSTANTS = (AS_OF, MIDNIGHT, AS_OF - timedelta(days=7), MIDNIGHT - timedelta(days=1, minutes=1))


@pytest.fixture(autouse=True)
def _always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "WORTH", 0)


def given(as_of: datetime = AS_OF, tenant: str = "") -> dict[str, Any]:
    return {"as_of": as_of, "tenant": tenant}


def from_events(store: Store, asked: dict[str, Any], metric: str = "") -> list[tuple[Any, ...]]:
    """What `test_metrics_oracle` holds against the oracle."""
    view = catalogue.names(store)["metric_values"]
    return store.query(f"SELECT * FROM {view.asked_plainly(asked, metric)}")


def kept(store: Store, asked: dict[str, Any], metric: str = "") -> tuple[str, int]:
    """Which days hold, and how many events that spares."""
    by_day = catalogue.names(store)["metric_values"].asked_by_day(asked, metric)
    assert by_day is not None
    [(made, spared)] = store.query(by_day.which)
    return made, spared


def weeks_of(store: Store, metric: str = "") -> int:
    """For how many weeks of metrics in force days hold."""
    made, _ = kept(store, given())
    found = store.query(
        written_out(
            "SELECT uniqExact(asks, week) FROM metric_days WHERE head AND "
            f"filling IN ({made or 0}) AND asks IN (SELECT _asks() FROM _chosen())"
        ),
        {"metric": metric},
    )
    return int(found[0][0])


def from_days(store: Store, asked: dict[str, Any], metric: str = "") -> list[tuple[Any, ...]]:
    """The answer from days, where any hold; it must not refuse."""
    view = catalogue.names(store)["metric_values"]
    by_day = view.asked_by_day(asked, metric)
    assert by_day is not None
    sql = by_day.asked(*kept(store, asked, metric)) or view.asked_plainly(asked, metric)
    return store.query(f"SELECT * FROM {sql}")


def portions(seed: int) -> Iterator[list[Entry]]:
    """The log of a world in some pieces: events late and early alike, definitions in between."""
    log = [
        entry
        for entry in world(seed, EVENTS_OF_WORLD * 2, METRICS)
        if entry.topic in (ENTITIES, EVENTS) or (entry.topic == DEFINITIONS and is_plain(entry))
    ]
    random.Random(seed).shuffle(log)
    size = len(log) // 4 + 1
    for first in range(0, len(log), size):
        piece = log[first : first + size]
        # As a log has them: offsets rise.
        yield sorted(piece, key=lambda entry: (entry.topic, entry.offset))


@pytest.mark.parametrize("seed", range(WORLDS))
def test_no_answer_is_another_one(tables: Store, seed: int) -> None:
    pick = random.Random(seed)
    empty(tables)
    used = 0
    for piece, again in itertools.product(portions(seed), (True, False)):
        if again:
            fill(tables, piece)
        else:
            due = days.weeks(tables, AS_OF)
            list(days.fill(tables, pick.sample(due, min(len(due), WEEKS_AT_ONCE))))
        tenant = pick.choice(("", "", *TENANTS, UNREGISTERED))
        metric = pick.choice(("", "", f"m_{pick.randrange(METRICS)}"))
        asked = given(pick.choice(INSTANTS), tenant)
        used += weeks_of(tables, metric)
        assert from_days(tables, asked, metric) == from_events(tables, asked, metric), asked
    assert used > 10


CALLS = {"metric_id": "calls", "name": "Calls", "interval_days": 30, "match": ["call"]}
TOTAL = {
    "metric_id": "total",
    "name": "Total",
    "interval_days": 90,
    "match": ["call"],
    "calculation": "sum",
    "property": "amount",
}


@pytest.fixture
def small(tables: Store) -> Store:
    """Provide an event a day of half a year, two metrics of them, and their days."""
    empty(tables)
    define(tables, CALLS, TOTAL)
    add(tables, *(AS_OF - timedelta(days=back) for back in range(185)))
    list(days.fill(tables, days.weeks(tables, AS_OF)))
    return tables


def define(store: Store, *metrics: dict[str, Any]) -> None:
    """As the log would bring them, each the newest of its metric."""
    [(there,)] = store.query("SELECT count() FROM metric_definitions")
    rows = [
        f"('*', {quoted(one['metric_id'])}, {there + place}, now64(3), now64(3), 0, 0, "
        f"{int(one.get('retired', False))}, {quoted(interpreted(read(one)))})"
        for place, one in enumerate(metrics, start=1)
    ]
    store.command(
        "INSERT INTO metric_definitions_in (tenant, metric_id, version, time, arrival, partition, "
        f"offset, retired, interpreted) VALUES {', '.join(rows)}"
    )


def add(store: Store, *times: datetime, tenant: str = "acme") -> None:
    rows = [f"('call', '{tenant}', {at.timestamp()}, map('amount', 'n2.5'))" for at in times]
    store.command(
        f"INSERT INTO product_events (name, tenant, time, properties) VALUES {','.join(rows)}"
    )


def answers(store: Store) -> dict[str, tuple[int, int]]:
    """Value and previous of one organization by metric, the same from days as from events."""
    rows = from_days(store, given())
    assert rows == from_events(store, given())
    return {row[1]: (row[6], row[7]) for row in rows if row[0] == "acme"}


def test_days_answer_as_long_as_their_week_has_no_other_events(small: Store) -> None:
    assert answers(small) == {"calls": (30, 30), "total": (225, 225)}
    weeks = weeks_of(small)
    assert weeks > 30
    assert kept(small, given())[1] == 0, "a day of one event spares nothing"
    add(small, AS_OF - timedelta(days=20), tenant="zeta")  # late, and of somebody else
    assert weeks_of(small) < weeks
    assert len(answers(small)) == 2
    small.command(
        "ALTER TABLE product_events DELETE WHERE tenant = 'acme' AND "
        f"toDate(time) = '{(AS_OF - timedelta(days=40)).date()}' SETTINGS mutations_sync = 2"
    )
    assert weeks_of(small) < weeks - 2
    assert answers(small)["calls"] == (30, 29)


def test_days_are_of_what_a_metric_asks_not_of_its_name(small: Store) -> None:
    weeks = weeks_of(small)
    other = {**CALLS, "filters": [{"property": "amount", "operator": "gt", "value": 3}]}
    define(small, other)
    assert weeks_of(small) < weeks  # those of the other one alone
    assert set(answers(small)) == {"total"}  # of nothing, whom nobody registered has no row
    define(small, {**other, "retired": True})
    assert set(answers(small)) == {"total"}
    define(small, {**CALLS, "name": "Other words", "interval_days": 7})
    assert weeks_of(small) == weeks, "the same question again, and its days are there"
    assert answers(small)["calls"] == (7, 7)


def test_what_is_dated_far_ahead_cuts_no_filling(tables: Store) -> None:
    """Of a producer whose clock is wrong: a week of its own, which no question of today asks."""
    empty(tables)
    short = {**CALLS, "metric_id": "short", "interval_days": 7}
    define(tables, short)
    add(tables, *(AS_OF - timedelta(days=back) for back in range(185)))
    for ahead in (30, 365):
        add(tables, AS_OF + timedelta(days=ahead))
        due = days.weeks(tables, AS_OF)
        assert max(week.monday for week in due) <= AS_OF.date()
        list(days.fill(tables, due))
        assert answers(tables) == {"short": (7, 7)}
    assert days.WINDOWS * min(INTERVALS) >= days.LOOKED_BACK_DAYS + 7
    define(tables, {**short, "interval_days": 90})
    assert answers(tables) == {"short": (90, 90)}


def test_other_questions_of_the_past_do_not_lengthen_this_one(
    small: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, spared = kept(small, given())
    for n in range(3):
        define(small, {**TOTAL, "filters": [{"property": "amount", "operator": "gt", "value": n}]})
        list(days.fill(small, days.weeks(small, AS_OF)))
    define(small, TOTAL)
    assert len(kept(small, given())[0]) == len(made)
    by_day = catalogue.names(small)["metric_values"].asked_by_day(given())
    assert by_day is not None
    assert by_day.asked(made, spared)
    monkeypatch.setattr(catalogue, "MOST_TOLD", len(made) - 1)
    assert not by_day.asked(made, spared)
    assert answers(small)["total"] == (225, 225)


def test_fillings_may_come_twice_or_late_or_too_soon(small: Store) -> None:
    before = weeks_of(small)
    stale = days.weeks(small, AS_OF)
    assert list(days.fill(small, stale)) == [], "nothing is missing"
    defined = [interpreted(read(one)) for one in (CALLS, TOTAL)]
    days._fill(small, stale, defined)  # somebody else was at it at the same time
    assert weeks_of(small) == before
    assert answers(small)["calls"] == (30, 30)
    small.command("INSERT INTO metric_days SELECT * FROM metric_days WHERE week < '2026-03-01'")
    assert weeks_of(small) < before, "what is there twice is not taken"
    assert answers(small)["calls"] == (30, 30)
    small.command("TRUNCATE TABLE metric_days")
    list(days.fill(small, stale))
    [(parts,)] = small.query(
        "SELECT count() FROM system.parts WHERE active AND table = 'metric_days' "
        "AND database = currentDatabase()"
    )
    assert parts == len(stale), "a week is there as a whole, or not at all"
    add(small, AS_OF - timedelta(days=3), AS_OF - timedelta(days=33))
    days._fill(small, stale, defined)  # these came between the count and its reading
    assert answers(small)["calls"] == (31, 31)
    list(days.fill(small, days.weeks(small, AS_OF)))
    assert weeks_of(small) == before
    assert answers(small)["calls"] == (31, 31)


def test_what_is_gone_is_not_taken_for_nothing(small: Store) -> None:
    """Of a replica that lags: the days that another one told of are not there."""
    by_day = catalogue.names(small)["metric_values"].asked_by_day(given())
    assert by_day is not None
    told = kept(small, given())
    small.command(
        "ALTER TABLE metric_days DELETE WHERE week < '2026-03-01' SETTINGS mutations_sync = 2"
    )
    with pytest.raises(StoreRefused) as refused:
        small.query(f"SELECT * FROM {by_day.asked(*told)}")
    assert catalogue.not_plain(refused.value.reason)
    made, spared = kept(small, given())
    small.command(f"INSERT INTO metric_days SELECT * FROM metric_days WHERE filling IN ({made})")
    with pytest.raises(StoreRefused) as refused:  # sent again since they were told of
        small.query(f"SELECT * FROM {by_day.asked(made, spared)}")
    assert catalogue.not_plain(refused.value.reason)
    view = catalogue.names(small)["metric_values"]
    assert asking.rows(small, view, given()) == from_events(small, given())


def test_stale_days_are_forgotten(small: Store) -> None:
    add(small, AS_OF - timedelta(days=3))
    list(days.fill(small, days.weeks(small, AS_OF)))
    add(small, AS_OF - timedelta(days=3))
    found = days.weeks(small, AS_OF)
    [(rows,)] = small.query("SELECT count() FROM metric_days")
    for week in found:
        days.forget(small, week)
    assert small.query("SELECT count() FROM metric_days") == [(rows,)], "a question may read them"
    for week in found:
        days.forget(small, week, seconds=-3600)
    until(
        lambda: small.query("SELECT count() FROM metric_days")[0][0] < rows,
        within=60,
        what="the stale days to go",
    )
    assert weeks_of(small) > 30


def test_days_before_what_is_kept_are_not_taken(store: EmbeddedStore) -> None:
    """As many days before the first that is kept whole: there the events have begun to go."""
    now = datetime.now(UTC)
    with migrated_database(store.port, USAGE_KEEP_PRODUCT_EVENTS_DAYS="60") as connected:
        define(connected, TOTAL)
        add(connected, *(now - timedelta(days=back) for back in range(58)))
        kept_days = days.weeks(connected, now, 60)
        assert {week.monday for week in kept_days} == {
            week.monday
            for week in days.weeks(connected, now)
            if week.monday >= now.date() - timedelta(days=60)
        }
        where = {"USAGE_CLICKHOUSE": url_at(store.port, connected.database)}
        said = CliRunner().invoke(commands.metric, ["days"], env=where)
        assert "weeks of metrics are added up, of" in said.output, said.output
        asked = given(now.replace(microsecond=0))
        made, _ = kept(connected, asked)
        assert 0 < len(made.split(",")) <= len(kept_days)
        assert from_days(connected, asked) == from_events(connected, asked)


def test_an_api_process_adds_up_weeks_that_are_quiet(
    tables: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(tables)
    define(tables, TOTAL)
    add(tables, AS_OF - timedelta(days=3), AS_OF - timedelta(days=40))
    looking = Days(tables, 0, lambda: AS_OF)
    assert (looking.look(), looking.look()) == (0, 0), "for so few events it does not pay"
    monkeypatch.setattr(metric_days, "WORTH", 0)
    add(tables, AS_OF - timedelta(days=3))
    assert looking.look() == 1  # the older one
    assert weeks_of(tables) == 1
    assert (looking.look(), looking.look()) == (1, 0)
    assert weeks_of(tables) == 2
