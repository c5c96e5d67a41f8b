"""The one grammar of times and durations, for whatever a person types or a program asks. Pure.

============================  =====================================================================
``now``                       this instant
``30s 15m 2h 30d 2w 1y``      so long ago (or from now); a year is 365 days; ``1.5h`` is one too
``1780000000``, ``0``         epoch seconds
``2026-05-01``                the day's beginning, in the zone
``2026-05-01T10:30``          in the zone; any form of ISO 8601 that Python reads
``2026-05-01T10:30:00+02:00`` RFC 3339, fractions and ``Z`` too
============================  =====================================================================

A duration is the second row alone, or a bare number of seconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline.errors import UsageError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
"""Seconds of each unit of a duration."""

_WANTED = (
    "one like 2026-05-01, 2026-05-01T10:30, 2026-05-01T10:30:00+02:00, "
    f"%s ({', '.join(UNITS)}: so long %s), epoch seconds, or now"
)

_YEAR_10000_MS = 253_402_300_800_000
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([smhdwy]?)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_EPOCH_SECONDS = re.compile(r"0|[0-9]{9,10}", re.ASCII)
_FINER = {"milli": 3, "micro": 6, "nano": 9}
"""Digits by which a count of them since 1970 is longer than one of seconds."""
_DIGITS_OF_SECONDS = (9, 10)
_DIGITS_OF_DAY = 8  # 20260501, as ISO 8601 has it


def instant(
    text: str, *, name: str, now: datetime, zone: tzinfo = UTC, is_ahead: bool = False
) -> datetime:
    """An instant as it was typed, in UTC, with what fractions it has down to microseconds.

    Args:
        text: as the grammar of this module has it.
        name: what the sentence of an error calls it: ``since``, ``--since``.
        now: aware; what ``now`` is, and what durations are counted from.
        zone: of days and times that have no offset.
        is_ahead: whether a duration is one from now on (an expiry), instead of ago.

    Raises:
        UsageError: it is no time, or one before year 1 or after 9999.
    """
    try:
        return _instant(text, now, zone, 1 if is_ahead else -1).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = _WANTED % (("90d", "from now") if is_ahead else ("30d", "ago"))
        raise UsageError(f"{name} {text!r} is no time{_why(text)}: wanted is {wanted}") from None


def duration(text: str, *, name: str) -> timedelta:
    """A length of time as it was typed: ``90`` and ``90s`` are seconds, ``2h``, ``30d``, ``1y``.

    Raises:
        UsageError: it is none; ``name`` is what the sentence calls it.
    """
    found = _DURATION.fullmatch(text)
    try:
        if found:
            return _length(found)
    except OverflowError:
        pass
    raise UsageError(
        f"{name} {text!r} is no length of time: wanted is one like 90 (seconds), 90s, 15m, 2h, "
        "30d, 2w, 1y"
    )


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds of an aware instant, what is finer cut off."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def moment(ms: int) -> str:
    """An instant by RFC 3339, in UTC; one that no calendar has as its number."""
    if not 0 <= ms < _YEAR_10000_MS:  # a producer may send any timestamp
        return str(ms)
    at = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def _instant(text: str, now: datetime, zone: tzinfo, sign: int) -> datetime:
    if text == "now":
        return now
    span = _DURATION.fullmatch(text)
    if span and span[2]:
        return now + sign * _length(span)
    if _EPOCH_SECONDS.fullmatch(text):
        return EPOCH + timedelta(seconds=int(text))
    at = datetime.fromisoformat(text.upper())  # RFC 3339 allows a small t and z
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _length(found: re.Match[str]) -> timedelta:
    return timedelta(seconds=float(found[1]) * UNITS[found[2] or "s"])


def _why(text: str) -> str:
    """What a number was probably meant to be, where it is one."""
    if not _NUMBER.fullmatch(text):
        return ""
    for prefix, digits in _FINER.items():
        if len(text) - digits in _DIGITS_OF_SECONDS:
            return f" but epoch {prefix}seconds (in seconds it is {text[:-digits]})"
    return " but a number without a unit" if len(text) < _DIGITS_OF_DAY else ""
