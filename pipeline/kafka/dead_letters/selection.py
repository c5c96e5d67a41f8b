"""Which dead letters a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.facts.exact.reasons import REASONS
from pipeline.kafka.dead_letters.letter import DeadLetter


@dataclass(frozen=True, kw_only=True)
class LetterSelection:
    """Which letters are meant: of each sort any one of those named; empty: all.

    Times are of the rejected record's arrival.

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
