"""Which dead letters are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.errors import UsageError
from pipeline.facts.exact import times
from pipeline.facts.exact.reasons import REASONS
from pipeline.operate.dead_letters.letter import DeadLetter

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Of each sort any one of those named; empty: all. Times are of the rejected record's arrival.

    ``tenants`` and ``types`` may hold ``''``: those whose tenant or type could not be read.
    """

    reasons: Sequence[str] = ()
    tenants: Sequence[str] = ()
    types: Sequence[str] = ()
    topics: Sequence[str] = ()
    """Names as Kafka knows them."""
    origins: Sequence[str] = ()
    since: int | None = None
    """Epoch milliseconds, inclusive."""
    until: int | None = None
    """Exclusive."""

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is meant."""
        named = (
            (self.reasons, letter.reason),
            (self.tenants, letter.tenant),
            (self.types, letter.type),
            (self.topics, letter.source.topic),
            (self.origins, letter.origin),
        )
        return (
            all(not wanted or found in wanted for wanted, found in named)
            and (self.since is None or letter.timestamp >= self.since)
            and (self.until is None or letter.timestamp < self.until)
        )


def check_reasons(reasons: Sequence[str]) -> None:
    """Refuse a reason that no dead letter can have: it would find none, and look like good news.

    Raises:
        UsageError: there is one.
    """
    for reason in reasons:
        if reason not in REASONS:
            raise UsageError(f"--reason {reason!r} is none; allowed: {', '.join(REASONS)}")


def instant(text: str, now: datetime) -> int:
    """Epoch milliseconds of an instant by RFC 3339, a day (its start, UTC), or so long ago (`2h`).

    Raises:
        UsageError: it is none of these.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return _ms(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    found = times.parse(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    if found is None:
        raise UsageError(
            f"{text!r} is no time; allowed: 2026-05-01T12:34:56Z, 2026-05-01 (UTC), or so long "
            "ago: 30s, 15m, 2h, 3d, 1w"
        )
    return found


def _ms(at: datetime) -> int:
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
