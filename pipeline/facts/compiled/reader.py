"""The compiled reader of a partition, and the reference beside it for what is not common.

The compiled loop stops *at* a record that it does not read with certainty; the reference says what
that comes to, rows and ids are put in, and the loop goes on. So both stand in the log's order by
construction, and only the reference knows why something is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.facts.compiled.facts import CompiledFacts, own
from pipeline.facts.compiled.library import Headers, Library, NativeChunk, bugs_as_errors
from pipeline.facts.event_type import EventType
from pipeline.facts.exact.decide import Counted, Decider
from pipeline.facts.interface import Facts, Log, Raw, Record, Slice, origin
from pipeline.facts.rules import Rules

Unreadable = Callable[[bytes], Sequence[Any]]
"""Makes records of a batch's bytes that the library does not read, as everybody else reads it."""

CONFLICTS = 2
"""What ``seen`` says of an id whose content has changed."""


class CompiledReader:
    """See `interface.Reader`. It reads raw logs, and parsed ones by packing them again."""

    def __init__(
        self,
        library: Library,
        known: EventType,
        rules: Rules,
        partition: int,
        unreadable: Unreadable,
    ) -> None:
        self.head = known.head
        self._library = library
        self._known = known
        self._decider = Decider(known, rules, partition)
        self._has_window = rules.duplicate_window > 0
        self._unreadable = unreadable
        self._rows = 0
        """Of the chunk that was read into last."""
        self._native = library.Reader(
            known.topic,
            too_early_ms=rules.too_early_seconds * 1000,
            too_late_ms=rules.too_late_seconds * 1000,
            max_record_bytes=rules.max_record_bytes,
            max_depth=rules.max_depth,
            max_batch_elements=rules.max_batch_elements,
            task_rule_set=rules.task_rule_set,
            duplicate_window=rules.duplicate_window,
        )

    def facts(self) -> CompiledFacts:
        """See ``Reader``. The next chunk is mostly as large as the last one."""
        return CompiledFacts(self._library, self._known, self._rows)

    @bugs_as_errors()
    def read(self, log: Log, into: Facts) -> None:
        """See ``Reader``."""
        into = own(into)
        for record in self._odd(log, into.chunk):
            self._add(record, into)
        into.refresh()
        self._rows = into.counted

    @bugs_as_errors()
    def remember(self, log: Log) -> None:
        """See ``Reader``."""
        if not self._has_window:
            return
        for record in self._odd(log, None):
            for verdict in self._decider.decide(record, record.value):
                if isinstance(verdict, Counted):
                    self._seen(verdict, record.offset)

    def continue_after(self, end: int) -> None:
        """See ``Reader``."""
        self._native.continue_after(end)

    def _odd(self, log: Log, chunk: NativeChunk | None) -> Iterator[_Odd]:
        """Read on, and yield what the reference must decide, which may do so before it goes on."""
        raw = log if isinstance(log, Raw) else self._packed(log)
        start = raw.start
        for one in raw.slices:
            self._native.begin(one, start, raw.end)
            start = one.end
            while (found := self._step(chunk)) is not None:
                if isinstance(found, bytes):
                    yield from self._of_batch(found, raw, chunk)
                else:
                    offset, timestamp, headers, value = found
                    yield _Odd(offset, timestamp, _texts(headers), value)

    def _step(self, chunk: NativeChunk | None) -> tuple[int, int, Headers, bytes] | bytes | None:
        return self._native.step(chunk)

    def _of_batch(self, batch: bytes, raw: Raw, chunk: NativeChunk | None) -> Iterator[_Odd]:
        at = raw.start
        for record in self._unreadable(batch):
            if not at <= record.offset < raw.end:
                continue  # outside the range, or an offset that was there already
            at = record.offset + 1
            value: bytes | None = record.value
            if chunk is not None:
                chunk.arrived(record.timestamp, len(value or b""), value is None)
            if value is not None:
                yield _Odd(record.offset, record.timestamp, record.headers, value)

    def _packed(self, records: Sequence[Record]) -> Raw:
        if not records:
            return Raw((), 0, 0)
        packed: Slice = self._library.pack(
            [(one.offset, one.timestamp, list(one.headers), one.value) for one in records]
        )
        return Raw((packed,), packed.start, packed.end)

    def _seen(self, verdict: Counted, offset: int) -> int:
        named = (verdict.tenant, verdict.source, verdict.id)
        return self._native.seen(*named, verdict.content, offset)

    def _add(self, record: _Odd, into: CompiledFacts) -> None:
        arrival = record.timestamp
        for place, verdict in enumerate(self._decider.decide(record, record.value)):
            if not isinstance(verdict, Counted):
                into.reject(verdict)
            elif found := self._seen(verdict, record.offset):
                into.chunk.repeat(verdict.tenant, arrival, found == CONFLICTS)
            else:
                where = origin(record.offset, place)
                into.chunk.count(verdict.row, verdict.time, arrival, where)


class _Odd(NamedTuple):
    """A record that is not of the common form."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes


def _texts(headers: Headers) -> list[tuple[str, Any]]:
    """Return them with names of text, as `pipeline.kafka.lenient` has them."""
    return [(name.decode("utf-8", "backslashreplace"), value) for name, value in headers]
