"""Faust over batches: the consumer hands on what it fetched, partition by partition, unopened.

Faust's cost is per message, so it gets few: one for each fetch of each partition. Positions and the
right to read live here too, in the consumer's thread:

- a partition is *gated* from its assignment until `BatchThread.open` seeks it to where the protocol
  wants it; until then nothing of it is fetched;
- every `Fetched` names the range of positions that it covers and the seek (epoch) it came after, so
  that a batch which was lost or is stale is noticed, whatever dropped it;
- Faust's own offsets, acknowledgements and seeks move nothing.
"""

from __future__ import annotations

from pipeline.transport.batches import BatchScheduler, BatchSchema, Fetched, Start, cut
from pipeline.transport.consumer import BatchConsumer, BatchTransport
from pipeline.transport.past import Past
from pipeline.transport.thread import (
    MAX_POLL_INTERVAL_SECONDS,
    MAX_POLL_RECORDS,
    PARTITION_FETCH_BYTES,
    STREAM_BUFFER_BATCHES,
    BatchThread,
)

__all__ = [
    "MAX_POLL_INTERVAL_SECONDS",
    "MAX_POLL_RECORDS",
    "PARTITION_FETCH_BYTES",
    "STREAM_BUFFER_BATCHES",
    "BatchConsumer",
    "BatchScheduler",
    "BatchSchema",
    "BatchThread",
    "BatchTransport",
    "Fetched",
    "Past",
    "Start",
    "cut",
]
