"""The Faust app: ordinary in every way but its transport, its agents' batches and its commits."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import faust
from faust.types import TP

from pipeline.facts.types import TYPES
from pipeline.protocol.chunks import Lease, Source
from pipeline.protocol.fetched import Fetched
from pipeline.worker.transport import (
    MAX_POLL_INTERVAL_SECONDS,
    MAX_POLL_RECORDS,
    STREAM_BUFFER_BATCHES,
    BatchScheduler,
    BatchSchema,
    BatchTransport,
    Days,
    RawFetches,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings import Settings
    from pipeline.worker.transport import BatchConsumer, ConsumerThread
    from pipeline.worker.work import Work


class Step(Protocol):
    """What an agent does with one batch."""

    __name__: str

    def __call__(self, batch: Fetched) -> Awaitable[None]:
        """Take a fetch, to its end."""


class UsageApp(faust.App):
    """Reads source topics in batches and hands rebalances on to `pipeline.worker.work.Work`."""

    logger = logging.getLogger("faust.usage")  # its services' comings and goings are Faust's
    work: Work

    def __init__(
        self,
        usage: Settings,
        fail: Callable[[BaseException], None],
        raw: RawFetches | None = None,
    ) -> None:
        self.usage = usage
        self.raw = raw or RawFetches()
        self._fail = fail
        self._lease = Lease(-1, "")
        self.days = Days()
        """What this worker knows and was told of the day that blocks are made under."""
        super().__init__(
            usage.group,
            broker=[f"kafka://{broker.strip()}" for broker in usage.kafka.split(",")],
            ConsumerScheduler=BatchScheduler,
            broker_max_poll_records=MAX_POLL_RECORDS,
            broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
            broker_session_timeout=usage.session_timeout_seconds,
            stream_buffer_maxsize=STREAM_BUFFER_BATCHES,
            stream_wait_empty=False,
            stream_publish_on_commit=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            store="memory://",
            web_enabled=False,
            autodiscover=False,
        )

    def source(self, topic: str) -> Any:
        """Return the channel of a source topic's batches; ``topic`` is without its prefix.

        Its acknowledgements are off: with one acknowledging channel on a topic, Faust would commit
        offsets of its own for it.
        """
        return self.topic(self.usage.topic(topic), schema=BatchSchema(), acks=False)

    def reads(self, topic: str) -> Callable[[Step], Step]:
        """Make an agent of a function that takes one batch of a topic, named without prefix."""

        def registered(step: Step) -> Step:
            @self.agent(self.source(topic), name=step.__name__)
            async def agent(batches: Any) -> None:
                async for batch in batches:
                    await self.work.run(batch, step)

            return step

        return registered

    def register_agents(self) -> list[str]:
        """Load each type's agent; returns the full names of the topics that they read."""
        for one in TYPES.values():
            importlib.import_module(f"agents.{one.name}").register(self)
        return sorted(t for agent in self.agents.values() for t in agent.channel.topics)

    @property
    def batches(self) -> ConsumerThread:
        """The consumer's thread."""
        return cast("BatchConsumer", self.consumer).batches

    def _create_directories(self) -> None:
        """Make none: nothing of ours is kept in files, and the working folder may be read-only."""

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker_consumer, self)

    # Rebalances ------------------------------------------------------------------------------

    def on_lease(self, lease: Lease) -> None:
        """Keep the generation and member of the assignment that comes next."""
        self._lease = lease

    def on_out_of_range(self, sources: Sequence[Source]) -> None:
        """Hear that retention has passed our position."""
        self.work.on_out_of_range(sources)

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super()._on_partitions_revoked(revoked)
        await self.work.on_revoked()

    async def _on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super()._on_partitions_assigned(assigned, generation_id)
        if self.should_stop:
            return
        thread = self.batches
        counts = [thread.topic_partitions(topic) for topic in {tp.topic for tp in assigned}]
        self.work.group_partitions = max(1, sum(n or 0 for n in counts))
        await self.work.on_assigned(self._lease, sorted(Source(*tp) for tp in assigned))

    async def leave_group(self) -> None:
        """Leave Kafka's group, which Faust does late in its stop: others go on meanwhile."""
        if self._consumer is not None:
            await self.batches.leave_for_good()

    async def crash(self, reason: BaseException) -> None:
        """End the worker: whatever crashes a service of Faust's, nothing goes on half-way."""
        self._fail(reason)
        await super().crash(reason)
