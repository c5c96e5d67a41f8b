"""The fast path: records of the common form to columns, many at a time.

It gives exactly what ``decide`` gives, or leaves a record to it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.facts.bulk_columns import MAKERS
from pipeline.facts.bulk_times import Instants, instants
from pipeline.facts.common import CommonForm, Events
from pipeline.facts.interface import Bounds, Facts, Head, Outcome, Record, widened
from pipeline.facts.rules import Rules
from pipeline.facts.times import FIRST_MINUTE, LAST_MINUTE, arrival_minute
from schemas.envelope import NOBODY

_FAR = 2**53
"""Timestamps beyond this could overflow when subtracted."""


class Common(NamedTuple):
    """What the records of the common form come to."""

    columns: list[list[Any]]
    """The head's, one row per record of the common form, in order."""
    outcomes: Counter[Outcome]
    event_time: Bounds | None
    others: list[int]
    """The places, in order, of the records that must be decided one by one."""

    def account(self, into: Facts) -> None:
        """Add everything but the rows."""
        count = len(self.columns[0])
        into.received += count
        into.counted += count
        into.outcomes.update(self.outcomes)
        if self.event_time is not None:
            into.event_time = widened(into.event_time, *self.event_time)


def nothing(head: Head, count: int) -> Common:
    """All of so many records are to be decided one by one."""
    return Common([[] for _ in head.columns], Counter(), None, list(range(count)))


class FastPath:
    """Reads the records of one topic."""

    def __init__(self, topic: str, head: Head, event_type: str, rules: Rules) -> None:
        self._head = head
        self._type = event_type
        self._rules = rules
        self._form = CommonForm(topic, rules)
        self._make = MAKERS[topic]

    def read(self, records: Sequence[Record], values: Sequence[bytes]) -> Common:
        """What the common ones of ``records`` come to; a tombstone's value is empty."""
        arrivals = np.array([record.timestamp for record in records], np.int64)
        if np.abs(arrivals).max() > _FAR:
            return nothing(self._head, len(records))
        events = self._form.decode(records, values)
        others: list[int] = []
        while True:
            if None in events:
                others = [place for place, event in enumerate(events) if event is None]
            if len(others) == len(events):
                return nothing(self._head, len(records))
            odd, common = self._columns(events, arrivals, others)
            if not odd:
                return common
            for place in odd:
                events[place] = None

    def _columns(
        self, events: Events, arrivals: Instants, others: list[int]
    ) -> tuple[list[int], Common]:
        """The places that turn out unusual after all; if there are none, the columns."""
        places = np.delete(np.arange(len(events)), others) if others else None
        found: list[Any] = [event for event in events if event is not None] if others else events
        if places is not None:
            arrivals = arrivals[places]
        lists, odd = self._make([event.data for event in found], self._rules.task_rule_set)
        times, invalid = instants([event.time for event in found], arrivals)
        odd.update(invalid, self._untimely(times, arrivals))
        tenants = [event.subject for event in found]
        outcomes = self._outcomes(tenants, arrivals)
        if any(outcome[1] == NOBODY for outcome in outcomes):
            odd.update(place for place, tenant in enumerate(tenants) if tenant == NOBODY)
        minutes: list[int] = (times // 60_000 * 60).tolist()
        common = Common(
            [minutes, tenants, *lists], outcomes, (int(times.min()), int(times.max())), others
        )
        return [place if places is None else int(places[place]) for place in odd], common

    def _untimely(self, times: Instants, arrivals: Instants) -> list[int]:
        ahead = times - arrivals
        early, late = self._rules.too_early_seconds * 1000, self._rules.too_late_seconds * 1000
        wrong = (ahead > early) | (ahead < -late)
        wrong |= (times < 0) | (times >= (LAST_MINUTE + 60) * 1000)
        return np.flatnonzero(wrong).tolist() if wrong.any() else []

    def _outcomes(self, tenants: list[str], arrivals: Instants) -> Counter[Outcome]:
        first, last = arrival_minute(int(arrivals.min())), arrival_minute(int(arrivals.max()))
        if first == last:  # as almost always
            counts = Counter(tenants).items()
            return Counter({(first, name, self._type, "counted", ""): n for name, n in counts})
        minutes = np.clip(arrivals // 60_000 * 60, FIRST_MINUTE, LAST_MINUTE).tolist()
        pairs = Counter(zip(minutes, tenants, strict=True)).items()
        return Counter({(at, name, self._type, "counted", ""): n for (at, name), n in pairs})
