"""What all views are computed from, and the few questions that most of them ask."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol, TypeVar

from tests.support.oracle.calendar import QUARTER, to_ms
from tests.support.oracle.log import WINDOW, Definition, Entry, read
from tests.support.oracle.registry import Registry, Standing

Row = tuple[Any, ...]
Rows = list[Row]


class Timed(Protocol):
    @property
    def time(self) -> int: ...

    @property
    def tenant(self) -> str: ...


T = TypeVar("T", bound=Timed)


class World:
    """A log that was read: its events in order of time, and the registry.

    ``minutes_from``: since when there are rows by the minute, in epoch milliseconds; the ends of
    older ranges are cut to the quarter hours that lie in them.
    """

    def __init__(
        self, log: Iterable[Entry], window: int = WINDOW, minutes_from: int | None = None
    ) -> None:
        facts = read(log, window)
        self.requests = sorted(facts.requests, key=lambda one: one.time)
        self.actions = sorted(facts.actions, key=lambda one: one.time)
        self.products = sorted(facts.products, key=lambda one: one.time)
        self.definitions = facts.definitions
        self.outcomes = facts.outcomes
        self.registry = Registry(facts.changes)
        self.minutes_from = minutes_from
        self.standing = cache(self._standing)
        counted = [one.time for one in facts.outcomes if one.outcome == "counted"]
        self.newest = max(counted, default=-(2**62))
        """The time of the newest counted event of all."""

    def _standing(self, instant: int) -> Standing:
        return self.registry.before(instant)

    def metrics(self, metric_id: str = "") -> list[Definition]:
        """The user-defined metrics in force, or one of them."""
        return [
            one
            for one in self.definitions.values()
            if not one.data.get("retired") and metric_id in ("", one.metric_id)
        ]

    def range(self, since: datetime, until: datetime) -> tuple[int, int]:
        """[since, until) as it can be answered."""
        return self.range_ms(to_ms(since), to_ms(until))

    def range_ms(self, start: int, end: int) -> tuple[int, int]:
        """The instants in ms; an end before the kept minutes is cut to quarter hours inside."""
        if self.minutes_from is not None:
            if start < self.minutes_from:
                start = -(-start // QUARTER) * QUARTER
            if end < self.minutes_from:
                end = end // QUARTER * QUARTER
        return start, end

    def is_closed(self, end: int) -> bool:
        """Whether the newest counted event of all is past this end of a month or period."""
        return self.newest >= end


def between(events: Sequence[T], since: int, until: int, tenant: str = "") -> list[T]:
    """Entries in [since, until), of one tenant or ('') of all."""
    first = bisect_left(events, since, key=lambda one: one.time)
    last = bisect_left(events, until, key=lambda one: one.time)
    return [one for one in events[first:last] if tenant in ("", one.tenant)]


def ranked(rows: Iterable[tuple[int, Row]], k: int) -> Rows:
    """Rank rows, each with what it is ranked by: most first, ties by the row itself; 1, 2, 3 …

    Rows begin with what breaks ties: the tenant where they have one, then the id; bytewise.
    """

    def order(item: tuple[int, Row]) -> tuple[int, tuple[bytes, ...]]:
        count, row = item
        return -count, tuple(part.encode() for part in row if isinstance(part, str))

    ordered = sorted(rows, key=order)[:k]
    return [(rank, *row) for rank, (_, row) in enumerate(ordered, start=1)]
