"""How instants are moved so that one zone's days are shown in another, against `zoneinfo`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from pipeline.clickhouse.schema import engine_zones, zone_shifts
from pipeline.clickhouse.schema.zone_shifts import Shift

DAY = 86_400
FIRST, END = (datetime(year, 1, 1, tzinfo=UTC).timestamp() // DAY for year in (2024, 2030))
DAYS = range(int(FIRST), int(END))
ZONES = (
    "America/Winnipeg",
    "America/Havana",
    "America/New_York",
    "America/St_Johns",
    "America/Regina",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "UTC",
)
zones = st.sampled_from(ZONES)
NEAR = 9
"""Hours: zones that are further apart than that differ too much."""


def begins(zone: str) -> Sequence[int]:
    return list(engine_zones.begins(zone, DAYS))


def seconds(shift: Shift, at: int) -> int:
    """What is added to an instant."""
    return [0, *(moved for since, moved in shift.changes if since <= at)][-1]


@given(zones, zones, st.integers(int(FIRST + 2) * DAY, int(END - 2) * DAY - 1))
def test_a_moved_instant_shows_the_day_that_it_is(own: str, engine: str, at: int) -> None:
    shift = zone_shifts.between("", begins(own), begins(engine))
    apart = max(abs(a - b) for a, b in zip(begins(own), begins(engine), strict=True))
    assert (shift is None) == (apart > 11 * 3600)
    if shift:
        shown = datetime.fromtimestamp(at + seconds(shift, at), ZoneInfo(engine))
        assert shown.date() == datetime.fromtimestamp(at, ZoneInfo(own)).date()


@given(zones, zones, st.integers(2, len(DAYS) - 3))
def test_the_beginning_of_a_day_is_moved_back(own: str, engine: str, number: int) -> None:
    ours, theirs = begins(own), begins(engine)
    shift = zone_shifts.between("", ours, theirs)
    if shift:
        assert theirs[number] - seconds(shift, theirs[number]) == ours[number]


def test_days_begin_where_zoneinfo_says() -> None:
    for zone in ZONES:
        for begin in begins(zone):
            there = datetime.fromtimestamp(begin, ZoneInfo(zone))
            before = datetime.fromtimestamp(begin - 1, ZoneInfo(zone))
            assert before.date() == there.date() - timedelta(days=1)


def test_a_zone_that_is_the_same_is_not_moved() -> None:
    assert zone_shifts.between("UTC", begins("UTC"), begins("UTC")) == Shift("UTC", ())
    assert zone_shifts.macros(())["_shown"].text == "at"


def test_a_day_that_never_was_cannot_be_set_right() -> None:
    days = range(15_300, 15_400)  # Apia had no 30 December 2011
    apia, berlin = (list(engine_zones.begins(one, days)) for one in ("Pacific/Apia", "Etc/GMT-13"))
    assert 0 in [end - begin for begin, end in pairwise(apia)]
    assert zone_shifts.between("Pacific/Apia", apia, berlin) is None


def test_nothing_is_moved_after_the_last_day_that_is_known() -> None:
    ours = [day * DAY for day in range(100, 105)]
    shift = zone_shifts.between("x", ours, [begin + 3600 for begin in ours])
    assert shift == Shift("x", ((ours[0] - 43_200, 3600), (ours[-1] + 43_200, 0)))
