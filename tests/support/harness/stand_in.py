"""A library for the compiled reader, in Python: to it, no record is of the common form.

So the reference decides all of them, and what is tested is the way there and back: fetches cut into
slices, offsets, ids, rows. It stands in where the real one is not built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException

from pipeline.clickhouse.native import encode
from pipeline.facts import Rules
from pipeline.facts.columns import Maps, Numbers, Texts
from pipeline.facts.exact.times import arrival_minute
from pipeline.facts.interface import widened
from pipeline.facts.python_facts import PythonFacts
from pipeline.facts.repeats.identities import identities
from pipeline.facts.repeats.window import Window
from pipeline.facts.sent import rows_of
from pipeline.facts.types import TYPES
from pipeline.kafka.lenient import LenientRecords

CONTRACT = Rules().contract
TOPICS = ("usage.requests", "usage.recipe-actions", "usage.events")
__version__ = "0"


@dataclass(frozen=True)
class Slice:
    """Records that were parsed after all."""

    start: int
    end: int
    parsed: Sequence[Any]

    @property
    def records(self) -> int:
        return len(self.parsed)

    @property
    def most_bytes(self) -> int:
        return sum(len(record.value or b"") for record in self.parsed)


class Fetch:
    """aiokafka's own parser, and slices of what it makes."""

    def __init__(
        self,
        data: bytes,
        position: int,
        aborted: Sequence[tuple[int, int]],
        check_crcs: bool,
        committed_only: bool,
    ) -> None:
        level = READ_COMMITTED if committed_only else READ_UNCOMMITTED
        tp, records = TopicPartition("", 0), LenientRecords(data)
        self._records = PartitionRecords(
            tp, records, aborted, position, None, None, check_crcs, level
        )
        self._records._consumer_record = _as_it_is
        self._damaged = False

    def slice(self, most_records: int, most_bytes: int) -> Slice | None:
        start = self.next_fetch_offset
        taken: list[Any] = []
        try:
            while len(taken) < most_records and self._records._records_iterator is not None:
                taken += [record for record in (next(self._records, None),) if record is not None]
        except CorruptRecordException:
            self._damaged = True
        if self._damaged and not taken:
            raise ValueError("a checksum does not hold")
        return Slice(start, self.next_fetch_offset, taken) if taken else None

    @property
    def next_fetch_offset(self) -> int:
        return int(self._records.next_fetch_offset)


class Chunk:
    """Facts of the reference, filled by hand."""

    def __init__(self, topic: str, rows: int = 0) -> None:
        self.facts = PythonFacts(TYPES[topic].head)
        self._type = TYPES[topic].type

    def count(self, row: tuple[Any, ...], time: int, arrival: int, origin: int) -> None:
        facts = self.facts
        for column, value in zip(facts.columns, row, strict=True):
            column.append(value)
        facts.origins.append(origin)
        facts.counted += 1
        facts.event_time = widened(facts.event_time, time, time)
        facts.outcomes[arrival_minute(arrival), row[1], self._type, "counted", ""] += 1

    def repeat(self, tenant: str, arrival: int, conflict: bool) -> None:
        self.facts.duplicate += 1
        self.facts.conflicts += conflict
        reason = "conflict" if conflict else ""
        outcome = (arrival_minute(arrival), tenant, self._type, "duplicate", reason)
        self.facts.outcomes[outcome] += 1

    def arrived(self, timestamp: int, size: int, tombstone: bool) -> None:
        self.facts.arrival = widened(self.facts.arrival, timestamp, timestamp)
        self.facts.size_bytes += size
        if tombstone:
            self.facts.skipped += 1
            self.facts.outcomes[arrival_minute(timestamp), "", "", "skipped", ""] += 1

    def totals(self) -> tuple[Any, ...]:
        f = self.facts
        numbers = (f.counted, f.duplicate, f.conflicts, f.skipped, f.size_bytes)
        return (*numbers, f.event_time, f.arrival, f.held_bytes)

    def outcomes(self) -> Counter[Any]:
        return self.facts.outcomes

    def minutes(self) -> dict[tuple[int, str], list[int]]:
        return self.facts.minutes()

    def block(self) -> bytes:
        return encode("", self.facts.head.columns, self.facts.columns, None)

    def before(self, seconds: float) -> int:
        return self.facts.before(seconds)

    def inconsistent(self) -> int:
        return self.facts.inconsistent()

    def column(self, number: int) -> tuple[Any, ...]:
        column = self.facts.columns[number]
        if isinstance(column, Numbers):
            return (column.items.tobytes(),)
        if isinstance(column, Texts):
            return column.codes.tobytes(), list(column.numbers)
        assert isinstance(column, Maps)
        keys = column.keys.codes.tobytes(), list(column.keys.numbers)
        return (*keys, column.counts.tobytes(), bytes(column.values), column.sizes.tobytes())

    def origins(self) -> bytes:
        return self.facts.origins.tobytes()

    def __len__(self) -> int:
        return self.facts.counted


class Reader:
    """Gives back each record, but for tombstones."""

    def __init__(self, topic: str, *, duplicate_window: int, **_: int) -> None:
        self._window = Window(duplicate_window) if duplicate_window else None
        self._left: Iterator[Any] = iter(())

    def begin(self, one: Slice, start: int, end: int) -> None:
        self._left = iter([record for record in one.parsed if start <= record.offset < end])

    def step(self, chunk: Chunk | None) -> tuple[Any, ...] | None:
        for record in self._left:
            if chunk is not None:
                chunk.arrived(record.timestamp, len(record.value or b""), record.value is None)
            if record.value is not None:
                headers = [(name.encode(), value) for name, value in record.headers]
                return record.offset, record.timestamp, headers, record.value
        return None

    def seen(self, tenant: str, source: str, id_: str, content: int, offset: int) -> int:
        if self._window is None:
            return 0
        hashes = identities([tenant], [source], [id_])
        contents = np.array([content], np.uint32)
        found = self._window.repeats(hashes, contents, np.array([offset], np.int64))
        return int(found.repeated[0]) + int(found.conflicting[0])

    def continue_after(self, end: int) -> None:
        if self._window is not None:
            self._window.continue_after(end)


def pack(records: Sequence[tuple[int, int, Any, bytes | None]]) -> Slice:
    parsed = [_Packed(*record) for record in records]
    return Slice(parsed[0].offset, parsed[-1].offset + 1, parsed)


def sent(chunks: Sequence[Chunk]) -> tuple[Any, int, bytes]:
    columns, data = rows_of([chunk.facts for chunk in chunks])
    return columns, len(data[0]), encode("", columns, data, None)


def has_old_format(data: bytes) -> bool:
    return data[16] < 2


@dataclass(frozen=True)
class _Packed:
    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


def _as_it_is(_: TopicPartition, record: Any) -> Any:
    return record
