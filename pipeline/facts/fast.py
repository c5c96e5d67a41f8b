"""The fast path: records of the common form to columns, many at a time.

It gives exactly what ``decide`` gives, or leaves a record to it.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.bulk_columns import MAKERS
from pipeline.facts.bulk_times import Instants, instants
from pipeline.facts.common import CommonForm, Events
from pipeline.facts.interface import Facts, Head, Outcome, Record, widened
from pipeline.facts.rules import Rules
from pipeline.facts.times import FIRST_MINUTE, LAST_MINUTE, arrival_minute
from schemas.envelope import NOBODY

_FAR = 2**53
"""Timestamps beyond this could overflow when subtracted."""


class Common(NamedTuple):
    """What the records of the common form come to; everything but ``others`` has one for each."""

    columns: list[list[Any]]
    """The head's, one row per record of the common form, in order."""
    tenants: list[str]
    times: Instants
    """Of the events."""
    arrivals: Instants
    """The timestamps of their records."""
    sources: list[str]
    ids: list[str]
    type: str
    """Of them all."""
    others: list[int]
    """The places, in order, of the records that must be decided one by one."""

    def chosen(self, which: NDArray[np.bool_]) -> "Common":
        """Only those."""
        chosen = which.tolist()
        lists = (self.tenants, self.sources, self.ids)
        tenants, sources, ids = (list(compress(items, chosen)) for items in lists)
        return self._replace(
            columns=[list(compress(column, chosen)) for column in self.columns],
            tenants=tenants,
            times=self.times[which],
            arrivals=self.arrivals[which],
            sources=sources,
            ids=ids,
        )

    def account(self, into: Facts) -> None:
        """Add everything but the rows of counted ones."""
        into.received += len(self.tenants)
        into.counted += len(self.tenants)
        if self.tenants:
            into.event_time = widened(into.event_time, int(self.times.min()), int(self.times.max()))
            into.outcomes.update(self._outcomes("counted"))

    def drop(self, into: Facts) -> None:
        """Add all that there is to say of duplicates."""
        into.received += len(self.tenants)
        into.duplicate += len(self.tenants)
        if self.tenants:
            into.outcomes.update(self._outcomes("duplicate"))

    def _outcomes(self, outcome: str) -> dict[Outcome, int]:
        arrivals, type_ = self.arrivals, self.type
        first, last = arrival_minute(int(arrivals.min())), arrival_minute(int(arrivals.max()))
        if first == last:  # as almost always
            counts = Counter(self.tenants).items()
            return {(first, name, type_, outcome, ""): n for name, n in counts}
        minutes = np.clip(arrivals // 60_000 * 60, FIRST_MINUTE, LAST_MINUTE).tolist()
        pairs = Counter(zip(minutes, self.tenants, strict=True)).items()
        return {(at, name, type_, outcome, ""): n for (at, name), n in pairs}


def nothing(head: Head, count: int) -> Common:
    """All of so many records are to be decided one by one."""
    none = np.empty(0, np.int64)
    return Common([[] for _ in head.columns], [], none, none, [], [], "", list(range(count)))


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
        if NOBODY in tenants:
            odd.update(place for place, tenant in enumerate(tenants) if tenant == NOBODY)
        minutes: list[int] = (times // 60_000 * 60).tolist()
        common = Common(
            [minutes, tenants, *lists],
            tenants,
            times,
            arrivals,
            [event.source for event in found],
            [event.id for event in found],
            self._type,
            others,
        )
        return [place if places is None else int(places[place]) for place in odd], common

    def _untimely(self, times: Instants, arrivals: Instants) -> list[int]:
        ahead = times - arrivals
        early, late = self._rules.too_early_seconds * 1000, self._rules.too_late_seconds * 1000
        wrong = (ahead > early) | (ahead < -late)
        wrong |= (times < 0) | (times >= (LAST_MINUTE + 60) * 1000)
        return np.flatnonzero(wrong).tolist() if wrong.any() else []
