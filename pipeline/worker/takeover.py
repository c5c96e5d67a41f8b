"""What a worker finds of its partitions when they are assigned, and how it goes on with them.

The reading side of `pipeline.protocol.groups.decide`: the group's offsets, then the store's intents
and its ledger, then the logs' bounds, in that order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.errors import Halted
from pipeline.kafka.topics import EMBEDDED_KEEPS_BYTES, is_embedded
from pipeline.process.logs import place
from pipeline.protocol.chunks import Found, Halt, Lease, Plan, Range, Source
from pipeline.protocol.groups import Lose, Replay, Wait, decide, partners
from pipeline.protocol.ledger import found_of
from pipeline.protocol.lineage import Change, Lineage, lineage
from pipeline.protocol.sealed import Announced
from pipeline.worker.replay import CutMeanwhile

if TYPE_CHECKING:
    from pipeline.protocol.ledger import Ledger
    from pipeline.protocol.partition import Chunk, Partition
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.replay import Replayer
    from pipeline.worker.transport import ConsumerThread

log = logging.getLogger(__name__)

KAFKA_TIMEOUT_SECONDS = 30.0

Changes = Mapping[str, Collection[Change]]
"""How each topic has grown."""


class Taken(NamedTuple):
    """One partition, and how to go on with it."""

    source: Source
    incarnation: str
    plan: Plan
    first: int
    """The log's first offset."""
    lineage: Lineage = ()
    """What stands before the log."""


class Replayed(Protocol):
    """Is told of a group that was replayed."""

    def __call__(self, partitions: Sequence[Partition], chunks: Sequence[Chunk]) -> None:
        """Take note of its partitions, which stand behind it, and of what was counted."""


class _Decided(NamedTuple):
    taken: list[Taken]
    lost: list[Announced]
    replays: list[tuple[Source, Replay]]
    waiting: list[tuple[Source, Wait]]


