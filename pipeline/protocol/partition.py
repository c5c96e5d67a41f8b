"""The open chunk of an assigned partition: steps 1 and 2 of `pipeline.protocol.chunks`. No I/O.

Reading takes time, and is done elsewhere: what reads (`Partition.adding`, `Partition.remembering`)
is a generator of the calls to make, one after the other, in whatever thread
(`pipeline.worker.folding`). It decides what to read when it is asked for the next call, and moves
the partition on when it is asked again, behind that call; a call touches nothing but the reader and
the columns. While one is under way, and for ever when it fails, the partition is *torn*: nobody
knows how much its columns hold, so it is neither sealed, nor kept, nor read on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

from pipeline.facts import Facts, Log, Reader
from pipeline.facts.interface import Minutes, remembered_from
from pipeline.protocol.chunks import Plan, Range, Source
from pipeline.protocol.fetched import Fetched, before, records_of, since
from pipeline.protocol.lineage import Lineage, Stretch, oldest

T = TypeVar("T")

Read = Callable[[], None]
"""Takes time, and touches nothing but a reader and the columns that it reads into."""

Reads = Generator[Read, None, T]
"""Reads to make one after the other, each before the next is asked for; and what they come to."""


class Discontinuity(Exception):
    """A batch does not begin where the partition stands: something between was dropped."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A sealed chunk: its range and what the log holds there."""

    range: Range
    facts: Facts
    minutes: Minutes
    """Its sums by minute and tenant."""

    def __len__(self) -> int:
        """Return the records it was made of."""
        return self.facts.received + self.facts.skipped


class Size(NamedTuple):
    """How much is held: events, and bytes of the records that they came in, or of memory."""

    events: int
    size_bytes: int

    def __add__(self, other: object) -> Size:
        """Add both up."""
        if not isinstance(other, Size):
            return NotImplemented
        return Size(self.events + other.events, self.size_bytes + other.size_bytes)

    def reaches(self, bound: Size) -> bool:
        """Say whether either is at its bound."""
        return self.events >= bound.events or self.size_bytes >= bound.size_bytes


NOTHING = Size(0, 0)


