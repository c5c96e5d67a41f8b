"""The reader of a partition: records in, columns and rejections out."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.facts.bulk.path import Common, FastPath, nothing
from pipeline.facts.bulk.times import Instants
from pipeline.facts.exact.decide import Decider, Verdict
from pipeline.facts.in_order import InOrder
from pipeline.facts.interface import CONFLICT, Facts, Log, Reader, Record, origin, parsed, widened
from pipeline.facts.python_facts import PythonFacts, own
from pipeline.facts.repeats.seen import NONE, Alone, Repeated, Seen
from pipeline.facts.repeats.window import Repeats
from pipeline.facts.rules import Rules
from pipeline.facts.types import TYPES

AT_ONCE = 2048
"""Records read together: a pass over few costs some 0.2 ms whatever their number, and many do not
stay in the processor's cache."""


def reader(topic_kind: str, rules: Rules, partition: int = 0) -> Reader:
    """A reader of one partition of a topic, named without its prefix. Raises KeyError."""
    known = TYPES[topic_kind]
    if known.state is not None:
        return InOrder(known, known.state(), rules, partition)
    return PythonReader(topic_kind, rules, partition)


class PythonReader:
    """The reference: the contract in Python."""

    def __init__(self, topic: str, rules: Rules, partition: int) -> None:
        known = TYPES[topic]
        self.head = known.head
        self._decider = Decider(known, rules, partition)
        self._seen = Seen(rules.duplicate_window) if rules.duplicate_window else None
        self._type = known.type
        self._fast = None
        if known.bulk is not None:
            self._fast = FastPath(known.head, known.type, known.bulk, rules)

    def facts(self) -> PythonFacts:
        """See ``Reader``."""
        return PythonFacts(self.head)

    def read(self, log: Log, into: Facts) -> None:
        """See ``Reader``."""
        records, into = parsed(log), own(into)
        for first in range(0, len(records), AT_ONCE):
            self._read_some(records[first : first + AT_ONCE], into)

    def remember(self, log: Log) -> None:
        """See ``Reader``."""
        records = parsed(log)
        if self._seen is None:
            return
        for first in range(0, len(records), AT_ONCE):
            some = records[first : first + AT_ONCE]
            common = self._read_fast(some, _values(some), _arrivals(some), with_columns=False)
            self._repeated(some, common, self._decide(some, common.others))

    def continue_after(self, end: int) -> None:
        """See ``Reader``."""
        if self._seen is not None:
            self._seen.continue_after(end)

    def _read_some(self, records: Sequence[Record], into: PythonFacts) -> None:
        arrivals, values = _arrivals(records), _values(records)
        into.arrival = widened(into.arrival, int(arrivals.min()), int(arrivals.max()))
        into.size_bytes += sum(map(len, values))
        common = self._read_fast(records, values, arrivals, with_columns=True)
        alone = self._decide(records, common.others)
        repeated = self._repeated(records, common, alone)
        if repeated.common.repeated.any():
            common = _without(common, repeated.common, into)
        origins, done = origin(_offsets(records, common.places), 0), 0
        for place in common.others:
            upto = int(np.searchsorted(common.places, place))
            _extend(into, common, origins, done, upto)
            done = upto
            self._add(records[place], alone[place], repeated.alone, into)
        _extend(into, common, origins, done, len(common.tenants))
        common.account(into)  # after the columns: they have the tenants hashed by now

    def _repeated(self, records: Sequence[Record], common: Common, alone: Alone) -> Repeated:
        if self._seen is None:
            return NONE
        return self._seen.repeated(records, common, alone)

    def _decide(self, records: Sequence[Record], places: Sequence[int]) -> Alone:
        found: dict[int, Sequence[Verdict]] = {}
        for place in places:
            record = records[place]
            found[place] = (
                () if record.value is None else self._decider.decide(record, record.value)
            )
        return found

    def _read_fast(
        self,
        records: Sequence[Record],
        values: Sequence[bytes],
        arrivals: Instants,
        *,
        with_columns: bool,
    ) -> Common:
        if self._fast is None:
            return nothing(self.head, len(records))
        try:
            return self._fast.read(records, values, arrivals, with_columns=with_columns)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - our own failure: each is tried alone, most will count
            return nothing(self.head, len(records))

    def _add(
        self,
        record: Record,
        verdicts: Sequence[Verdict],
        repeated: Mapping[int, str],
        into: PythonFacts,
    ) -> None:
        if record.value is None:
            into.skip(record)
        for place, verdict in enumerate(verdicts):
            into.add(record, place, verdict, repeated.get(id(verdict)), self._type)


def _without(common: Common, repeats: Repeats, into: PythonFacts) -> Common:
    """The common records that are no duplicates; what the others come to is added."""
    common.chosen(repeats.repeated & ~repeats.conflicting).drop(into, "")
    common.chosen(repeats.conflicting).drop(into, CONFLICT)
    into.conflicts += int(np.count_nonzero(repeats.conflicting))
    return common.chosen(~repeats.repeated)


def _extend(into: PythonFacts, common: Common, origins: Instants, first: int, end: int) -> None:
    """Add the common rows from ``first`` to before ``end``."""
    into.origins.frombytes(origins[first:end].tobytes())
    pairs: Iterable[tuple[Any, Any]] = zip(into.columns, common.columns, strict=True)
    if first == 0 and end == len(common.tenants):
        for column, new in pairs:
            column.extend(new)
    elif first < end:
        for column, new in pairs:
            column.extend(new[first:end])


def _offsets(records: Sequence[Record], places: Instants) -> Instants:
    """The offsets of the records at these places."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:  # nothing is missing between, as almost always
        return places + first
    offsets: Instants = np.array([record.offset for record in records], np.int64)
    return offsets[places]


def _arrivals(records: Sequence[Record]) -> Instants:
    return np.frombuffer(array("q", [record.timestamp for record in records]), np.int64)


def _values(records: Sequence[Record]) -> list[bytes]:
    """The value of each record; empty for a tombstone."""
    return [record.value or b"" for record in records]
