"""Every view against the oracle: a seeded world through the real pipeline, small ones besides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import users_days
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.protocol.settled import DAY, Settled
from tests.support.contract.views import VIEWS
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.scene import Scene
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import cases, differences
from tests.support.harness.view_store import duplicate_window, empty, fill
from tests.support.harness.view_world import FIRST, ViewWorld, entries, rows_in_memory, send
from tests.support.oracle.views import VIEWS as ORACLE
from tests.support.oracle.world import World

PARTITIONS = 2


def through_the_pipeline(scene: Scene, events: int, seed: int) -> World:
    """Send a world to the broker, have a worker count it, and read the log for the oracle."""
    scene.set_up(PARTITIONS, retention_ms="-1")  # its records are years old
    world = ViewWorld(seed, PARTITIONS, duplicates=0.02)
    send(world.messages(events), scene.kafka.servers, scene.prefix)
    scene.worker()
    log = scene.settle(within=180)
    return World(entries(log, scene.prefix), scene.duplicate_window)


def wrong(store: Store, world: World, each: int, seed: int, topic_prefix: str = "") -> list[str]:
    """Compare every view over so many sets of parameters."""
    return [
        line
        for view in VIEWS
        for case in cases(view, each, seed)
        for line in differences(store, world, view, case, topic_prefix)
    ]


def test_the_oracle_knows_every_view() -> None:
    assert set(ORACLE) == set(VIEWS)


def test_a_small_world_through_the_pipeline(scene: Scene) -> None:
    world = through_the_pipeline(scene, 3_000, seed=1)
    with scene.connect() as store:
        assert not (lines := wrong(store, world, each=3, seed=1, topic_prefix=scene.prefix)), (
            "\n".join(lines)
        )


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_world_of_100000_events_through_the_pipeline(scene: Scene) -> None:
    world = through_the_pipeline(scene, 100_000, seed=2)
    with scene.connect() as store:
        assert not (lines := wrong(store, world, each=16, seed=2, topic_prefix=scene.prefix)), (
            "\n".join(lines)
        )


@pytest.fixture(scope="module")
def tables(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views; each small world empties them."""
    connected = new_database(store.port)
    migrate(connected, settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0"))
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


SMALL = {
    "seed": st.integers(0, 2**32),
    "events": st.integers(1, 150),
    "days": st.integers(1, 60),
    "case": st.integers(0, 2**32),
}
QUIETLY = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def settle(tables: Store, day: date, until: date) -> None:
    """Make users' days and months one after the other, as a worker does."""
    tables.command(f"INSERT INTO users_settlements (day) VALUES ('{day}')")
    while day < until:
        Settled(tables)._settle(day)
        day += DAY
    assert Settled(tables).read().settled == until


def check_small_world(tables: Store, seed: int, events: int, days: int, case: int) -> None:
    last = FIRST + timedelta(days=days)
    made = ViewWorld(seed, PARTITIONS, duplicates=0.05 if duplicate_window() else 0, last=last)
    log = rows_in_memory(made.messages(events))
    empty(tables)
    settled = FIRST.date() + case % (days + 1) * DAY  # views read quarter hours from there on
    if case // (days + 1) % 2:
        fill(tables, log)
        tables.command(f"INSERT INTO users_settlements (day) VALUES ('{settled}')")
    else:
        fill(tables, log, late_before=FIRST.date())
        settle(tables, FIRST.date(), settled)
    users_days.publish(tables, nobody_asks=True)
    world = World(log, duplicate_window())
    assert not (lines := wrong(tables, world, each=1, seed=case)), "\n".join(lines)


@settings(QUIETLY, max_examples=4)
@given(**SMALL)
def test_small_worlds(tables: Store, seed: int, events: int, days: int, case: int) -> None:
    check_small_world(tables, seed, events, days, case)


@pytest.mark.faults
@pytest.mark.timeout(900)
@settings(QUIETLY, max_examples=28)
@given(**SMALL)
def test_many_small_worlds(tables: Store, seed: int, events: int, days: int, case: int) -> None:
    check_small_world(tables, seed, events, days, case)


def test_older_ranges_are_answered_in_quarter_hours(store: EmbeddedStore) -> None:
    """With minute rows of 35 days: ends that lie further back are cut to quarter hours."""
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    ends = [
        now - timedelta(days=days, minutes=minutes)
        for days, minutes in ((50, 7), (44, 1), (40, 22), (20, 8), (3, 59))
    ]
    ranges = [(since, until) for since, until in itertools.combinations(ends, 2)]
    made = ViewWorld(7, PARTITIONS, first=now - timedelta(days=52), last=now - timedelta(days=1))
    log = [entry for entry in rows_in_memory(made.messages(3_000)) if entry.timestamp > 1.7e12]
    world = World(log, duplicate_window(), int((now - timedelta(days=35)).timestamp() * 1000))
    tables = new_database(store.port)
    try:
        keep = {"USAGE_KEEP_MINUTE_ROWS": "35"}
        migrate(tables, settings_for(store.port, tables.database, **keep))
        fill(tables, log)
        lines = [
            line
            for view in set(VIEWS) - {"live_windows"}  # its minutes are gone
            for case in cases(view, 3, 3, ranges, ends)
            if case.get("grain") != "minute"
            for line in differences(tables, world, view, case)
        ]
        assert not lines, "\n".join(lines)
    finally:
        tables.command(f"DROP DATABASE {tables.database}")
        tables.close()
