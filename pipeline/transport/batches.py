"""What agents get: one fetch of one partition at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import faust
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

from pipeline.chunks import Source


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


class Start(NamedTuple):
    """Where to open a partition. Batches that were fetched before have an older epoch."""

    epoch: int
    position: int


class BatchScheduler(SchedulingStrategyT):
    """Faust's ``ConsumerScheduler``: one element per partition and fetch."""

    @classmethod
    def map_from_records(cls, records: Mapping[TP, Any]) -> dict[str, Any]:
        """Not used: there is nothing to interleave."""
        raise NotImplementedError

    def iterate(self, records: Mapping[TP, Any]) -> Iterator[tuple[TP, Any]]:
        """Yield each partition's batch."""
        yield from records.items()


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a batch to the agent as it is; the fold decodes it."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Batches have no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the `Fetched`."""
        return message.value