class Takeover:
    """Reads what is found, decides, writes down what is lost and replays what is open."""

    def __init__(
        self,
        ledger: Ledger,
        flusher: Flusher,
        replayer: Replayer,
        incarnations: Callable[[Sequence[str]], dict[str, str]],
        changes: Callable[[Mapping[str, str], Collection[Source]], Changes],
        rules: str,
        override_rules: bool,
    ) -> None:
        self._ledger = ledger
        self._flusher = flusher
        self._replayer = replayer
        self._incarnations = incarnations
        self._changes = changes
        self._rules = rules
        self._override_rules = override_rules
        self._said_waiting: set[Source] = set()

    async def take(
        self,
        batches: ConsumerThread,
        lease: Lease,
        sources: Sequence[Source],
        replayed: Replayed,
        progressed: Callable[[], None],
    ) -> tuple[list[Taken], list[Source]]:
        """Decide for all the partitions; returns how to go on, and those that have to wait.

        What is lost is written down, then what is open replayed, then decided again. Waits for a
        store that is away. Raises `Halted` when an operator must decide, `AssignmentOver`, and
        aiokafka's errors, which a retry may heal. `progressed` is called while groups are read.
        """
        incarnations = await asyncio.to_thread(
            self._incarnations, sorted({source.topic for source in sources})
        )
        taken: list[Taken] = []
        left = list(sources)
        while left:
            found = await self._found(batches, left, incarnations)
            # Behind that: of a partition that has anything by then, its making is known by now.
            changes = await asyncio.to_thread(self._changes, incarnations, found)
            decided = self._decide(left, found, incarnations, changes)
            taken += decided.taken
            await self._catch_up(decided.taken, found, lease, batches)
            done = {one.source for one in decided.taken}
            left = [source for source in left if source not in done]
            if decided.lost:
                await self._flusher.give_up(decided.lost, lease, batches)
            elif decided.replays:
                for source, replay in decided.replays:
                    firsts = {p: found[Source(source.topic, p)].first for p, _, _ in replay.left}
                    log_ = source.topic, incarnations[source.topic]
                    of_topic = firsts, changes.get(source.topic, ())
                    told = replayed, progressed
                    await self._replay(replay, *log_, *of_topic, left, lease, batches, *told)
            else:
                self._say_waiting(decided.waiting)
                break
        return taken, left

    async def _catch_up(
        self,
        taken: Sequence[Taken],
        found: Mapping[Source, Found],
        lease: Lease,
        batches: ConsumerThread,
    ) -> None:
        """Commit where others have counted to: an idle partition's offset would stay behind."""
        behind = [
            Range(one.source, one.incarnation, one.plan.start, one.plan.start)
            for one in taken
            if (end := found[one.source].covered) is not None
            and (found[one.source].committed or 0) < end == one.plan.start
        ]
        if behind:
            await self._flusher.catch_up(behind, lease, batches)

    async def _replay(
        self,
        replay: Replay,
        topic: str,
        incarnation: str,
        firsts: Mapping[int, int],
        changes: Collection[Change],
        mine: Sequence[Source],
        lease: Lease,
        batches: ConsumerThread,
        replayed: Replayed,
        progressed: Callable[[], None],
    ) -> None:
        try:
            partitions, chunks = await self._replayer.run(
                replay, topic, incarnation, firsts, changes, mine, lease, batches, progressed
            )
        except CutMeanwhile as error:
            log.warning("%s; looking again", error)
            return
        replayed([p for p in partitions if p.source in mine], chunks)

    async def _found(
        self, batches: ConsumerThread, sources: Sequence[Source], incarnations: dict[str, str]
    ) -> dict[Source, Found]:
        """Read what there is of the partitions, and of all that are announced with one of them."""
        # In this order: a worker that loses the partition in between must not see its successor's
        # commit without the ledger row that came before it.
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            everything = await batches.with_their_topics(sources)
            committed = await batches.committed(everything)
        intents = await self._flusher.in_thread(
            lambda: self._ledger.intents(everything, incarnations)
        )
        named = partners(sources, committed, intents, incarnations)
        covered = await self._flusher.in_thread(
            lambda: self._ledger.covered(named, intents, incarnations)
        )
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            bounds = await batches.log_bounds(named)
        return {
            source: found_of(
                known, committed.get(source), bounds.first[source], bounds.last[source]
            )
            for source, known in zip(named, covered, strict=True)
        }

    def _decide(
        self,
        sources: Sequence[Source],
        found: Mapping[Source, Found],
        incarnations: Mapping[str, str],
        changes: Changes,
    ) -> _Decided:
        decided, halts = _Decided([], [], [], []), []
        for source in sources:
            incarnation = incarnations[source.topic]
            one = decide(
                source,
                {s.partition: what for s, what in found.items() if s.topic == source.topic},
                incarnation=incarnation,
                rules=self._rules,
                override_rules=self._override_rules,
            )
            if isinstance(one, Halt):
                halts.append(f"{source}: {one.reason}")
            elif isinstance(one, Plan):
                _say(source, one)
                before = lineage(changes.get(source.topic, ()), source.partition)
                decided.taken.append(Taken(source, incarnation, one, found[source].first, before))
            elif isinstance(one, Lose):
                range_ = Range(source, incarnation, one.a, one.b)
                log.error("%s: %s", source, _loss(range_, one.note), extra=_place(range_))
                members = one.members if len(one.members) > 1 else ()
                decided.lost.append(Announced(range_, members, one.late_before))
            elif isinstance(one, Replay):
                decided.replays.append((source, one))
            else:
                decided.waiting.append((source, one))
        if halts:
            raise Halted("; ".join(halts))
        return decided

    def _say_waiting(self, waiting: Sequence[tuple[Source, Wait]]) -> None:
        for source, wait in waiting:
            if source not in self._said_waiting:
                log.info(
                    "%s waits: its open chunk belongs to a group, and the worker of partition %d "
                    "has to replay it",
                    *(source, wait.partition),
                )
        self._said_waiting = {source for source, _ in waiting}


def _say(source: Source, plan: Plan) -> None:
    if plan.note:
        log.info("%s: %s", source, plan.note, extra=place(source, plan.start, plan.replay_to))


def _place(range_: Range) -> dict[str, object]:
    return place(range_.source, range_.a, range_.b)


def _loss(range_: Range, note: str) -> str:
    if not is_embedded(range_.incarnation):
        return note
    return (
        f"the embedded broker dropped [{range_.a}, {range_.b}) before they were counted: it keeps "
        f"the newest {EMBEDDED_KEEPS_BYTES >> 20} MiB of a partition, in memory, and its producers "
        "were further ahead than that; send less while no worker runs, or use a real Kafka"
    )
