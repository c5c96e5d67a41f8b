"""What the compiled reader reads into: columns lie in its memory until they are asked for."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.facts.columns import Column, Maps, Numbers, Texts, column
from pipeline.facts.compiled.library import Library, Totals, bugs_as_errors
from pipeline.facts.event_type import EventType
from pipeline.facts.interface import Bounds, Facts, Minutes, Outcome, Rejection, rejected_as

_NOTHING = Totals(0, 0, 0, 0, 0, None, None, 0)


class CompiledFacts:
    """See `interface.Facts`."""

    def __init__(self, library: Library, known: EventType, rows: int = 0) -> None:
        """Have room for so many rows."""
        self.head = known.head
        self.library = library
        self.chunk = library.Chunk(known.topic, rows)
        self.rejections: list[Rejection] = []
        self._type = known.type
        self._rejected: Counter[Outcome] = Counter()
        self._totals = _NOTHING
        self._columns: list[Column] | None = None

    @bugs_as_errors()
    def refresh(self) -> None:
        """Take over the numbers after something was read."""
        self._totals = Totals(*self.chunk.totals())
        self._columns = None

    def reject(self, rejection: Rejection) -> None:
        """Add an event that is rejected."""
        self._rejected[rejected_as(rejection, self._type)] += 1
        self.rejections.append(rejection)

    @property
    @bugs_as_errors()
    def columns(self) -> Sequence[Column]:
        """See ``Facts``."""
        if self._columns is None:
            self._columns = [
                _column(kind, self.chunk.column(number))
                for number, (_, kind) in enumerate(self.head.columns)
            ]
        return self._columns

    @property
    def origins(self) -> array[int]:
        """See ``Facts``."""
        return array("q", self.chunk.origins())

    @property
    @bugs_as_errors()
    def outcomes(self) -> Counter[Outcome]:
        """See ``Facts``."""
        return Counter(self.chunk.outcomes()) + self._rejected

    @bugs_as_errors()
    def before(self, seconds: float) -> int:
        """See ``Facts``."""
        return self.chunk.before(seconds)

    @bugs_as_errors()
    def inconsistent(self) -> int:
        """See ``Facts``."""
        return self.chunk.inconsistent()

    @bugs_as_errors()
    def minutes(self) -> Minutes:
        """See ``Facts``."""
        return self.chunk.minutes()

    @property
    def received(self) -> int:
        """See ``Facts``."""
        return self._totals.counted + self._totals.duplicate + len(self.rejections)

    @property
    def counted(self) -> int:
        """See ``Facts``."""
        return self._totals.counted

    @property
    def duplicate(self) -> int:
        """See ``Facts``."""
        return self._totals.duplicate

    @property
    def conflicts(self) -> int:
        """See ``Facts``."""
        return self._totals.conflicts

    @property
    def rejected(self) -> int:
        """See ``Facts``."""
        return len(self.rejections)

    @property
    def skipped(self) -> int:
        """See ``Facts``."""
        return self._totals.skipped

    @property
    def event_time(self) -> Bounds | None:
        """See ``Facts``."""
        return self._totals.event_time

    @property
    def arrival(self) -> Bounds | None:
        """See ``Facts``."""
        return self._totals.arrival

    @property
    def size_bytes(self) -> int:
        """See ``Facts``."""
        return self._totals.size_bytes

    @property
    def held_bytes(self) -> int:
        """See ``Facts``."""
        return max(self._totals.size_bytes, self._totals.held_bytes)


def own(facts: Facts) -> CompiledFacts:
    """Return them. Raises TypeError for those of another reader."""
    if not isinstance(facts, CompiledFacts):
        raise TypeError(f"the compiled reader reads into its own facts, not {type(facts).__name__}")
    return facts


def _column(kind: str, parts: tuple[Any, ...]) -> Column:
    """Return a column made of the arrays that the library has of it."""
    made = column(kind)
    if isinstance(made, Numbers):
        (octets,) = parts
        made.items.frombytes(octets)
    elif isinstance(made, Texts):
        _fill(made, *parts)
    elif isinstance(made, Maps):
        codes, keys, counts, values, sizes = parts
        made.values = bytearray(values)
        _fill(made.keys, codes, keys)
        made.counts.frombytes(counts)
        made.sizes.frombytes(sizes)
    return made


def _fill(texts: Texts, codes: bytes, keys: Sequence[str]) -> None:
    for key in keys:
        texts.numbers[key]  # which numbers it, and counts on
    texts.codes.frombytes(codes)
