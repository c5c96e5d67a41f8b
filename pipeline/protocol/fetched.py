"""One fetch of one partition, as it goes from the consumer to the open chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.errors import Halted
from pipeline.facts import Log, Raw, Record
from pipeline.protocol.chunks import Source

LITTLE_RECORDS, LITTLE_BYTES = 64, 8192
"""Some 0.1 ms of reading."""
LITTLE_UNPACKED = 255 * LITTLE_BYTES
"""What batches may come to that are not unpacked yet: as much as so little of lz4 can hide."""


class Fetched(NamedTuple):
    """One fetch of one partition: its records and the range of positions that it covers."""

    source: Source
    epoch: int
    """The seek that it came after."""
    start: int
    end: int
    """The consumer's position behind it: beyond the last record where the log has holes."""
    log: Log
    """aiokafka's records, in log order; none where there were control records only. Raw batches
    for a reader that opens them itself."""
    damage: Halted | None = None
    """Why nothing can come behind it: the next batch of the log is damaged."""


def cut(fetched: Fetched, most_bytes: int) -> Iterator[Fetched]:
    """Yield it in pieces whose values have so many bytes at most, or are a single record's.

    Raw batches are in pieces already, as they were fetched (`pipeline.worker.transport.raw`).
    """
    log = fetched.log
    pieces = _slices(log) if isinstance(log, Raw) else _records(log, fetched.end, most_bytes)
    start = fetched.start
    for end, piece in pieces:
        yield fetched._replace(start=start, end=end, log=piece)
        start = end


def before(log: Log, offset: int) -> Log:
    """Return what of it lies before an offset."""
    if isinstance(log, Raw):
        return log._replace(
            slices=[one for one in log.slices if one.start < offset], end=min(log.end, offset)
        )
    return [record for record in log if record.offset < offset]


def since(log: Log, offset: int) -> Log:
    """Return what of it lies at an offset or behind it."""
    if isinstance(log, Raw):
        return log._replace(
            slices=[one for one in log.slices if one.end > offset], start=max(log.start, offset)
        )
    return [record for record in log if record.offset >= offset]


def records_of(log: Log) -> int:
    """Return how many records it has; of raw batches at most, for there may be holes."""
    if isinstance(log, Raw):
        return min(sum(one.records for one in log.slices), log.end - log.start)
    return len(log)


def is_little(fetched: Fetched) -> bool:
    """Say whether it is read in no time: a few records, of few bytes."""
    log = fetched.log
    if records_of(log) > LITTLE_RECORDS:
        return False
    if isinstance(log, Raw):
        return sum(one.most_bytes for one in log.slices) <= LITTLE_UNPACKED
    return sum(len(record.value or b"") for record in log) <= LITTLE_BYTES


def _records(
    records: Sequence[Record], end: int, most_bytes: int
) -> Iterator[tuple[int, Sequence[Record]]]:
    """Yield pieces, and where each ends."""
    sizes = [len(value) if (value := record.value) else 0 for record in records]
    first, held = 0, 0
    if sum(sizes) > most_bytes:
        for n, size in enumerate(sizes):
            if n > first and held + size > most_bytes:
                yield records[n].offset, records[first:n]
                first, held = n, 0
            held += size
    yield end, records[first:]


def _slices(raw: Raw) -> Iterator[tuple[int, Raw]]:
    start = raw.start
    for n, one in enumerate(raw.slices, 1):
        end = raw.end if n == len(raw.slices) else one.end
        yield end, Raw([one], start, end)
        start = end
    if not raw.slices:
        yield raw.end, raw
