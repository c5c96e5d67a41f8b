"""Back-pressure: what a worker does about what it holds. Pure.

One chunk of a partition is open and takes what is fetched; one at most is under way. What is held
beyond the bounds waits in the agents' small queues, and what is beyond these in Kafka.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.protocol.partition import NOTHING, Size

if TYPE_CHECKING:
    from pipeline.settings import Settings

INSERT = Size(1_000_000, 64 << 20)
"""No open chunk grows beyond these, however long the one before it is under way: what one insert
takes; in bytes, what a setting says if that is more, up to 256 MiB."""


class Do(enum.Enum):
    """What to do with a partition."""

    GO = "take more"
    SEAL = "take more, and flush this chunk without waiting for the interval"
    WAIT = "take nothing before something is flushed"


@dataclass(frozen=True, slots=True)
class Pressure:
    """The bounds, and what follows from them."""

    chunk: Size
    """A chunk of this size is sealed early."""
    buffer: Size
    """All that one worker holds: at this, everything is sealed, and nothing more is taken."""
    insert: Size
    """No chunk grows beyond this."""
    quiet_events: int = 0
    """A worker that holds fewer in all may wait for more."""

    @classmethod
    def of(cls, settings: Settings) -> Pressure:
        """Take the bounds from the settings."""
        return cls(
            Size(settings.chunk_events, settings.chunk_bytes),
            Size(settings.buffer_events, settings.buffer_bytes),
            Size(INSERT.events, max(INSERT.size_bytes, settings.chunk_bytes)),
            settings.quiet_events,
        )

    def on(self, chunk: Size, held: Size) -> Do:
        """Decide for one open chunk; `held` is what all of the worker's partitions hold."""
        if self.may_not_grow(chunk) or self.is_full(held):
            return Do.WAIT
        return Do.SEAL if self.is_large(chunk) else Do.GO

    def is_full(self, held: Size) -> bool:
        """Say whether the worker holds as much as it may."""
        return held.reaches(self.buffer)

    def is_little(self, held: Size) -> bool:
        """Say whether a round of it would cost the store far more than it brings."""
        return held.events < self.quiet_events

    def is_large(self, chunk: Size) -> bool:
        """Say whether a chunk need not wait for the interval."""
        return chunk.reaches(self.chunk)

    def may_not_grow(self, chunk: Size) -> bool:
        """Say whether a chunk is as large as one insert may be, however much may be held."""
        return chunk.reaches(self.insert)


class Holding:
    """What all of a worker's partitions hold, without asking each of them at each batch."""

    def __init__(self, held: Callable[[], Iterable[Size]]) -> None:
        self._held = held
        self._known: Size | None = None
        self.forgotten = 0
        """How often `forget` was called."""

    @property
    def total(self) -> Size:
        """Its sum: of all of them, once after `forget`."""
        if self._known is None:
            self._known = sum(self._held(), NOTHING)
        return self._known

    def grew(self, before: Size, after: Size, forgotten: int) -> None:
        """Take note of what one partition held before a batch, and holds now.

        `forgotten` is what it was before the batch: what was forgotten in between is asked anew,
        for the partition's own chunk may have been counted meanwhile.
        """
        if forgotten != self.forgotten:
            self._known = None
        elif self._known is not None:
            events, size_bytes = self._known
            self._known = Size(
                events + after.events - before.events,
                size_bytes + after.size_bytes - before.size_bytes,
            )

    def forget(self) -> None:
        """Have them asked again: chunks were counted, or partitions came or went."""
        self._known = None
        self.forgotten += 1
