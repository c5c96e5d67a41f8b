"""The consumer's thread: fetches, positions, commits, heartbeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.kafka.clients import aiokafka_config
from pipeline.kafka.group import client_id
from pipeline.process.waits import within
from pipeline.protocol.chunks import Commit, Lease, Offset, Source
from pipeline.protocol.fetched import Fetched
from pipeline.worker.transport import commits
from pipeline.worker.transport.assignor import EvenStickyAssignor
from pipeline.worker.transport.batches import Start
from pipeline.worker.transport.gates import Gate, Gates
from pipeline.worker.transport.raw import Damaged, damaged

if TYPE_CHECKING:
    from pipeline.settings import Settings

T = TypeVar("T")

STREAM_BUFFER_BATCHES = 3
"""What an agent's queue holds: some 20 ms of reading, for each slice keeps all of its partition's
part of a fetch. It counts batches; a large one would buffer a whole backlog."""
MAX_POLL_RECORDS = 4096
"""Records handed on at once: some 10 ms of folding, so that the loop stays responsive."""
MAX_POLL_INTERVAL_SECONDS = 30 * 86_400.0
"""Back-pressure must not cost the membership; liveness follows progress instead."""
HEARTBEAT_MS = 300
"""How often a worker hears of a rebalance: whoever hears first counts nothing until the last."""
FETCH_MIN_BYTES, GATHERED_BYTES = 65_536, 8_192
"""What the broker gathers before it answers: in all, and for each partition that a worker has.

A partition costs the worker the same in each answer, however few records it has there.
"""
LONGEST_FETCH_WAIT_MS = 500
PARTITION_FETCH_BYTES, FETCH_BYTES = 1_048_576, 4 * 1_048_576
"""What one answer has of a partition, and of all of a broker's.

