"""One fetch of one partition, as it goes from the consumer to the open chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.protocol.chunks import Source


class Fetched(NamedTuple):
    """One fetch of one partition: its records and the range of positions that it covers."""

    source: Source
    epoch: int
    """The seek that it came after."""
    start: int
    end: int
    """The consumer's position behind it: beyond the last record where the log has holes."""
    records: list[Any]
    """aiokafka's records, in log order; none where there were control records only."""


def cut(fetched: Fetched, most_bytes: int) -> Iterator[Fetched]:
    """Yield it in pieces whose values have so many bytes at most, or are a single record's."""
    records = fetched.records
    sizes = [len(value) if (value := record.value) else 0 for record in records]
    start, first, held = fetched.start, 0, 0
    if sum(sizes) > most_bytes:
        for n, size in enumerate(sizes):
            if n > first and held + size > most_bytes:
                end = records[n].offset
                yield fetched._replace(start=start, end=end, records=records[first:n])
                start, first, held = end, n, 0
            held += size
    yield fetched._replace(start=start, records=records[first:])
