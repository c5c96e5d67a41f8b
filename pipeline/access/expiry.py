"""Until when a key holds, as people type it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.errors import UsageError

_DAYS = re.compile(r"([1-9]\d{0,4})d")
_LAST_YEAR = 2100


def expiry(text: str, now: datetime) -> datetime:
    """The instant that ``90d`` (from now), a day or a time names; without an offset in UTC.

    Raises:
        UsageError: it is no time, or none to come.
    """
    days = _DAYS.fullmatch(text)
    try:
        at = now + timedelta(days=int(days[1])) if days else datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"expires {text!r} is no time: wanted is one like 90d, 2026-12-31 or "
            "2026-12-31T10:30:00+02:00"
        ) from None
    if at <= now or at.year > _LAST_YEAR:
        raise UsageError(f"expires {text!r} is not between now and {_LAST_YEAR}")
    return at.replace(microsecond=0)
