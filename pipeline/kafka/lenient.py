r"""Batches that aiokafka's parser gives up on, read all the same: what Kafka took, somebody must.

Kafka checks a batch's checksum and the lengths in it, and no more. aiokafka decodes header names as
strict UTF-8, and raises in the middle of a fetch where one is not: the consumer ends, each restart
meets the batch again, and nothing of any partition is counted. Here such a batch is read again by
the format's own letter, with whatever is not UTF-8 in a name written as ``\xff``; and a batch that
cannot be read at all becomes so many records that are not JSON, hence rejected as ``malformed``.

A pure function of the batch's bytes, so that whoever reads it again sees the same.
Source: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

log = logging.getLogger(__name__)

_OVERHEAD = 12
"""Of a batch: its base offset (8 bytes) and its length (4), which does not count them."""


class ParsedRecord(NamedTuple):
    """A record as readers want it, and as aiokafka's own is."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None
    """aiokafka asks for one where it makes a copy of the record."""


class LenientRecords:
    """aiokafka's ``MemoryRecords``, whose batches can all be read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._position = 0
        self._batches = MemoryRecords(data)
        self.has_next = self._batches.has_next
        self.size_in_bytes = self._batches.size_in_bytes

    def next_batch(self) -> LenientBatch:
        """Return the next batch."""
        start = self._position
        length = int.from_bytes(self.data[start + 8 : start + _OVERHEAD], "big")
        self._position = start + _OVERHEAD + length
        return LenientBatch(self._batches.next_batch(), self.data, start, self._position)


class LenientBatch:
    """One of aiokafka's batches; iterating never fails for what it holds."""

    __slots__ = ("_batch", "_data", "_end", "_start")

    def __init__(self, batch: Any, data: bytes, start: int, end: int) -> None:
        self._batch = batch
        self._data, self._start, self._end = data, start, end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return a control batch's first record."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the records, all of which are parsed at once, in C."""
        try:
            return iter(list(self._batch))
        except (MemoryError, UnsupportedCodecError):
            raise  # of this machine's making, not the batch's
        except Exception as error:  # noqa: BLE001  # whatever the parser meets in it
            return iter(records_of(self._data[self._start : self._end], error))


def records_of(batch: bytes, error: Exception) -> list[ParsedRecord]:
    """Read a batch (magic 2) for which aiokafka's parser has raised `error`."""
    own = _DefaultRecordBatchPy(batch)
    try:
        return _parsed(own)
    except (MemoryError, UnsupportedCodecError):
        raise
    except Exception:  # noqa: BLE001  # it cannot be read, by anybody
        log.warning("a batch at offset %d cannot be read: %r", own.base_offset, error)
        return _unreadable(own, batch)


def _parsed(batch: _DefaultRecordBatchPy) -> list[ParsedRecord]:
    count = batch._num_records
    batch._maybe_uncompress()
    data, position = batch._buffer, batch._pos
    records = []
    for _ in range(count):
        record, position = _record(batch, data, position)
        records.append(record)
    if position != len(data):
        raise ValueError(f"{len(data) - position} bytes behind the last record")
    return records


def _record(
    batch: _DefaultRecordBatchPy, data: bytearray, position: int
) -> tuple[ParsedRecord, int]:
    length, position = decode_varint(data, position)
    end = position + length
    position += 1  # attributes
    timestamp_delta, position = decode_varint(data, position)
    offset_delta, position = decode_varint(data, position)
    key, position = _bytes(data, position)
    value, position = _bytes(data, position)
    count, position = decode_varint(data, position)
    headers = []
    for _ in range(count):
        name, position = _bytes(data, position)
        content, position = _bytes(data, position)
        headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
    if position != end:
        raise ValueError(f"a record of {length} bytes ends {position - end} bytes behind its end")
    appended = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if appended else batch.first_timestamp + timestamp_delta
    offset = batch.base_offset + offset_delta
    return ParsedRecord(offset, timestamp, batch.timestamp_type, key, value, headers), position


def _bytes(data: bytearray, position: int) -> tuple[bytes | None, int]:
    length, position = decode_varint(data, position)
    if length < 0:
        return None, position
    end = position + length
    if end > len(data):
        raise ValueError(f"{length} bytes at {position} of {len(data)}")
    return bytes(data[position:end]), end


def _unreadable(batch: _DefaultRecordBatchPy, data: bytes) -> list[ParsedRecord]:
    """As many records as it says, at its first offsets: the batch's bytes, and nothing more."""
    count = min(max(1, batch._num_records), batch.last_offset_delta + 1)
    values = [data, *[b""] * (count - 1)]
    return [
        ParsedRecord(batch.base_offset + n, batch.max_timestamp, 0, None, value, [])
        for n, value in enumerate(values)
    ]


def read_leniently() -> None:
    """Have every fetcher of this process read batches so."""
    fetcher.MemoryRecords = LenientRecords


def opened(batch: bytes) -> list[Any]:
    """Return the records of one batch (magic 2), as every consumer of this process reads them."""
    return list(LenientRecords(batch).next_batch())