aiokafka has each answer three times over while it takes it apart: with 32 MiB an event cost 2.43 µs
of CPU instead of 2.24 with 8, and with 8 2.18 to 2.35 instead of 1.85 to 2.02 with 4 (in turn, on a
busy machine); a backlog's peak was 299 MiB with 32 instead of 275 with 8.
"""
METADATA_MAX_AGE_MS = 60_000
"""How long it may take until a worker notices that a topic has more partitions."""


def fetch_wait_ms(flush_seconds: float) -> int:
    """How long the broker gathers `fetch_min_bytes`: a quarter of what chunks stay open.

    A fetch costs the worker the same however few records it has, and they wait for their round.
    """
    return min(LONGEST_FETCH_WAIT_MS, max(1, round(flush_seconds * 1000 / 4)))


def fetch_min_bytes(partitions: int) -> int:
    """How much the broker gathers for a worker with so many partitions, if it does not take long.

    It is less than an answer may have of one partition, so that no backlog waits.
    """
    return min(PARTITION_FETCH_BYTES // 2, max(FETCH_MIN_BYTES, partitions * GATHERED_BYTES))


@dataclass(frozen=True, slots=True)
class LogBounds:
    """First and next offset of each partition's log."""

    first: Mapping[Source, int]
    last: Mapping[Source, int]


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka lives: fetches, positions, commits, heartbeats."""

    logger = logging.getLogger("faust.usage")
    app: Any  # pipeline.worker.app.UsageApp

    def __post_init__(self) -> None:
        """Extend Faust's own set-up."""
        super().__post_init__()
        self._gates = Gates()
        self._log_ends: dict[Source, int] = {}

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        # Faust hard-codes read_uncommitted, which counts aborted transactions, and a round-robin
        # assignor, which moves every partition at every join; it resets positions silently.
        settings: Settings = self.app.usage
        self._assignor = EvenStickyAssignor.of(self.app.days)
        session_ms = int(settings.session_timeout_seconds * 1000)
        return AIOKafkaConsumer(
            **aiokafka_config(settings),
            client_id=client_id(settings.group, self.app.raw.kind),
            group_id=settings.group,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=MAX_POLL_RECORDS,
            max_poll_interval_ms=int(MAX_POLL_INTERVAL_SECONDS * 1000),
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            fetch_max_bytes=FETCH_BYTES,
            fetch_min_bytes=FETCH_MIN_BYTES,
            fetch_max_wait_ms=fetch_wait_ms(settings.flush_seconds),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(100, min(HEARTBEAT_MS, session_ms // 5)),
            rebalance_timeout_ms=int(settings.rebalance_timeout_seconds * 1000),
            request_timeout_ms=max(session_ms + 1000, 20_000),
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )

    # Called from the main loop ---------------------------------------------------------------

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine in the consumer's loop, beside a fetch that waits there."""

        async def run() -> T:
            return await make()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self.thread_loop))

    async def open(self, lease: Lease, starts: Mapping[Source, Start]) -> None:
        """Seek the partitions and let them be read; those that are no longer ours stay shut."""

        async def opened() -> None:
            for source, start in starts.items():
                if self._holds(lease, source):
                    self._open(source, start)

        await self.call(opened)

    async def close_gates(self) -> None:
        """Stop reading all partitions."""

        async def closed() -> None:
            self.close_all()

        await self.call(closed)

    async def commit_once(
        self, lease: Lease, offsets: Mapping[Source, Offset], timeout_seconds: float
    ) -> Commit:
        """See `pipeline.worker.transport.commits.commit_once`."""
        return await self.call(
            lambda: commits.commit_once(self._coordinator, lease, offsets, timeout_seconds)
        )

    async def leave_group(self) -> None:
        """See `pipeline.worker.transport.commits.leave_group`."""
        await self.call(lambda: commits.leave_group(self._coordinator))

    async def leave_for_good(self) -> None:
        """See `pipeline.worker.transport.commits.leave_for_good`; nothing, if it never joined."""
        has_joined = self._consumer is not None and self._consumer._coordinator is not None
        if has_joined and not self.should_stop and not self.thread_loop.is_closed():
            await self.call(lambda: commits.leave_for_good(self._coordinator))

    async def rejoin(self) -> None:
        """Ask the group for a new assignment: it begins a generation if we say something new."""

        async def asked() -> None:
            self._coordinator.request_rejoin()

        await self.call(asked)

    async def committed(self, sources: list[Source]) -> dict[Source, Offset]:
        """Return committed offsets with their metadata."""
        return await self.call(lambda: commits.committed(self._coordinator, sources))

    async def with_their_topics(self, sources: Iterable[Source]) -> list[Source]:
        """Return the sources and all other partitions of their topics, whoever has them."""
        consumer, wanted = self._ensure_consumer(), set(sources)

        async def partitions() -> list[Source]:
            for topic in {source.topic for source in wanted}:
                numbers = consumer.partitions_for_topic(topic) or ()
                wanted.update(Source(topic, p) for p in numbers)
            return sorted(wanted)

        return await self.call(partitions)

    async def log_bounds(self, sources: list[Source]) -> LogBounds:
        """Return the logs' first and next offsets."""
        consumer = self._ensure_consumer()
        tps = [TopicPartition(*source) for source in sources]

        async def bounds() -> LogBounds:
            last = await consumer.end_offsets(tps)
            first = await consumer.beginning_offsets(tps)
            return LogBounds(_by_source(first), _by_source(last))

        return await self.call(bounds)

    async def look_at_log_ends(self, sources: list[Source]) -> None:
        """Ask for the logs' readable ends, which only fetches tell otherwise."""
        consumer = self._ensure_consumer()

        async def ends() -> None:
            tps = [TopicPartition(*source) for source in sources]
            self._log_ends |= _by_source(await consumer.end_offsets(tps))

        await self.call(ends)

    def log_end(self, source: Source) -> int | None:
        """Return the log's readable end as we were last told; None before the first time."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        tp = TopicPartition(*source)
        if assignment is None or tp not in assignment.tps:
            return None
        fetched: int | None = assignment.state_value(tp).lso
        asked = self._log_ends.get(source)
        return asked if fetched is None else max(fetched, asked or 0)

    # In the consumer's thread ----------------------------------------------------------------

    @property
    def _coordinator(self) -> Any:
        return self._ensure_consumer()._coordinator

    def lease(self) -> Lease:
        """Return the generation and member as they are now, and the day that it was given."""
        return commits.current_lease(self._coordinator, self.app.days.given)

    def hold_all(self, tps: Iterable[TopicPartition]) -> None:
        """Gate newly assigned partitions: nothing is fetched from wherever Kafka thinks we are."""
        consumer, held = self._ensure_consumer(), list(tps)
        consumer._fetcher._fetch_min_bytes = fetch_min_bytes(len(held))
        assignment = consumer._subscription.subscription.assignment
        self._gates.begin()
        for tp in held:
            assignment.state_value(tp).pause()

    def close_all(self) -> None:
        """Gate everything, until the next assignment."""
        self._gates.shut_all()
        self._log_ends.clear()

    def _holds(self, lease: Lease, source: Source) -> bool:
        coordinator = self._coordinator
        return (
            not self._gates.shut
            and lease.holds(coordinator.generation, coordinator.member_id)
            and TopicPartition(*source) in self._ensure_consumer().assignment()
        )

    def _open(self, source: Source, start: Start) -> None:
        tp = TopicPartition(*source)
        consumer = self._ensure_consumer()
        consumer.seek(tp, start.position)
        consumer._subscription.subscription.assignment.state_value(tp).resume()
        self._gates.open(tp, Gate(start.epoch, start.position))

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's signature
        max_records: int | None = None,
    ) -> Any:
        # Faust's own set of active partitions is not asked: it shrinks and grows with buffers and
        # pauses, and data fetched for a partition outside it is dropped. Gates decide.
        if not self.consumer.flow_active:
            return {}
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        seconds = timeout or 0.0
        if not self._gates.readable:
            await within(self._gates.changed.wait(), seconds)
        elif not self._has_records(consumer._fetcher):
            await within(consumer._fetcher._create_fetch_waiter(), seconds)
        if not self._gates.readable:
            return {}  # an empty set would mean every partition
        try:
            drained = await self.app.raw.drain(consumer._fetcher, self._gates.readable, max_records)
        except OffsetOutOfRangeError as error:
            self._out_of_range(error.args[0])
            return {}
        except NoOffsetForPartitionError:
            return {}  # it was set before the partition was opened
        except CorruptRecordException as error:
            return self._hand_out_damage(damaged(consumer._fetcher, error))
        return self._hand_out(consumer, drained)

    def _has_records(self, fetcher: Any) -> bool:
        return not self._gates.readable.isdisjoint(fetcher._records)

    def _hand_out(
        self, consumer: AIOKafkaConsumer, drained: Mapping[TopicPartition, list[Any]]
    ) -> dict[TP, Fetched]:
        assignment = consumer._subscription.subscription.assignment
        handed: dict[TP, Fetched] = {}
        if assignment is None or not assignment.active:
            return handed
        for tp, gate in self._gates.opened.items():
            end = assignment.state_value(tp)._position
            if end is None or end == gate.position:
                continue
            log = self.app.raw.log(drained.get(tp) or [], gate.position, end)
            handed[TP(*tp)] = Fetched(Source(*tp), gate.epoch, gate.position, end, log)
            gate.position = end
        return handed

    def _hand_out_damage(self, found: Damaged) -> dict[TP, Fetched]:
        # Behind what was handed out before, which is to be counted. Nothing more is: of other
        # partitions, aiokafka may have taken records together with the error, and dropped them.
        gate = self._gates.opened.get(found.tp) if found.tp is not None else None
        self._gates.shut_all()
        if found.tp is None or gate is None:
            raise found.halted
        at = gate.position
        batch = Fetched(Source(*found.tp), gate.epoch, at, at, [], found.halted)
        return {TP(*found.tp): batch}

    def _out_of_range(self, offsets: Mapping[TopicPartition, int]) -> None:
        # Retention has passed our position. aiokafka would go on from the log's first offset
        # without a word; the protocol writes down what is lost.
        self._gates.close(list(offsets))
        self.consumer.loop.call_soon_threadsafe(
            self.app.on_out_of_range, [Source(*tp) for tp in offsets]
        )

    def highwater(self, tp: TP) -> int:
        """Return the log's end as of the last fetch; 0 where it is not known."""
        consumer = self._ensure_consumer()
        if TopicPartition(*tp) not in consumer.assignment():
            return 0
        return consumer.highwater(TopicPartition(*tp)) or 0

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's warnings are about its own acknowledgements."""


def _by_source(offsets: Mapping[TopicPartition, int]) -> dict[Source, int]:
    return {Source(*tp): offset for tp, offset in offsets.items()}
