"""What the Python readers read into: columns and accounts that grow batch by batch."""

from __future__ import annotations

from array import array
from collections import Counter

from pipeline.facts.columns import Column, Maps, column
from pipeline.facts.interface import Bounds, Facts, Head, Minutes, Outcome, Rejection
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

    def minutes(self) -> Minutes:
        """See ``Facts``."""
        if self._minutes is None:
            self._minutes = ChunkMinutes(self.head, self.columns)
        return self._minutes.minutes()


def own(facts: Facts) -> PythonFacts:
    """Return them. Raises TypeError for those of another reader."""
    if not isinstance(facts, PythonFacts):
        raise TypeError(f"the Python reader reads into its own facts, not {type(facts).__name__}")
    return facts
