"""Days, weeks and months are those of the tzdata package in zones that ClickHouse has otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import engine_zones, views, zone_shifts
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.operate.audit import release
from pipeline.views.call import call
from tests.support.contract.views import VIEWS
from tests.support.harness.clickhouse_parts import migrated_database, new_database, settings_for
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import RANGES, differences
from tests.support.harness.view_store import duplicate_window, fill
from tests.support.harness.view_world import LAST, ViewWorld, rows_in_memory
from tests.support.oracle.world import World

WRONG = (
    "America/Havana",
    "America/Inuvik",
    "America/Rainy_River",
    "America/Winnipeg",
    "Canada/Central",
    "Cuba",
)
"""The engine is an hour off from November 2026 on, in winter; in Cuba in that winter alone."""
ORDINARY = ("America/Chicago", "Asia/Kolkata")
WITH_ZONE = sorted(name for name, view in VIEWS.items() if "tz" in view.parameters)
OF_EVENTS = [name for name in WITH_ZONE if "metric" not in VIEWS[name].parameters]
"""Those that need no definition to have rows."""

LIKE = {
    "Europe/Berlin": "Asia/Kathmandu",
    "Europe/Madrid": "America/St_Johns",
    "Europe/Oslo": "America/New_York",
    "Europe/Paris": "America/Havana",
    "Europe/Rome": "Africa/Cairo",
}
"""What the views are made to take these zones for."""
DAYS = range(14_000, 20_500)
"""2008 to 2026, in days since 1970."""


@pytest.fixture(scope="module")
def winter(store: EmbeddedStore) -> Iterator[tuple[Store, World]]:
    """Provide four weeks around the first change, in a store as `usage migrate` leaves it."""
    first = datetime(2026, 10, 25, tzinfo=UTC)
    made = ViewWorld(3, 2, first=first, last=first + timedelta(days=28))
    log = rows_in_memory(made.messages(1_500))
    with migrated_database(store.port, USAGE_KEEP_MINUTE_ROWS="0") as connected:
        fill(connected, log)
        yield connected, World(log, duplicate_window())


@pytest.mark.parametrize("view", OF_EVENTS)
def test_views_are_as_the_oracle_says(winter: tuple[Store, World], view: str) -> None:
    connected, world = winter
    asked: dict[str, Any] = {"months": 2, "k": 1000, "tenant": "", "token": ""}
    asked |= {"since": datetime(2026, 10, 26, 9, tzinfo=UTC)}
    grains = ("hour", "day", "week", "month") if "grain" in VIEWS[view].parameters else ("",)
    for zone in (*WRONG, *ORDINARY):
        # Where the package's month has begun, and the engine's has not.
        begun = datetime.combine(date(2026, 12, 1), time(0, 30), ZoneInfo(zone)).astimezone(UTC)
        for grain in grains:
            case = asked | {"until": begun, "as_of": begun, "tz": zone, "grain": grain}
            case = {name: case[name] for name in VIEWS[view].parameters}
            lines = list(differences(connected, world, view, case))
            assert not lines, "\n".join(lines)


def starts(store: Store, zone: str, grain: str, since: date, until: date) -> list[float]:
    """Where the buckets of some days begin, of a store without rows in them."""
    first, last = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (since, until))
    values: dict[str, Any] = {"since": first, "until": last, "tz": zone, "grain": grain}
    asked = call("usage_trend", {**values, "tenant": "nobody"})
    return [row[0] for row in store.query(f"SELECT toUnixTimestamp(bucket) FROM {asked}")]


@pytest.mark.parametrize("zone", [*WRONG, *ORDINARY])
def test_buckets_begin_where_the_package_says(winter: tuple[Store, World], zone: str) -> None:
    store, _ = winter
    first, last = date(2026, 10, 1), date(2028, 5, 1)
    days = [first + timedelta(days=n) for n in range((last - first).days)]

    def begins(day: date) -> float:
        return datetime.combine(day, time(), ZoneInfo(zone)).timestamp()

    assert starts(store, zone, "day", first, last) == [begins(day) for day in days]
    months = [day for day in days if day.day == 1]
    assert starts(store, zone, "month", first, last) == [begins(day) for day in months]
    weeks = [day for day in days if day.weekday() == 0]
    assert starts(store, zone, "week", weeks[0], last) == [begins(day) for day in weeks]


def taken_for(zone: str, like: str) -> zone_shifts.Shift:
    days = (list(engine_zones.begins(one, DAYS)) for one in (like, zone))
    shift = zone_shifts.between(zone, *days)
    assert shift
    return shift


@pytest.fixture(scope="module")
def others(store: EmbeddedStore) -> Iterator[Store]:
    """Provide a small world in a store whose views take five zones for other ones."""
    shifts = tuple(taken_for(zone, like) for zone, like in LIKE.items())
    connected = new_database(store.port)
    migrate(
        connected,
        settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0"),
        views=views.shipped(shifts),
    )
    fill(connected, rows_in_memory(ViewWorld(5, 2).messages(1_200)))
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


@pytest.mark.parametrize("view", OF_EVENTS)
def test_a_zone_is_what_the_views_are_made_to_take_it_for(others: Store, view: str) -> None:
    grains = ("day", "week", "month") if "grain" in VIEWS[view].parameters else ("",)
    rows = 0
    for number, (zone, like) in enumerate(LIKE.items()):
        since, until = RANGES[number]
        asked: dict[str, Any] = {"since": since, "until": until, "as_of": LAST, "months": 9}
        asked |= {"k": 99, "tenant": "", "token": ""}
        for grain in grains:
            due, found = (
                in_utc(others, view, asked | {"tz": one, "grain": grain}) for one in (like, zone)
            )
            assert found == due, (zone, grain)
            rows += len(due)
    assert rows


def in_utc(store: Store, view: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A view's rows, with instants that compare whatever zone they are in."""
    values = {name: asked[name] for name in VIEWS[view].parameters}
    return [
        tuple(one.astimezone(UTC) if isinstance(one, datetime) else one for one in row)
        for row in store.query(f"SELECT * FROM {call(view, values)}")
    ]


def test_views_follow_the_zones_that_the_server_has(store: EmbeddedStore) -> None:
    """A server that is upgraded has other ones: the next `usage migrate` makes the views anew."""
    with migrated_database(store.port) as connected:
        assert not release.check(connected).findings
        assert not release.check(connected).notes
        settings = settings_for(store.port, connected.database)
        other = views.shipped((taken_for("Europe/Berlin", "Asia/Kathmandu"),))
        migrate(connected, settings, views=other)
        named = {one.where for one in release.check(connected).findings}
        done = migrate(connected, settings)
        with_zone = {view.name for view in other if "{tz:String}" in view.select}
        assert named == set(done.remade) == with_zone > set(OF_EVENTS)
        assert not release.check(connected).findings
