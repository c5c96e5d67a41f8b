"""Rebuilding what readers remember: the ids before the start of partitions that are taken up.

What is a duplicate is a function of the log: of the records of a chunk ``[a, b)`` and of the W
offsets before it. So whoever takes up a partition reads those again, before anything else of it,
and counts nothing meanwhile. They are read by a consumer beside the group
(`pipeline.worker.transport.Past`), the smallest windows first and a few large ones at once; each is
opened as soon as its own window is whole. Where a window reaches below offset 0, the logs that
stand before the partition's own are read first (`pipeline.protocol.lineage`). A log that does not
answer, as one whose leader is lost, delays only the partitions that want it: the others go on, and
it is asked beside them.

It reads slices of some milliseconds in the thread for that (`pipeline.worker.folding`), and ends
behind the slice in which it is cancelled: a partition that comes back goes on from there.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.facts.interface import remembered_from
from pipeline.facts.types import remembered_offsets
from pipeline.process.logs import place
from pipeline.process.waits import now
from pipeline.protocol.lineage import oldest
from pipeline.worker.transport import Past, RawFetches

if TYPE_CHECKING:
    from pipeline.protocol.chunks import Plan, Source
    from pipeline.protocol.fetched import Fetched
    from pipeline.protocol.lineage import Lineage
    from pipeline.protocol.partition import Partition
    from pipeline.settings import Settings
    from pipeline.worker.folding import Folding
    from pipeline.worker.takeover import Taken
    from pipeline.worker.telemetry.instruments import Instruments

log = logging.getLogger(__name__)

AT_ONCE_OFFSETS = 2_000_000
"""What is read at once, of as many logs as it takes: who has more to read opens some early."""

SILENT_SECONDS = 5.0
"""How long what is read at once may bring nothing before others are read beside it."""

Open = Callable[[Sequence["Partition"]], Awaitable[None]]


class Rebuild:
    """Makes the windows of one worker's partitions whole."""

    def __init__(
        self,
        settings: Settings,
        window: int,
        instruments: Instruments,
        folding: Folding,
        raw: RawFetches | None = None,
    ) -> None:
        self._settings = settings
        self._folding = folding
        self._raw = raw
        self.window = window
        """For how many offsets ids are remembered (W); 0 where duplicates are not looked for."""
        self._instruments = instruments
        self._silent: set[Source] = set()
        """Logs that did not answer when they were last asked."""

    def first(self, taken: Taken) -> int:
        """Return the offset from which on a partition's reader must know the ids.

        Says so where Kafka has already deleted some of that.
        """
        return self.first_of(taken.source, taken.plan, taken.first, taken.lineage)

    def first_of(self, source: Source, plan: Plan, log_first: int, lineage: Lineage = ()) -> int:
        """Return the same of a partition of which this is known.

        Below 0 in a log that stands before its own; what that one lacks is found when it is read.
        """
        start = plan.start
        topic = self._settings.topic_name(source.topic)
        wanted = remembered_from(start, remembered_offsets(topic, self.window), oldest(lineage))
        if wanted < 0:
            return wanted
        first = min(max(wanted, log_first), start)
        if first > wanted:
            self._say_cut(source, wanted, first, plan.replay_to)
        return first

    async def run(
        self, partitions: Sequence[Partition], open_: Open, progressed: Callable[[], None]
    ) -> None:
        """Open each partition once its window is whole; those that are, at once, replays first.

        Waits for a Kafka that is away. `progressed` is called for each slice that was read.
        """
        ready = [p for p in partitions if p.is_ready]
        await open_(sorted(ready, key=lambda p: p.replay_to is None))
        waiting = {p.source: p for p in partitions if not p.is_ready}
        if not waiting:
            return
        began, records = now(), 0

        async def behind_slice(read: int) -> None:
            nonlocal records
            records += read
            progressed()
            whole = [p for p in waiting.values() if p.is_ready]
            for partition in whole:
                del waiting[partition.source]
            if whole:
                await open_(whole)

        log.info(
            "going to read %d offsets before the start of %d partitions again, for their ids",
            *(_offsets(waiting.values()), len(waiting)),
        )
        try:
            while waiting:
                await self._read_stretches(list(waiting.values()), behind_slice)
        finally:
            self._say_end(now() - began, records, waiting.values())

    async def read_others(
        self, partitions: Collection[Partition], progressed: Callable[[], None]
    ) -> None:
        """Have partitions remember what stands in others' logs before their own."""

        async def behind_slice(_: int) -> None:
            progressed()

        while before := [p for p in partitions if p.seen_to < 0]:
            await self._read_stretches(before, behind_slice)

    async def remember(self, partition: Partition, batch: Fetched) -> int:
        """Show a partition's reader what comes next before its start; return the records."""
        stretch = partition.remembers
        a, b = partition.seen_to, min(stretch.at + batch.start, stretch.to)
        if b > a:
            source = batch.source
            self._say_cut(source, a - stretch.at, b - stretch.at, partition.replay_to)
            partition.skip_to(b)
        records = await self._folding.run(partition.remembering(batch))
        self._instruments.remembered(records)
        return records

    async def _read_stretches(
        self, partitions: Collection[Partition], behind_slice: Callable[[int], Awaitable[None]]
    ) -> None:
        """Read of each what it remembers next, to the end of that log or of its window.

        One log may be read for several, where there is no gap between what they want of it; others,
        and logs beyond the first that have `AT_ONCE_OFFSETS` together, are left to the next call.
        It comes early where nothing is left to read here but logs that are silent.
        `behind_slice` is called with the records shown.
        """
        wanted: dict[Source, list[Partition]] = {}
        for partition in partitions:
            wanted.setdefault(_next_log(partition), []).append(partition)
        adjoining = {source: _without_a_gap(some) for source, some in wanted.items()}
        reading = _least(adjoining, self._silent)
        starts = {source: _next_offset(some[0]) for source, some in reading.items()}
        ends = {
            source: max(p.remembers.end for p in some if p.source != source)
            for source, some in reading.items()
            if any(p.source != source for p in some)
        }
        async with Past(self._settings, starts, self._raw, ends) as past:
            while reading:
                others = any(_next_log(p) not in reading for p in partitions if not p.is_ready)
                if others and reading.keys() <= self._silent:
                    return
                batches = await past.read(SILENT_SECONDS if others else math.inf)
                if not batches:
                    self._say_silent(reading.keys() - self._silent)
                    self._silent.update(reading)
                    continue
                self._silent.difference_update(batch.source for batch in batches)
                records = 0
                for batch in batches:
                    for partition in reading[batch.source]:
                        records += await self.remember(partition, batch)
                for source, some in list(reading.items()):
                    reading[source] = [p for p in some if _remembers(p, source)]
                    if not reading[source]:
                        past.finish(source)
                        del reading[source]
                await behind_slice(records)

    def _say_silent(self, sources: Iterable[Source]) -> None:
        for source in sorted(sources):
            log.warning(
                "%s does not answer: what was to be read behind it goes on, and it is asked beside",
                source,
                extra=place(source),
            )

    def _say_cut(self, source: Source, a: int, b: int, replay_to: int | None) -> None:
        log.warning(
            "%s: Kafka has deleted offsets %d to %d of the %d in which duplicates are looked for; "
            "what repeats an event of theirs counts again%s",
            *(source, a, b - 1, self.window),
            "" if replay_to is None else ", also in the open chunk, which may have known them",
            extra=place(source, a, b),
        )

    def _say_end(self, seconds: float, records: int, left: Collection[Partition]) -> None:
        speed = records / max(seconds, 1e-3)
        if left:
            log.info("given up, with %d offsets of %d partitions left", _offsets(left), len(left))
        else:
            self._instruments.rebuilt(seconds)
        log.info("read %d records again in %.2f s, %.0f a second", records, seconds, speed)


