"""Instants: RFC 3339 as the contract narrows it, in epoch milliseconds."""

import re

_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

FIRST_MINUTE = 0
LAST_MINUTE = (2**32 - 1) // 60 * 60
"""The minutes, in epoch seconds, that a ClickHouse ``DateTime`` can hold (1970 to 2106)."""


def parse(text: str) -> int | None:
    """Epoch milliseconds of ``text``, truncated; None if it is not of the contract's form.

    Second 60, a space for the ``T``, missing seconds or a missing offset are not.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    if not 1 <= month <= 12 or not 1 <= day <= _days_in(year, month):
        return None
    seconds = ((_day_number(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    if sign is not None:
        offset = (int(offset_hours) * 60 + int(offset_minutes)) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 1000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _DAYS[month - 1]


def _day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01, proleptic Gregorian; unlike ``datetime`` it knows year 0."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def minute_of(milliseconds: int) -> int:
    """The minute that an instant lies in, in epoch seconds (a multiple of 60)."""
    return milliseconds // 60_000 * 60


def arrival_minute(timestamp: int) -> int:
    """The minute of a record's timestamp, in epoch seconds, kept within what a column can hold.

    A producer may send any timestamp (-1 is Kafka's word for none); accounting must not fail on it.
    """
    return min(max(minute_of(timestamp), FIRST_MINUTE), LAST_MINUTE)
