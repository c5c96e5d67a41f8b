"""Faust over batches: the consumer hands on what it fetched, partition by partition, unopened.

Faust's cost is per message, so it gets few: one for each fetch of each partition. Positions and the
right to read live here too, in the consumer's thread:

- a partition is *gated* from its assignment until `ConsumerThread.open` seeks it to where the
  protocol wants it; until then nothing of it is fetched;
- every `Fetched` names the range of positions that it covers and the seek (epoch) it came after, so
  that a batch which was lost or is stale is noticed, whatever dropped it;
- Faust's own offsets, acknowledgements and seeks move nothing.
"""

from __future__ import annotations

from pipeline.worker.transport.assignor import Days
from pipeline.worker.transport.batches import BatchScheduler, BatchSchema, Start
from pipeline.worker.transport.consumer import BatchConsumer, BatchTransport
from pipeline.worker.transport.past import Past
from pipeline.worker.transport.raw import RawFetches
from pipeline.worker.transport.thread import (
    MAX_POLL_INTERVAL_SECONDS,
    MAX_POLL_RECORDS,
    PARTITION_FETCH_BYTES,
    STREAM_BUFFER_BATCHES,
    ConsumerThread,
)

__all__ = [
    "MAX_POLL_INTERVAL_SECONDS",
    "MAX_POLL_RECORDS",
    "PARTITION_FETCH_BYTES",
    "STREAM_BUFFER_BATCHES",
    "BatchConsumer",
    "BatchScheduler",
    "BatchSchema",
    "BatchTransport",
    "ConsumerThread",
    "Days",
    "Past",
    "RawFetches",
    "Start",
]
