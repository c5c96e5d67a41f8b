"""Replaying a group: its members' ranges are read again beside Kafka's group, and inserted as one.

Those of other workers' partitions too: the rows of a group go in as one block, whoever sends it
(``docs/decisions/groups.md``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.protocol.chunks import Lease, Plan, Source
from pipeline.protocol.fetched import before, since
from pipeline.protocol.lineage import lineage
from pipeline.protocol.partition import Chunk, Partition
from pipeline.protocol.sealed import Group, range_of
from pipeline.worker.transport import Past, RawFetches

if TYPE_CHECKING:
    from pipeline.facts import Reader
    from pipeline.protocol.fetched import Fetched
    from pipeline.protocol.groups import Replay
    from pipeline.protocol.lineage import Change, Lineage
    from pipeline.settings import Settings
    from pipeline.worker.flusher import Committer, Flusher
    from pipeline.worker.folding import Folding
    from pipeline.worker.rebuild import Rebuild

log = logging.getLogger(__name__)


class CutMeanwhile(Exception):
    """Retention has deleted records of the group while they were read: decide again."""


class Replayer:
    """Makes a group's rows again, and takes them through the protocol."""

    def __init__(
        self,
        settings: Settings,
        flusher: Flusher,
        rebuild: Rebuild,
        folding: Folding,
        new_reader: Callable[[Source], Reader],
        raw: RawFetches | None = None,
    ) -> None:
        self._settings = settings
        self._flusher = flusher
        self._rebuild = rebuild
        self._folding = folding
        self._new_reader = new_reader
        self._raw = raw

    async def run(
        self,
        replay: Replay,
        topic: str,
        incarnation: str,
        firsts: Mapping[int, int],
        changes: Collection[Change],
        mine: Collection[Source],
        lease: Lease,
        committer: Committer,
        progressed: Callable[[], None],
    ) -> tuple[list[Partition], Sequence[Chunk]]:
        """Count the members that are left; returns them behind their ranges, and the chunks.

        `progressed` is called for each slice that was read. Raises as `Flusher.flush` does, and
        `CutMeanwhile`.
        """
        partitions = [
            self._partition(
                Source(topic, p), incarnation, Plan(a, replay_to=b), firsts[p], lineage(changes, p)
            )
            for p, a, b in replay.left
        ]
        log.info(
            "replaying %s, announced together",
            ", ".join(str(range_of(topic, incarnation, member)) for member in replay.left),
        )
        await self._read({p.source: p for p in partitions}, progressed)
        chunks = tuple(p.under_way for p in partitions if p.under_way is not None)
        group = Group(replay.members, chunks, replay.late_before)
        counted = await self._flusher.flush_groups([group], lease, committer, mine)
        for partition in partitions:
            partition.committed()
        return partitions, counted

    def _partition(
        self,
        source: Source,
        incarnation: str,
        plan: Plan,
        first_offset: int,
        lineage: Lineage,
    ) -> Partition:
        first = self._rebuild.first_of(source, plan, first_offset, lineage)
        return Partition(source, incarnation, self._new_reader(source), plan, first, lineage)

    async def _read(self, waiting: dict[Source, Partition], progressed: Callable[[], None]) -> None:
        """Read the windows before the ranges, then the ranges; all at once."""
        await self._rebuild.read_others(waiting.values(), progressed)
        starts = {source: partition.seen_to for source, partition in waiting.items()}
        async with Past(self._settings, starts, self._raw) as past:
            while waiting:
                for batch in await past.read():
                    partition = waiting[batch.source]
                    await self._take(partition, batch)
                    if partition.under_way is not None:
                        past.finish(batch.source)
                        del waiting[batch.source]
                progressed()

    async def _take(self, partition: Partition, batch: Fetched) -> None:
        """Fold what comes next of a partition: ids before its range, then events up to its end."""
        if not partition.is_ready:
            await self._rebuild.remember(partition, batch)
        end = partition.replay_to
        if end is None or not partition.is_ready or batch.end <= partition.position:
            return
        start = partition.position
        if batch.start > start:
            raise CutMeanwhile(f"{partition.source}: the log begins at {batch.start} by now")
        end = min(batch.end, end)
        piece = before(since(batch.log, start), end)
        taken = batch._replace(start=start, end=end, log=piece)
        await self._folding.run(partition.adding(taken))
