"""What the Python readers read into: columns and accounts that grow batch by batch."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

from pipeline.facts import inconsistent
from pipeline.facts.columns import Column, Maps, column
from pipeline.facts.exact.decide import Counted, Verdict
from pipeline.facts.exact.times import arrival_minute
from pipeline.facts.interface import (
    CONFLICT,
    Bounds,
    Facts,
    Head,
    Minutes,
    Outcome,
    Record,
    Rejection,
    origin,
    rejected_as,
    widened,
)
from pipeline.facts.minutes import ChunkMinutes

PARTS = (
    "arrival",
    "columns",
    "conflicts",
    "counted",
    "duplicate",
    "event_time",
    "head",
    "origins",
    "outcomes",
    "received",
    "rejected",
    "rejections",
    "size_bytes",
    "skipped",
)
"""All that facts hold; two are equal if these are."""


class PythonFacts:
    """See `interface.Facts`."""

    __slots__ = ("_minutes", *PARTS)

    def __init__(self, head: Head) -> None:
        self.head = head
        self.columns: list[Column] = [column(kind) for _, kind in head.columns]
        self.origins: array[int] = array("q")
        self.outcomes: Counter[Outcome] = Counter()
        self.rejections: list[Rejection] = []
        self.received = 0
        self.counted = 0
        self.duplicate = 0
        self.conflicts = 0
        self.rejected = 0
        self.skipped = 0
        self.event_time: Bounds | None = None
        self.arrival: Bounds | None = None
        self.size_bytes = 0
        self._minutes: ChunkMinutes | None = None

    @property
    def held_bytes(self) -> int:
        """See ``Facts``."""
        maps = (column.size_bytes for column in self.columns if isinstance(column, Maps))
        return max(self.size_bytes, sum(maps))

    def before(self, seconds: float) -> int:
        """See ``Facts``."""
        columns: dict[str, Any] = {
            name: column for (name, _), column in zip(self.head.columns, self.columns, strict=True)
        }
        if "minute" in columns:
            minutes = columns["minute"].numpy()
        else:
            minutes = columns["time"].numpy() // 60_000 * 60
        return int((minutes < seconds).sum())

    def inconsistent(self) -> int:
        """See ``Facts``."""
        return inconsistent.count(self.head, self.columns)

    def minutes(self) -> Minutes:
        """See ``Facts``."""
        if self._minutes is None:
            self._minutes = ChunkMinutes(self.head, self.columns)
        return self._minutes.minutes()

    def skip(self, record: Record) -> None:
        """Add a tombstone."""
        self.skipped += 1
        self.outcomes[arrival_minute(record.timestamp), "", "", "skipped", ""] += 1

    def add(
        self, record: Record, place: int, verdict: Verdict, repeated: str | None, type_: str
    ) -> None:
        """Add what an event of a record was decided to be, in a topic of that type.

        ``repeated`` is the reason of a duplicate, or None.
        """
        self.received += 1
        if not isinstance(verdict, Counted):
            self.rejected += 1
            self.rejections.append(verdict)
            self.outcomes[rejected_as(verdict, type_)] += 1
            return
        minute = arrival_minute(record.timestamp)
        if repeated is not None:
            self.duplicate += 1
            self.conflicts += repeated == CONFLICT
            self.outcomes[minute, verdict.tenant, verdict.type, "duplicate", repeated] += 1
            return
        self.counted += 1
        self.event_time = widened(self.event_time, verdict.time, verdict.time)
        self.outcomes[minute, verdict.tenant, verdict.type, "counted", ""] += 1
        for filled, item in zip(self.columns, verdict.row, strict=True):
            filled.append(item)
        self.origins.append(origin(record.offset, place))


def own(facts: Facts) -> PythonFacts:
    """Return them. Raises TypeError for those of another reader."""
    if not isinstance(facts, PythonFacts):
        raise TypeError(f"the Python reader reads into its own facts, not {type(facts).__name__}")
    return facts
