"""Until when a key holds, as people type it. Pure."""

from __future__ import annotations

from datetime import datetime

from pipeline.errors import UsageError
from pipeline.process import times

_LAST_YEAR = 2100


def expiry(text: str, now: datetime) -> datetime:
    """The instant that ``90d`` (from now), a day or a time names; without an offset in UTC.

    Raises:
        UsageError: it is no time, or none to come.
    """
    at = times.instant(text, name="expires", now=now, is_ahead=True)
    if at <= now or at.year > _LAST_YEAR:
        raise UsageError(f"expires {text!r} is not between now and {_LAST_YEAR}")
    return at.replace(microsecond=0)
