"""The fast path: records of the common form to columns, many at a time.

It gives exactly what ``decide`` gives, or leaves a record to it.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.bulk.columns import Bulk, Values
from pipeline.facts.bulk.decode import CommonForm, Decoded
from pipeline.facts.bulk.times import Instants, instants
from pipeline.facts.columns import Maps
from pipeline.facts.contents import Contents, content
from pipeline.facts.exact.times import FIRST_MINUTE, LAST_MINUTE, arrival_minute
from pipeline.facts.interface import Head, Outcome, Record, widened
from pipeline.facts.python_facts import PythonFacts
from pipeline.facts.rules import Rules
from schemas.envelope import NOBODY

_data_of = attrgetter("data")

_FAR = 2**53
"""Timestamps beyond this could overflow when subtracted."""


_NO_CONTENTS: Contents = np.empty(0, np.uint32)


class Common(NamedTuple):
    """What the records of the common form come to; everything but ``others`` has one for each."""

    columns: list[Values]
    """The head's, one row per record of the common form, in order; empty where only ids count."""
    tenants: list[str]
    times: Instants
    """Of the events."""
    arrivals: Instants
    """The timestamps of their records."""
    sources: list[str]
    ids: list[str]
    contents: Contents
    """The hashes of their data's bytes; empty where no ids count."""
    type: str
    """Of them all."""
    places: Instants
    """Of their records among all that were read."""
    others: list[int]
    """The places, in order, of the records that must be decided one by one."""

    def chosen(self, which: NDArray[np.bool_]) -> "Common":
        """The chosen events alone; ``which`` is a mask over all."""
        chosen = which.tolist()
        lists = (self.tenants, self.sources, self.ids)
        tenants, sources, ids = (list(compress(items, chosen)) for items in lists)
        return self._replace(
            columns=[_chosen(column, which) for column in self.columns],
            tenants=tenants,
            times=self.times[which],
            arrivals=self.arrivals[which],
            sources=sources,
            ids=ids,
            contents=self.contents[which],
            places=self.places[which],
        )

    def account(self, into: PythonFacts) -> None:
        """Add everything but the rows of counted ones."""
        into.received += len(self.tenants)
        into.counted += len(self.tenants)
        if self.tenants:
            into.event_time = widened(into.event_time, int(self.times.min()), int(self.times.max()))
            into.outcomes.update(self._outcomes("counted"))

    def drop(self, into: PythonFacts, reason: str) -> None:
        """Add all that there is to say of duplicates."""
        into.received += len(self.tenants)
        into.duplicate += len(self.tenants)
        if self.tenants:
            into.outcomes.update(self._outcomes("duplicate", reason))

    def _outcomes(self, outcome: str, reason: str = "") -> dict[Outcome, int]:
        arrivals, type_ = self.arrivals, self.type
        first, last = arrival_minute(int(arrivals.min())), arrival_minute(int(arrivals.max()))
        if first == last:  # as almost always
            counts = Counter(self.tenants).items()
            return {(first, name, type_, outcome, reason): n for name, n in counts}
        minutes = np.clip(arrivals // 60_000 * 60, FIRST_MINUTE, LAST_MINUTE).tolist()
        pairs = Counter(zip(minutes, self.tenants, strict=True)).items()
        return {(at, name, type_, outcome, reason): n for (at, name), n in pairs}


def _chosen(column: Values, which: NDArray[np.bool_]) -> Values:
    if isinstance(column, Maps):
        return column.chosen(which)
    return column[which] if isinstance(column, np.ndarray) else list(compress(column, which))


def nothing(head: Head, count: int) -> Common:
    """All of so many records are to be decided one by one."""
    none = np.empty(0, np.int64)
    columns: list[Values] = [[] for _ in head.columns]
    return Common(columns, [], none, none, [], [], _NO_CONTENTS, "", none, list(range(count)))


class FastPath:
    """Reads the records of one topic."""

    def __init__(self, head: Head, type_: str, bulk: type[Bulk], rules: Rules) -> None:
        self._head = head
        self._type = type_
        self._rules = rules
        self._form = CommonForm(type_, bulk.form, rules)
        self._bulk = bulk

    def read(
        self,
        records: Sequence[Record],
        values: Sequence[bytes],
        arrivals: Instants,
        *,
        with_columns: bool = True,
    ) -> Common:
        """What the common ones of ``records`` come to; a tombstone's value is empty."""
        if max(int(arrivals.max()), -int(arrivals.min())) > _FAR:
            return nothing(self._head, len(records))
        events, data = self._form.decode(records, values)
        others: list[int] = []
        while True:
            if None in events:
                others = [place for place, event in enumerate(events) if event is None]
            if len(others) == len(events):
                return nothing(self._head, len(records))
            odd, common = self._common(Decoded(events, data), arrivals, others, with_columns)
            if not odd:
                return common
            for place in odd:
                events[place] = None

    def _common(
        self, decoded: Decoded, arrivals: Instants, others: list[int], with_columns: bool
    ) -> tuple[list[int], Common]:
        """The places that turn out unusual after all; what they come to if there are none."""
        found: list[Any] = decoded.events
        data = decoded.data
        places = np.arange(len(found))
        if others:
            data = [one for one, event in zip(data, found, strict=True) if event is not None]
            found = [event for event in found if event is not None]
            places = np.delete(places, others)
            arrivals = arrivals[places]
        bulk = self._bulk(data)
        times, invalid = instants([event.time for event in found], arrivals)
        odd = bulk.odd.union(invalid, self._untimely(times, arrivals))
        tenants = [event.subject for event in found]
        if NOBODY in tenants:
            odd.update(place for place, tenant in enumerate(tenants) if tenant == NOBODY)
        columns: list[Values] = []
        contents = _NO_CONTENTS
        if self._rules.duplicate_window and not odd:
            contents = np.fromiter(map(content, map(_data_of, found)), np.uint32, len(found))
        if with_columns and not odd:
            common_columns: dict[str, Values] = {
                "minute": times // 60_000 * 60,
                "tenant": tenants,
                "time": times,
            }
            made = common_columns | bulk.columns(self._rules.task_rule_set)
            columns = [made[name] for name, _ in self._head.columns]
        common = Common(
            columns,
            tenants,
            times,
            arrivals,
            [event.source for event in found],
            [event.id for event in found],
            contents,
            self._type,
            places,
            others,
        )
        return [int(places[place]) for place in odd], common

    def _untimely(self, times: Instants, arrivals: Instants) -> list[int]:
        ahead = times - arrivals
        early, late = self._rules.too_early_seconds * 1000, self._rules.too_late_seconds * 1000
        wrong = (ahead > early) | (ahead < -late)
        wrong |= (times < 0) | (times >= (LAST_MINUTE + 60) * 1000)
        return np.flatnonzero(wrong).tolist() if wrong.any() else []
