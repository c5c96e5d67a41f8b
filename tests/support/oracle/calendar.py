"""Days, weeks, months and billing periods in a time zone; all in epoch milliseconds."""

from __future__ import annotations

import calendar
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata

from tests.support.oracle.log import EPOCH, MINUTE

QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
USAGE_AVAILABLE_FROM = date(2020, 10, 1)


def to_ms(at: datetime) -> int:
    """The instant of a parameter: its seconds are cut off."""
    return (at - EPOCH) // timedelta(minutes=1) * MINUTE


def to_datetime(ms: int) -> datetime:
    """An instant or a bucket's start, in UTC."""
    return EPOCH + timedelta(milliseconds=ms)


def to_minute(ms: int) -> datetime:
    """An instant as views give it: to the minute."""
    return to_datetime(ms // MINUTE * MINUTE)


def day_of(ms: int, tz: str) -> date:
    """The calendar day of an instant in the zone."""
    return _day_of_quarter(ms // QUARTER, tz)  # no zone changes its day within a quarter hour


@cache
def _zone(name: str) -> ZoneInfo:
    """The zone of the package, whatever the machine has."""
    file = resources.files(tzdata).joinpath("zoneinfo", *name.split("/"))
    return ZoneInfo.from_file(io.BytesIO(file.read_bytes()), key=name)


@cache
def _day_of_quarter(quarter: int, tz: str) -> date:
    return datetime.fromtimestamp(quarter * QUARTER // 1000, _zone(tz)).date()


@cache
def start_of_day(day: date, tz: str) -> int:
    """The first instant of a day, found by looking: midnight may not exist there."""
    at = to_ms(datetime.combine(day, time(), UTC)) - 30 * HOUR
    while day_of(at, tz) < day:
        at += QUARTER
    return at


def first_of_month(day: date, months: int = 0) -> date:
    """The first day of its month, or of the one so many months later."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def start_of_month(month: date, tz: str) -> int:
    """Where a month begins; it ends where the next begins."""
    return start_of_day(month, tz)


def end_of_month(month: date, tz: str) -> int:
    return start_of_day(first_of_month(month, 1), tz)


def month_of(ms: int, tz: str) -> date:
    return first_of_month(day_of(ms, tz))


def last_months(as_of: int, months: int, tz: str) -> list[date]:
    """The month of `as_of` and those before it, so many in all, oldest first."""
    this = month_of(as_of, tz)
    return [first_of_month(this, -back) for back in range(months - 1, -1, -1)]


def months_between(since: int, until: int, tz: str) -> list[date]:
    """The months that have a part in [since, until)."""
    return [day_of(start, tz) for start in buckets(since, until, tz, "month")]


def bucket_of(ms: int, tz: str, grain: str) -> int:
    """Where the bucket of an instant begins."""
    if grain == "minute":
        return ms // MINUTE * MINUTE
    day = day_of(ms, tz)
    if grain == "hour":
        return _hour_of(ms, start_of_day(day, tz), tz)
    if grain == "week":
        day -= timedelta(days=day.weekday())
    if grain == "month":
        day = day.replace(day=1)
    return start_of_day(day, tz)


def _hour_of(ms: int, midnight: int, tz: str) -> int:
    """Full hours of the local clock; once it was changed on that day, full hours since the change.

    The two are the same wherever clocks change by full hours at full hours: everywhere but on Lord
    Howe Island, whose clock moves by half an hour.
    """
    changed = _change(midnight, _offset(midnight // QUARTER, tz), ms, tz)
    if changed is not None:
        return changed + (ms - changed) // HOUR * HOUR
    local = ms + _offset(ms // QUARTER, tz)
    return ms - local % HOUR


def _change(midnight: int, offset: int, until: int, tz: str) -> int | None:
    """When the clock changed between midnight and an instant of that day."""
    if _offset(until // QUARTER, tz) == offset:
        return None
    at = midnight
    while _offset(at // QUARTER, tz) == offset:
        at += QUARTER
    return at


@cache
def _offset(quarter: int, tz: str) -> int:
    """How far local time is ahead of UTC, in ms."""
    offset = datetime.fromtimestamp(quarter * QUARTER // 1000, _zone(tz)).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


def buckets(since: int, until: int, tz: str, grain: str) -> Iterator[int]:
    """The starts of all buckets that have a part in [since, until), in order."""
    at = bucket_of(since, tz, grain)
    while at < until:
        yield at
        at = _next(at, tz, grain)


def _next(start: int, tz: str, grain: str) -> int:
    if grain == "minute":
        return start + MINUTE
    step = QUARTER if grain == "hour" else 12 * HOUR
    at = start + step
    while (found := bucket_of(at, tz, grain)) <= start:
        at += step
    return found


def billing_start(month: date, anchor: int) -> date:
    """The day in this month on which a billing period begins: its last one where it is shorter."""
    last = calendar.monthrange(month.year, month.month)[1]
    return month.replace(day=min(anchor, last))
