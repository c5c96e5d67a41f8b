"""The table of zones' offsets, against `zoneinfo`, which looks each instant up."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
import tzdata
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clickhouse.schema.zones import FIRST, LAST, offsets
from pipeline.facts import zones

NAMES = sorted(zones.names())
HARD = (
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/New_York",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Havana",
    "America/Santiago",
    "Antarctica/Troll",
    "Africa/Cairo",
)


def zone(name: str) -> ZoneInfo:
    """Return the package's zone, whatever the machine has."""
    file = resources.files(tzdata).joinpath("zoneinfo", *name.split("/"))
    return ZoneInfo.from_file(io.BytesIO(file.read_bytes()), key=name)


def rows(name: str) -> list[tuple[int, int, int]]:
    return [(since, offset, reached) for one, since, offset, reached in offsets() if one == name]


@settings(deadline=None)
@given(st.sampled_from(NAMES) | st.sampled_from(HARD), st.integers(FIRST, LAST - 1))
def test_every_instant_has_its_offset(name: str, instant: int) -> None:
    there = datetime.fromtimestamp(instant, zone(name)).utcoffset()
    found = [offset for since, offset, _ in rows(name) if since <= instant][-1]
    assert timedelta(seconds=found) == there


@settings(deadline=None)
@given(st.sampled_from(HARD), st.dates(date(1995, 1, 1), date(2060, 1, 1)))
def test_the_first_instant_of_a_day(name: str, day: date) -> None:
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    since, offset, _ = next(row for row in rows(name) if row[2] > midnight)
    start = max(since, midnight - offset)
    there = zone(name)
    assert datetime.fromtimestamp(start, there).date() >= day
    assert datetime.fromtimestamp(start - 1, there).date() < day


def test_a_day_that_was_not_begins_where_the_next_does() -> None:
    midnight = int(datetime(2011, 12, 30, tzinfo=UTC).timestamp())
    since, offset, _ = next(row for row in rows("Pacific/Apia") if row[2] > midnight)
    assert max(since, midnight - offset) == int(datetime(2011, 12, 30, 10, tzinfo=UTC).timestamp())


def test_all_zones_are_there_once_each() -> None:
    assert sorted({name for name, *_ in offsets()}) == NAMES
    keys = [(name, since) for name, since, *_ in offsets()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", HARD)
def test_local_time_never_goes_back_in_reached(name: str) -> None:
    reached = [row[2] for row in rows(name)]
    assert reached == sorted(reached)
