"""What a worker does: takes up assigned partitions, folds their batches, flushes their chunks.

Everything here runs in Faust's event loop. Kafka is reached through the consumer's thread
(`pipeline.worker.transport`), the store through the flusher's threads (`pipeline.worker.flusher`),
and records are read by `pipeline.worker.folding`, in a thread if they are many: what looks at open
chunks, or at where partitions stand, does so between two folds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from aiokafka.errors import IllegalStateError, KafkaError

from pipeline.errors import BrokerError, Halted
from pipeline.process.logs import place
from pipeline.process.waits import cancelled, now, within
from pipeline.protocol.chunks import Lease, Range, Source
from pipeline.protocol.fetched import cut, is_little
from pipeline.protocol.partition import Chunk, Discontinuity, Partition
from pipeline.protocol.sealed import parts
from pipeline.worker.flusher import AssignmentOver, GroupLost
from pipeline.worker.live import KEPT_MINUTES
from pipeline.worker.pressure import Do, Holding, Pressure
from pipeline.worker.rounds import Rounds
from pipeline.worker.telemetry.state import Standing
from pipeline.worker.transport import Start

if TYPE_CHECKING:
    from pipeline.facts import Reader
    from pipeline.protocol.fetched import Fetched
    from pipeline.protocol.ledger import Ledger
    from pipeline.protocol.partition import Reads
    from pipeline.settings import Settings
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.folding import Folding
    from pipeline.worker.live import LiveThread
    from pipeline.worker.rebuild import Rebuild
    from pipeline.worker.takeover import Taken, Takeover
    from pipeline.worker.telemetry.instruments import Instruments
    from pipeline.worker.transport import ConsumerThread

log = logging.getLogger(__name__)

TAKEOVER_RETRY_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 0.5
"""How often a partition that waits for another worker looks whether it may go on."""
LOG_ENDS_SECONDS = 5.0
"""How often a worker that is full asks Kafka how far it is behind."""
PIECE_BYTES = 2 << 20
"""What is folded at once, of the records' values: at some 100 bytes for the smallest event of a
batch, 20,000 events, by which a chunk may pass its bound (`clickhouse.client.MAX_ROWS`)."""
LIVE_SECONDS = (KEPT_MINUTES + 1) * 60
"""How much of the past the live windows need."""


Under = Callable[["ConsumerThread", Lease], Awaitable[Lease]]
"""Says which lease partitions are taken up under (`pipeline.worker.settling`); raises aiokafka's
errors."""


async def as_given(_: ConsumerThread, lease: Lease) -> Lease:
    """Take it as it was given."""
    return lease


class Work:
    """One worker's partitions, from assignment to revocation."""

    def __init__(
        self,
        settings: Settings,
        flusher: Flusher,
        takeover: Takeover,
        rebuild: Rebuild,
        folding: Folding,
        ledger: Ledger,
        live: LiveThread,
        instruments: Instruments,
        new_reader: Callable[[Source], Reader],
        batches: Callable[[], ConsumerThread],
        fail: Callable[[BaseException], None],
        under: Under = as_given,
    ) -> None:
        self._settings = settings
        self._pressure = Pressure.of(settings)
        self._holding = Holding(lambda: (partition.held for partition in self.partitions.values()))
        self._flusher = flusher
        self._takeover = takeover
        self._rebuild = rebuild
        self.folding = folding
        """Whose turn it is to look at what partitions hold."""
        self._ledger = ledger
        self._live = live
        self._instruments = instruments
        self._new_reader = new_reader
        self._consumer = batches
        self._fail = fail
        self._under = under
        self.partitions: dict[Source, Partition] = {}
        self.group_partitions = 1
        """Topic-partitions of the whole group, which bounds its inserts per second."""
        self._lease: Lease | None = None
        """What to commit under; None from revocation until partitions are taken up."""
        self.given: Lease | None = None
        """As it was given out, and as long as it holds."""
        self._has_waited = False
        """Whether something of what is held waited to be taken up: its round is not put off."""
        self._epochs = itertools.count(1)
        self._taking_up: set[asyncio.Task[None]] = set()
        self._flushing: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._round_seconds = 0.0
        """How long the round that runs may take."""
        self.standing = Standing()

    # From Faust ------------------------------------------------------------------------------

    async def on_assigned(self, lease: Lease, sources: Sequence[Source]) -> None:
        """Begin to take up what is assigned; returns at once, for the group waits for it."""
        self._instruments.rebalanced({source.topic for source in sources})
        self.given = lease
        self.standing.assigned, self.standing.assigned_at = len(sources), now()
        self.standing.unassigned_at = None
        self.partitions = {s: p for s, p in self.partitions.items() if s in set(sources)}
        self._holding.forget()
        self._live.keep(self.partitions)
        self._begin(partial(self._take_up, lease, sources))

    async def on_revoked(self) -> None:
        """Settle or abandon what is under way; the re-join waits for it.

        Open chunks stay: where a partition comes back and nobody went on with it meanwhile, so
        does its chunk.
        """
        self._lease = self.given = None
        self.standing.reading = False
        self.standing.assigned_at, self.standing.unassigned_at = None, now()
        await cancelled(self._taking_up)
        self._room.set()
        await self._settle(self._settings.settle_seconds)
        if self._flusher.commit_is_out:
            await self._leave_group("a commit was given up before its answer")
        await self.folding.between(self._drop_under_way)

    def on_out_of_range(self, sources: Sequence[Source]) -> None:
        """Take up partitions again whose next records retention has deleted."""
        lease = self._lease
        if lease is not None:
            self._begin(partial(self._take_up_behind_loss, lease, sources))

    async def run(self, batch: Fetched, agent: Callable[[Fetched], Awaitable[None]]) -> None:
        """Let an agent take a batch.

        What goes wrong ends the worker: Faust would log it and go on behind the batch.
        """
        if batch.damage is not None:
            if batch.source in self.partitions:
                self._fail(batch.damage)  # what came before it is in the open chunk, and counted
            return
        partition = self.partitions.get(batch.source)
        try:
            await agent(batch)
        except Discontinuity as error:
            await self._read_again(partition, error)
        except Exception as error:  # noqa: BLE001  # whatever it is
            # What is left of the batch in the open chunk must not be counted on the way out.
            if partition is not None and self._has(partition):
                del self.partitions[batch.source]
            self._fail(error)

    async def pieces(self, batch: Fetched) -> AsyncIterator[tuple[Partition, Fetched]]:
        """Yield the batch's partition with each piece of it, when there is room for the piece.

        Waits while the worker holds as much as it may; yields no more of a partition that is
        another's by then. A chunk that has become large is flushed at once.
        """
        partition = self.partitions.get(batch.source)
        if partition is None:
            return
        for piece in cut(batch, PIECE_BYTES):
            await self._wait_for_room(partition)
            if self.partitions.get(batch.source) is not partition:
                return
            if self._pressure.may_not_grow(partition.open):
                return  # the assignment is over, whoever has the next one reads it again
            yield partition, piece
            if self._on(partition) is not Do.GO:
                self._due.set()

    async def fold(self, partition: Partition, piece: Fetched) -> None:
        """Fold a piece into the partition's open chunk, unless it is another's by now.

        Returns, or is cancelled, when nothing is read into the chunk any more. Raises
        `Discontinuity`, and what the reader raises.
        """

        def adding() -> Reads[None]:
            if self._has(partition):
                before, forgotten = partition.held, self._holding.forgotten
                yield from partition.adding(piece)
                self._holding.grew(before, partition.held, forgotten)

        await self.folding.run(adding(), at_once=is_little(piece))

    def _has(self, partition: Partition) -> bool:
        """Say whether it is what this worker has of that partition: it may be taken up again."""
        return self.partitions.get(partition.source) is partition

    async def _read_again(self, partition: Partition | None, why: Discontinuity) -> None:
        await asyncio.sleep(0)  # whoever was cancelled meanwhile ends here, and opens nothing
        if partition is not None and self._has(partition):
            place_ = place(partition.source, partition.position)
            log.info("%s; reading it again", why, extra=place_)
            await self._open([partition])

    # Tasks -----------------------------------------------------------------------------------

    async def flush_forever(self) -> None:
        """Seal and flush: all partitions at each round, large chunks at once."""
        clock = asyncio.get_running_loop().time
        rounds = Rounds(self._settings.flush_seconds, clock())
        self._round_runs(rounds)
        while True:
            await within(self._due.wait(), rounds.seconds_left(clock()))
            self._due.clear()
            self._holding.forget()
            is_little = self._pressure.is_little(self._holding.total) and not self._has_waited
            is_due = rounds.is_due(clock(), is_little=is_little)
            everything = is_due or self._pressure.is_full(self._holding.total)
            chunks = await self._sealed(everything)
            if self.standing.stopping:
                return  # whoever stops flushes them, and no chunk is flushed twice at once
            if chunks:
                self._room.set()  # in those that begin now
            if everything:
                rounds.ended(clock(), self._inserts(chunks), self._inserts_per_second)
                self._has_waited = self._has_waited and not chunks
            await self._flush_once(chunks)
            self._note_idleness()
            self._round_runs(rounds)

    async def stop(self, within_seconds: float) -> None:
        """Stop reading, count what is held, and leave nothing open if there is time."""
        self.standing.stopping = True
        await cancelled(self._taking_up)
        if self.partitions:
            await self._consumer().close_gates()
        deadline = now() + within_seconds
        await self._settle(within_seconds)
        if self._lease is not None and (left := deadline - now()) > 0:
            await within(self._flush_all(), left)
            await cancelled([self._flushing])
        self._lease = None
        self._flusher.close()

    async def say_day(self, source: Source, day: date, lease: Lease) -> None:
        """Commit a day with a partition's offset, under the lease that it was looked at under.

        Raises `AssignmentOver` where that is over, or the partition cannot be committed now.
        """

        def end() -> Range | None:
            partition, own = self.partitions.get(source), self._lease
            if partition is None or own is None or own[:2] != lease[:2]:
                return None
            if partition.under_way is not None or partition.replay_to is not None:
                return None
            return Range(source, partition.incarnation, partition.start, partition.start)

        own = self._lease
        latest = max([day, *filter(None, [own and own.late_before])])
        try:
            await self._flusher.say(end, latest, lease, self._consumer())
        except GroupLost as error:
            self._abandon([])
            await self._leave_group(error)
            raise

    def _inserts(self, chunks: Sequence[Chunk]) -> int:
        return sum(1 for _ in parts(chunks, self._ledger.shard))

    @property
    def _inserts_per_second(self) -> float:
        """The share of this worker in what all may do: as much as it has of their partitions."""
        share = max(1, len(self.partitions)) / self.group_partitions
        return self._settings.inserts_per_second * share

    # Taking up -------------------------------------------------------------------------------

    def _begin(self, taking_up: Callable[[], Awaitable[None]]) -> None:
        if self.standing.stopping:  # a rebalance came meanwhile; the store's threads end any moment
            return
        task = asyncio.create_task(self._watched(taking_up))
        self._taking_up.add(task)
        task.add_done_callback(self._taking_up.discard)

    async def _watched(self, taking_up: Callable[[], Awaitable[None]]) -> None:
        try:
            await taking_up()
        except GroupLost as error:
            await self._leave_group(error)
        except AssignmentOver:
            log.info("given up while taking up: the group has moved on")
        except (Halted, Exception) as error:  # noqa: BLE001  # whatever it is, it ends the worker
            self._fail(error)

    async def _take_up(self, lease: Lease, sources: Sequence[Source]) -> None:
        waiting = await self._begin_with(lease, sources)
        while waiting:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            waiting = await self._begin_with(lease, waiting)

    async def _begin_with(self, lease: Lease, sources: Sequence[Source]) -> Sequence[Source]:
        """Begin to read those that can be; returns those that wait for other workers."""
        lease, taken, waiting = await self._taken(lease, sources)
        partitions = await self.folding.between(lambda: self._partitions(taken, waiting))
        await self._restore(p.source for p in partitions)
        self._lease = lease
        self.standing.reading = True
        for topic in sorted({p.source.topic for p in partitions if not p.is_ready}):
            await self._look_at_log_ends(topic)
        if partitions or not waiting:
            self._begin(partial(self._open_when_whole, partitions))
        return waiting

    async def _open_when_whole(self, partitions: Sequence[Partition]) -> None:
        """Open partitions as their readers know the ids before them.

        Beside what waits for other workers, for it may take long.
        """
        await self._rebuild.run(partitions, self._open, self._progressed)
        log.info("reading %d partitions", len(self.partitions))

    def _replayed(self, partitions: Sequence[Partition], chunks: Sequence[Chunk]) -> None:
        """Take note of a group that was replayed: its own partitions are read on from there."""
        self._progressed()
        for partition in partitions:
            self.partitions[partition.source] = partition
            self._live.forget(partition.source)
        for chunk in chunks:
            self._instruments.chunk_counted(chunk.range, chunk.facts)

    async def _take_up_behind_loss(self, lease: Lease, sources: Sequence[Source]) -> None:
        await self._flushed(sources)
        for source in sources:
            self.partitions.pop(source, None)
        await self._take_up(lease, sources)

    async def _taken(
        self, lease: Lease, sources: Sequence[Source]
    ) -> tuple[Lease, list[Taken], list[Source]]:
        said = ""
        while True:
            try:
                take = self._takeover.take
                told = self._replayed, self._progressed
                lease = await self._under(self._consumer(), lease)
                return lease, *await take(self._consumer(), lease, sources, *told)
            except (BrokerError, KafkaError, IllegalStateError, TimeoutError) as error:
                if repr(error) != said:
                    log.warning("partitions wait for Kafka, trying again: %r", error)
                said = repr(error)
                await asyncio.sleep(TAKEOVER_RETRY_SECONDS)

    def _partitions(self, taken: Sequence[Taken], waiting: Sequence[Source]) -> list[Partition]:
        for source in waiting:
            # What is held of it begins where its open chunk does: it must not be sealed meanwhile.
            self.partitions.pop(source, None)
        return [self._partition(one) for one in taken]

    def _partition(self, taken: Taken) -> Partition:
        held = self.partitions.get(taken.source)
        if held is not None and held.continues(taken.incarnation, taken.plan):
            return held
        reader = self._new_reader(taken.source)
        first = self._rebuild.first(taken)
        of_log = taken.source, taken.incarnation, reader, taken.plan
        partition = Partition(*of_log, first, taken.lineage)
        self.partitions[taken.source] = partition
        self._live.forget(taken.source)
        return partition

    async def _restore(self, sources: Iterable[Source]) -> None:
        """Begin the live windows of partitions that have no chunk of unknown fate."""
        missing = [source for source in sources if not self._live.is_restored(source)]
        if not missing:
            return
        since = int(time.time()) - LIVE_SECONDS
        stored = await self._flusher.in_thread(lambda: self._ledger.live(missing, since))
        for source, minutes in stored.items():
            self._live.restored(source, minutes)

    async def _open(self, partitions: Iterable[Partition]) -> None:
        """Let them be read from where they stand, those that are still ours."""
        starts = await self.folding.between(lambda: self._starts(partitions))
        if starts and self._lease is not None:
            await self._consumer().open(self._lease, starts)
            self._has_waited = True

    def _starts(self, partitions: Iterable[Partition]) -> dict[Source, Start]:
        starts = {}
        for partition in filter(self._has, partitions):
            partition.epoch = next(self._epochs)
            starts[partition.source] = Start(partition.epoch, partition.position)
        return starts

    # Flushing --------------------------------------------------------------------------------

    async def _sealed(self, everything: bool = True) -> list[Chunk]:
        return await self.folding.between(lambda: self._seal(everything))

    def _seal(self, everything: bool) -> list[Chunk]:
        if self._lease is None:
            return []
        for partition in self.partitions.values():
            if everything or self._pressure.is_large(partition.open):
                partition.seal()
        return [p.under_way for p in self.partitions.values() if p.under_way is not None]

    async def _flush_all(self) -> None:
        await self._flush_once(await self._sealed())

    async def _flush_once(self, chunks: Sequence[Chunk]) -> None:
        lease = self._lease
        if not chunks or lease is None:
            return
        self._flushing = asyncio.create_task(self._flush(chunks, lease))
        await asyncio.wait([self._flushing])

    async def _flush(self, chunks: Sequence[Chunk], lease: Lease) -> None:
        try:
            chunks = await self._flusher.flush(chunks, lease, self._consumer())
        except GroupLost as error:
            self._abandon(chunks)
            await self._leave_group(error)
        except AssignmentOver as error:
            log.info("giving up %s: %s", ", ".join(str(c.range) for c in chunks), error)
            self._abandon(chunks)
        except (Halted, Exception) as error:  # noqa: BLE001  # whatever it is, it ends the worker
            self._fail(error)
        else:
            self._counted(chunks)
            await self._restore(chunk.range.source for chunk in chunks)
        self._holding.forget()
        self._room.set()

    def _counted(self, chunks: Sequence[Chunk]) -> None:
        self._progressed()
        self._live.advance(time.time())
        for chunk in chunks:
            partition = self.partitions.get(chunk.range.source)
            if partition is not None:
                partition.committed()
            self._live.counted(chunk.range.source, chunk.minutes)
            self._instruments.chunk_counted(chunk.range, chunk.facts)

    def _note_idleness(self) -> None:
        """Having nothing to commit is progress too; while taking up, nobody knows."""
        if self._lease is None or not all(p.is_ready for p in self.partitions.values()):
            return
        log_end = self._consumer().log_end
        if all((log_end(s) or 0) <= p.committed_to for s, p in self.partitions.items()):
            self._progressed()

    def _progressed(self) -> None:
        self.standing.progress_at = now()
        self.standing.round_seconds = self._round_seconds

    def _round_runs(self, rounds: Rounds) -> None:
        """Take note of how long it may take, behind the flush that the one before it ended with.

        A shorter one counts from the next progress on: what there was since lasted longer.
        """
        self._round_seconds = rounds.longest_seconds
        self.standing.round_seconds = max(self.standing.round_seconds, self._round_seconds)

    def _drop_under_way(self) -> None:
        self.partitions = {s: p for s, p in self.partitions.items() if p.under_way is None}

    def _abandon(self, chunks: Sequence[Chunk]) -> None:
        self._lease = None
        self.standing.reading = False
        self._instruments.abandoned(len(chunks))
        for chunk in chunks:
            self.partitions.pop(chunk.range.source, None)

    async def _leave_group(self, why: object) -> None:
        log.warning("leaving the group, to join again: %s", why)
        await self._consumer().leave_group()
        self._flusher.commit_is_out = False

    async def _settle(self, within_seconds: float) -> None:
        if self._flushing is None or self._flushing.done():
            return
        await asyncio.wait([self._flushing], timeout=within_seconds)
        await cancelled([self._flushing])

    async def _flushed(self, sources: Sequence[Source]) -> None:
        """Return when nothing of these partitions is held any more."""
        while await self.folding.between(lambda: any(map(self._holds, sources))):
            if self._lease is None:
                raise AssignmentOver("revoked")
            self._want_flush()
            await self._room.wait()

    def _holds(self, source: Source) -> bool:
        partition = self.partitions.get(source)
        if partition is None:
            return False
        return partition.under_way is not None or partition.position > partition.start

    # Back-pressure ---------------------------------------------------------------------------

    async def _wait_for_room(self, partition: Partition) -> None:
        while self._lease is not None and self._on(partition) is Do.WAIT:
            self._want_flush()
            if not await within(self._room.wait(), LOG_ENDS_SECONDS):
                await self._look_at_log_ends(partition.source.topic)

    async def _look_at_log_ends(self, topic: str) -> None:
        """Keep the lag true while nothing is fetched, which would tell it."""
        sources = [source for source in self.partitions if source.topic == topic]
        with contextlib.suppress(KafkaError):
            await within(self._consumer().look_at_log_ends(sources), LOG_ENDS_SECONDS)

    def _want_flush(self) -> None:
        self._due.set()
        self._room.clear()

    def _on(self, partition: Partition) -> Do:
        """What to do; before it waits, all partitions are asked, for some may have gone."""
        do = self._pressure.on(partition.open, self._holding.total)
        if do is not Do.WAIT:
            return do
        self._holding.forget()
        return self._pressure.on(partition.open, self._holding.total)
