"""The one interface of events-to-columns: records of a partition in, columns and rejections out.

Whatever stands behind ``Reader`` (the Python one of this package is the reference; a compiled one
may come to stand beside it) must give the same ``Facts`` for the same records: they are a pure
function of the log, and rows stand in the order of the log.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from pipeline.facts.columns import Column, Maps, column

Outcome = tuple[int, str, str, str, str]
"""(arrival minute in epoch seconds, tenant, type, outcome, reason). The type is ``''`` where it
could not be read, or is none that the topic knows. The outcome is one of ``counted``,
``duplicate``, ``rejected``, ``skipped``; the reason is that of a rejection, ``conflict`` of a
duplicate whose data has other bytes than the last one's, else ``''``."""

Bounds = tuple[int, int]
"""Least and greatest instant, in epoch milliseconds."""


class Record(Protocol):
    """What is read of a Kafka record; aiokafka's ``ConsumerRecord`` fits."""

    @property
    def offset(self) -> int:
        """Its place in the partition's log."""

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values; a value may be None in spite of its type."""

    @property
    def value(self) -> bytes | None:
        """None for a tombstone."""


class Rejection(NamedTuple):
    """An event that cannot be accepted, as the dead-letter topic wants it."""

    offset: int
    index: int | None  # type: ignore[assignment]  # hides tuple.index
    """Of a batch's element only: which one, from 0."""
    timestamp: int
    """Of the record, in epoch milliseconds."""
    reason: str
    message: str
    """A sentence for a person: which field, what was found, what was expected."""
    tenant: str
    """``''`` where it could not be read; so for ``type``."""
    type: str
    value: bytes
    """The original bytes: of the record, or of the batch's element."""
    headers: Sequence[tuple[str, bytes]] = ()
    """The record's, without which the binary form cannot be read again; none of an element."""


class Head(NamedTuple):
    """The table that a topic's rows are inserted into."""

    table: str
    columns: tuple[tuple[str, str], ...]
    """(name, ClickHouse type), in the order of ``Facts.columns``."""


class Facts:
    """What a range of one partition's log comes to; grows as records are read into it."""

    __slots__ = (
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

    def __init__(self, head: Head) -> None:
        self.head = head
        self.columns: list[Column] = [column(kind) for _, kind in head.columns]
        """One per column of the head, one row per counted event, in the log's order."""
        self.origins: array[int] = array("q")
        """Where in the log each of these rows comes from (``origin``)."""
        self.outcomes: Counter[Outcome] = Counter()
        self.rejections: list[Rejection] = []
        self.received = 0
        """Events: counted + duplicate + rejected."""
        self.counted = 0
        self.duplicate = 0
        self.conflicts = 0
        """Of the duplicates, those whose data has other bytes than the last one's."""
        self.rejected = 0
        self.skipped = 0
        """Tombstones, which are not received."""
        self.event_time: Bounds | None = None
        """Of the counted events."""
        self.arrival: Bounds | None = None
        """Of all records."""
        self.size_bytes = 0
        """The values of all records together."""

    @property
    def held_bytes(self) -> int:
        """What the records come to in memory, where that is more than their values; else these.

        A record of 1 MiB may have 100,000 properties, whose names no other one has.
        """
        maps = (column.size_bytes for column in self.columns if isinstance(column, Maps))
        return max(self.size_bytes, sum(maps))


class Reader(Protocol):
    """Reads one partition's log, in order. One object per partition: state may live in it."""

    @property
    def head(self) -> Head:
        """The table and columns that it fills."""

    def read(self, records: Sequence[Record], into: Facts) -> None:
        """Add ``records``, the next of the partition, to ``into``.

        Never raises for anything that a record can hold, and never blocks.
        """

    def remember(self, records: Sequence[Record]) -> None:
        """Take note of the events in ``records`` as duplicates are told by them; count nothing.

        For the records before the first that is read, in order, from ``remembered_from`` on. An
        event is valid here exactly if it is where it is read.
        """


_EVENTS_OF_RECORD = 1 << 20
"""More than a batch may have; offsets have 43 bits beside it, enough for centuries."""


N = TypeVar("N", int, NDArray[Any])


def origin(offset: N, place: int) -> N:
    """One number for an event: its record's offset, and its place among the record's events."""
    return offset * _EVENTS_OF_RECORD + place


def offset_and_place(origin: int) -> tuple[int, int]:
    """The offset and the place in its batch that an ``origin`` was made of."""
    return divmod(origin, _EVENTS_OF_RECORD)


def remembered_from(start: int, window: int) -> int:
    """The offset from which on a reader that is to begin at ``start`` must remember.

    An event at ``start`` is a duplicate of one at most ``window`` offsets before it.
    """
    return max(0, start - window)


def widened(bounds: Bounds | None, least: int, greatest: int) -> Bounds:
    """``bounds`` made wide enough for ``least`` and ``greatest`` too."""
    if bounds is None:
        return least, greatest
    return min(bounds[0], least), max(bounds[1], greatest)
