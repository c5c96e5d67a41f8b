"""Faust's consumer, whose messages are batches."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from pipeline.kafka.clients import aiokafka_config
from pipeline.protocol.fetched import Fetched
from pipeline.worker.transport.thread import ConsumerThread


class RebalanceListener(driver.ConsumerRebalanceListener):
    """Gates partitions in the consumer's thread, before Faust hears of a rebalance."""

    _thread: ConsumerThread

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> Awaitable[None]:
        """Close all gates, then let Faust's handlers settle; the re-join waits for them."""
        self._thread.close_all()
        return super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Hold what is assigned, and keep the lease it was assigned under."""
        held = list(assigned)
        self._thread.hold_all(held)
        lease = self._thread.lease()
        app = self._thread.app
        app.loop.call_soon_threadsafe(app.on_lease, lease)
        await super().on_partitions_assigned(held)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, whose messages are batches."""

    logger = logging.getLogger("faust.usage")
    RebalanceListener = RebalanceListener
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._numbers = itertools.count()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        # Faust drops a message whose offset is behind the last one it saw; seeks go backwards, so
        # a number that only grows stands in for the offset. Ours are in the batch.
        fetched: Fetched = record
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=next(self._numbers),
            timestamp=0.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=fetched,  # type: ignore[arg-type]  # BatchSchema takes it as it is
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Seek nothing: gated partitions wait for the protocol, which seeks them when it opens."""

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: a full queue holds up the fetcher, which is all the back-pressure needed."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing, see `on_buffer_full`."""

    @property
    def batches(self) -> ConsumerThread:
        """The thread, for those who read, seek and commit."""
        return self._thread


class OwnProducer(driver.Producer):
    """Faust's producer, which sends nothing here but connects: as our settings say, TLS and all."""

    logger = logging.getLogger("faust.usage")
    app: Any  # pipeline.worker.app.UsageApp

    def _settings_auth(self) -> Mapping[str, Any]:
        return aiokafka_config(self.app.usage)


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the batched consumer."""

    Consumer = BatchConsumer
    Producer = OwnProducer
