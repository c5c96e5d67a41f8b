"""What is asked of a worker from outside, as it stands at one instant. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from pipeline.protocol.chunks import Source
from pipeline.worker.live import Seen


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one partition is behind its log's end."""

    records: int
    seconds: float


@dataclass(slots=True)
class Standing:
    """What a worker notes of itself as it goes; times are of the event loop's clock."""

    assigned: int = 0
    assigned_at: float | None = None
    """None without an assignment."""
    unassigned_at: float | None = None
    """Since when it waits for one; None while it has one."""
    reading: bool = False
    """Whether the assigned partitions are taken up."""
    progress_at: float = 0.0
    round_seconds: float = 0.0
    """How long may pass from one round to the next, at which there is progress."""
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """One worker at one instant, taken in its event loop; times are of the monotonic clock."""

    now: float
    assigned: int
    """Partitions that the group gave it."""
    taken_up: int
    """Those that it reads."""
    lag: Mapping[Source, Lag]
    held_events: int
    store_away_since: float | None
    """When the store last stopped answering; None while it answers."""
    store_call_since: float | None
    """When the oldest call of the store that is still waiting was made."""
    progress_at: float
    """When a chunk was last committed, there was nothing to commit, or ids were read again."""
    assigned_at: float | None
    """When partitions were last assigned; None without an assignment."""
    round_seconds: float = 0.0
    """How long may pass from one round to the next, at which there is progress."""
    unassigned_at: float | None = None
    """Since when it waits for an assignment; None while it has one."""
    join_seconds: float = 0.0
    """How long the group may take to give it one."""
    stopping: bool = False
    tenants: Future[Seen] | None = None
    """What tenants did, to be waited for in any thread but the loop's; None: nobody asked."""
    rebuild_remaining: int = 0
    """Offsets that are yet to be read again for their ids."""
    unseen: Mapping[Source, int] = field(default_factory=dict)
    """Offsets of the duplicate window that were deleted before they could be."""
