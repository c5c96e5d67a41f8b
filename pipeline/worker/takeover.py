"""What a worker finds of its partitions when they are assigned, and how it goes on with them.

The reading side of `pipeline.protocol.chunks.plan`: the group's offsets, then the store's intents
and its ledger, then the log's bounds, in that order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import Halted
from pipeline.kafka.topics import EMBEDDED_KEEPS_BYTES, is_embedded
from pipeline.process.logs import place
from pipeline.protocol.chunks import Found, Halt, Lease, Plan, Range, Source, plan
from pipeline.protocol.ledger import found_of

if TYPE_CHECKING:
    from pipeline.protocol.ledger import Ledger
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.transport import ConsumerThread

log = logging.getLogger(__name__)

KAFKA_TIMEOUT_SECONDS = 30.0


class Taken(NamedTuple):
    """One partition, and how to go on with it."""

    source: Source
    incarnation: str
    plan: Plan
    first: int
    """The log's first offset."""


class Takeover:
    """Reads what is found, decides, and writes down what is lost."""

    def __init__(
        self,
        ledger: Ledger,
        flusher: Flusher,
        incarnations: Callable[[Sequence[str]], dict[str, str]],
        rules: str,
        override_rules: bool,
    ) -> None:
        self._ledger = ledger
        self._flusher = flusher
        self._incarnations = incarnations
        self._rules = rules
        self._override_rules = override_rules

    async def take(
        self, batches: ConsumerThread, lease: Lease, sources: Sequence[Source]
    ) -> list[Taken]:
        """Decide for all the partitions; what is lost is written down, then decided again.

        Waits for a store that is away. Raises `Halted` when an operator must decide,
        `AssignmentOver`, and aiokafka's errors, which a retry may heal.
        """
        incarnations = await asyncio.to_thread(
            self._incarnations, sorted({source.topic for source in sources})
        )
        taken: list[Taken] = []
        open_sources = list(sources)
        while open_sources:
            decided = await self._decided(batches, open_sources, incarnations)
            lost = [t for t in decided if t.plan.lost]
            taken += [t for t in decided if not t.plan.lost]
            await self._give_up(lost, lease, batches)
            open_sources = [t.source for t in lost]
        return taken

    async def _decided(
        self, batches: ConsumerThread, sources: Sequence[Source], incarnations: dict[str, str]
    ) -> list[Taken]:
        # In this order: a worker that loses the partition in between must not see its successor's
        # commit without the ledger row that came before it.
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            committed = await batches.committed(list(sources))
        covered = await self._flusher.in_thread(lambda: self._ledger.covered(sources, incarnations))
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            bounds = await batches.log_bounds(list(sources))
        found = {
            source: found_of(
                known, committed.get(source), bounds.first[source], bounds.last[source]
            )
            for source, known in zip(sources, covered, strict=True)
        }
        return self._decide(found, incarnations)

    async def _give_up(self, lost: Sequence[Taken], lease: Lease, batches: ConsumerThread) -> None:
        ranges = [Range(t.source, t.incarnation, *t.plan.lost) for t in lost if t.plan.lost]
        if ranges:
            await self._flusher.give_up(ranges, lease, batches)

    def _decide(
        self, found: Mapping[Source, Found], incarnations: Mapping[str, str]
    ) -> list[Taken]:
        taken, halts = [], []
        for source, what in found.items():
            decided = plan(
                what,
                incarnation=incarnations[source.topic],
                rules=self._rules,
                override_rules=self._override_rules,
            )
            if isinstance(decided, Halt):
                halts.append(f"{source}: {decided.reason}")
            else:
                taken.append(Taken(source, incarnations[source.topic], decided, what.first))
        if halts:
            raise Halted("; ".join(halts))
        _say(taken)
        return taken


def _say(taken: Sequence[Taken]) -> None:
    for one in taken:
        if one.plan.lost:
            where = place(one.source, *one.plan.lost)
            log.error("%s: %s", one.source, _loss(one), extra=where)
        elif one.plan.note:
            where = place(one.source, one.plan.start, one.plan.replay_to)
            log.info("%s: %s", one.source, one.plan.note, extra=where)


def _loss(one: Taken) -> str:
    if not one.plan.lost or not is_embedded(one.incarnation):
        return one.plan.note
    a, b = one.plan.lost
    return (
        f"the embedded broker dropped [{a}, {b}) before they were counted: it keeps the newest "
        f"{EMBEDDED_KEEPS_BYTES >> 20} MiB of a partition, in memory, and its producers were "
        "further ahead than that; send less while no worker runs, or use a real Kafka"
    )
