"""What agents get: one fetch of one partition at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import faust
from faust.types import TP
from faust.types.transports import SchedulingStrategyT


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