def _next_log(partition: Partition) -> Source:
    """The log that a partition remembers next something of."""
    return partition.source._replace(partition=partition.remembers.partition)


def _next_offset(partition: Partition) -> int:
    """What a partition remembers next, in the offsets of that log."""
    return partition.seen_to - partition.remembers.at


def _without_a_gap(partitions: Iterable[Partition]) -> list[Partition]:
    """Return the partitions that one reading of a log serves: the least, and what adjoins it."""
    first, *others = sorted(partitions, key=_next_offset)
    found, end = [first], first.remembers.end
    for partition in others:
        if _next_offset(partition) > end:
            break
        found.append(partition)
        end = max(end, partition.remembers.end)
    return found


def _least(
    reading: Mapping[Source, list[Partition]], silent: Collection[Source]
) -> dict[Source, list[Partition]]:
    """Return the logs of which least is wanted, so many that they have `AT_ONCE_OFFSETS`.

    Silent ones come along: they take no other's place, and are read on when they answer.
    """
    wanted = {
        source: max(p.remembers.end for p in some) - _next_offset(some[0])
        for source, some in reading.items()
    }
    found, offsets = {source: reading[source] for source in reading.keys() & silent}, 0
    for source in sorted(reading.keys() - silent, key=lambda source: (wanted[source], source)):
        if offsets >= AT_ONCE_OFFSETS:
            break
        found[source] = reading[source]
        offsets += wanted[source]
    return found


def _remembers(partition: Partition, source: Source) -> bool:
    """Whether a partition is to remember more of a log."""
    return not partition.is_ready and partition.remembers.partition == source.partition


def _offsets(partitions: Iterable[Partition]) -> int:
    return sum(p.to_remember for p in partitions)