class Partition:
    """What a worker holds of one partition: one open chunk, and at most one under way.

    A `replay_to` means that the first chunk must end exactly there. `seen_from` is where its reader
    begins to take note of ids (by default, the start): it is not ready to be read before it has
    seen all up to the start. That is below 0 where it begins in a log that stands before its own
    (its lineage).
    """

    def __init__(
        self,
        source: Source,
        incarnation: str,
        reader: Reader,
        plan: Plan,
        seen_from: int | None = None,
        lineage: Lineage = (),
    ) -> None:
        self.source = source
        self._lineage = lineage
        self.incarnation = incarnation
        self.start = plan.start
        """Where the open chunk begins (``a``)."""
        self.position = plan.start
        """What the next batch must begin with."""
        self.replay_to = plan.replay_to
        self.seen_from = plan.start if seen_from is None else seen_from
        """The reader knows all ids from here on."""
        self.seen_to = self.seen_from
        """How far the reader was made to remember; in the end, the first start."""
        self._remember_to = plan.start
        self.under_way: Chunk | None = None
        """The sealed chunk whose fate is not known yet: never two."""
        self.epoch = 0
        """The seek after which batches are taken."""
        self._reader = reader
        self.facts = reader.facts()
        self._is_torn = False
        """Whether a read is under way, or has failed."""

    @property
    def open_minutes(self) -> list[Minutes]:
        """Sums by minute and tenant of what is not committed yet."""
        under_way = [] if self.under_way is None else [self.under_way.minutes]
        return [*under_way, self.facts.minutes()]

    @property
    def committed_to(self) -> int:
        """Where the next chunk that is committed begins."""
        return self.start if self.under_way is None else self.under_way.range.a

    @property
    def oldest_arrival_ms(self) -> int | None:
        """The least timestamp of the records that are not committed yet."""
        held = [self.facts] if self.under_way is None else [self.under_way.facts, self.facts]
        return min((facts.arrival[0] for facts in held if facts.arrival), default=None)

    @property
    def open(self) -> Size:
        """What the open chunk holds; of a replay nothing, for it must not wait for its own end."""
        if self.replay_to is not None:
            return NOTHING
        return Size(self.facts.received, self.facts.held_bytes)

    @property
    def held(self) -> Size:
        """What is in memory of open chunk and chunk under way together; of a replay nothing."""
        if self.replay_to is not None or self.under_way is None:
            return self.open
        facts = self.under_way.facts
        return self.open + Size(facts.received, facts.held_bytes)

    @property
    def is_ready(self) -> bool:
        """Whether the reader knows what lies before the start, so that it may be read from there.

        A reader is never made to go back: it would take an event for its own repeat.
        """
        return self.seen_to >= self._remember_to

    @property
    def to_remember(self) -> int:
        """Offsets before the start that the reader has yet to see."""
        return self._remember_to - self.seen_to

    @property
    def remembers(self) -> Stretch:
        """The log that the reader is to be shown next, and up to where in it.

        One that stands before the partition's own, or in the end that, up to the start.
        """
        own = Stretch(self.source.partition, 0, self._remember_to)
        return next((one for one in self._lineage if self.seen_to < one.to), own)

    def unseen(self, window: int) -> int:
        """Return how many of the `window` offsets before the position the reader has never seen."""
        wanted = remembered_from(self.position, window, oldest(self._lineage))
        return max(0, self.seen_from - wanted)

    def remembering(self, fetched: Fetched) -> Reads[int]:
        """Show the reader what comes next before the start; comes to the number of records.

        Of a fetch that several partitions are shown, it takes what it has not seen.
        """
        stretch = self.remembers
        if fetched.source.partition != stretch.partition:
            return 0
        seen, end = self.seen_to - stretch.at, min(fetched.end, stretch.end)
        if end < seen:
            return 0
        log = before(since(fetched.log, seen), end)
        yield from self._reading(partial(self._reader.remember, log))
        self._seen_up_to(stretch.at + end)
        return records_of(log)

    def skip_to(self, offset: int) -> None:
        """Go on from an offset further on, but not beyond the start: the log has lost the rest."""
        self._seen_up_to(min(offset, self._remember_to))
        self.seen_from = self.seen_to

    def _seen_up_to(self, offset: int) -> None:
        """Take note of how far the reader is, which may be behind the end of another's log."""
        for one in self._lineage:
            if self.seen_to < one.to <= offset:
                self._reader.continue_after(one.end)
        self.seen_to = offset

    def continues(self, incarnation: str, plan: Plan) -> bool:
        """Say whether the open chunk is what the plan would read again: then it may stay.

        To be asked between reads: while one is under way, nothing may stay.
        """
        return (
            not self._is_torn
            and (incarnation, plan.start) == (self.incarnation, self.start)
            and plan.replay_to is None
            and self.replay_to is None
            and self.under_way is None
        )

    def adding(self, fetched: Fetched) -> Reads[None]:
        """Fold a batch into the open chunk.

        Raises `Discontinuity` when positions are missing between; a batch from before the last
        seek is dropped, for it will be, or was, fetched again.
        """
        if fetched.epoch != self.epoch:
            return
        if fetched.start != self.position:
            raise Discontinuity(
                f"{self.source}: a batch begins at {fetched.start}, not at {self.position}"
            )
        if self.replay_to is not None and fetched.end >= self.replay_to:
            fetched = yield from self._ending_replay(fetched, self.replay_to)
        yield from self._folding(fetched.log, fetched.end)

    def seal(self) -> Chunk | None:
        """Close the open chunk and begin the next, unless there is nothing in it.

        A chunk under way, or a replay that has not reached its end, stays alone; what is torn is
        never counted.
        """
        if self.under_way is not None or self._is_torn:
            return None
        if self.replay_to is not None or self.position == self.start:
            return None
        return self._seal()

    def committed(self) -> None:
        """Take note that the chunk under way is counted and committed."""
        self.under_way = None

    def _ending_replay(self, fetched: Fetched, end: int) -> Reads[Fetched]:
        """Seal the replayed chunk at exactly its end; comes to what is left of the batch."""
        yield from self._folding(before(fetched.log, end), end)
        self.replay_to = None
        self._seal()
        return fetched._replace(start=end, log=since(fetched.log, end))

    def _folding(self, log: Log, end: int) -> Reads[None]:
        if records_of(log):
            yield from self._reading(partial(self._reader.read, log, self.facts))
        self.position = end

    def _reading(self, read: Read) -> Reads[None]:
        if self._is_torn:
            raise RuntimeError(
                f"{self.source}: a read has failed or is under way, and no other may"
            )
        self._is_torn = True
        yield read
        self._is_torn = False

    def _seal(self) -> Chunk:
        chunk = Chunk(
            Range(self.source, self.incarnation, self.start, self.position),
            self.facts,
            self.facts.minutes(),
        )
        self.under_way = chunk
        self.start = self.position
        self.facts = self._reader.facts()
        return chunk
