"""The one interface of events-to-columns: records of a partition in, columns and rejections out.

Whatever stands behind ``Reader`` (the Python one of this package is the reference; a compiled one
may stand beside it) must give the same ``Facts`` for the same records: they are a pure function of
the log, and rows stand in the order of the log. What is read is a ``Log``, which only its reader
opens: records that were parsed, or batches as the broker sent them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from pipeline.facts.columns import Column
from pipeline.facts.exact.times import arrival_minute

Outcome = tuple[int, str, str, str, str]
"""(arrival minute in epoch seconds, tenant, type, outcome, reason). The type is ``''`` where it
could not be read, or is none that the topic knows. The outcome is one of ``counted``,
``duplicate``, ``rejected``, ``skipped``; the reason is that of a rejection, `CONFLICT` of some
duplicates, else ``''``."""

CONFLICT = "conflict"
"""Why a duplicate is no mere repeat: its data has other bytes than the last one's."""

Bounds = tuple[int, int]
"""Least and greatest instant, in epoch milliseconds."""

Sums = list[int]
"""One number for each of `minutes.MEASURES`."""

Minutes = dict[tuple[int, str], Sums]
"""By minute (epoch seconds, of event time) and tenant."""


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


def rejected_as(rejection: Rejection, type_: str) -> Outcome:
    """Return the outcome that a rejection counts for, in a topic of that type."""
    # Only a known type is a key: any other is whatever a producer wrote, however long.
    known = rejection.type if rejection.type == type_ else ""
    minute = arrival_minute(rejection.timestamp)
    return minute, rejection.tenant, known, "rejected", rejection.reason


class Head(NamedTuple):
    """The table that a topic's rows are inserted into."""

    table: str
    columns: tuple[tuple[str, str], ...]
    """(name, ClickHouse type), in the order of ``Facts.columns``."""


class Facts(Protocol):
    """What a range of one partition's log comes to; grows as its reader reads into it."""

    @property
    def head(self) -> Head:
        """The table and columns that it has rows for."""

    @property
    def columns(self) -> Sequence[Column]:
        """One per column of the head, one row per counted event, in the log's order."""

    @property
    def origins(self) -> array[int]:
        """Where in the log each of these rows comes from (``origin``)."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many events came to each."""

    @property
    def rejections(self) -> list[Rejection]:
        """In the log's order."""

    @property
    def received(self) -> int:
        """Events: counted + duplicate + rejected."""

    @property
    def counted(self) -> int:
        """Events that are rows."""

    @property
    def duplicate(self) -> int:
        """Events whose id was seen before."""

    @property
    def conflicts(self) -> int:
        """Duplicates whose data has other bytes than the last one's."""

    @property
    def rejected(self) -> int:
        """Events that are no rows, and dead letters instead."""

    @property
    def skipped(self) -> int:
        """Tombstones, which are not received."""

    @property
    def event_time(self) -> Bounds | None:
        """Bounds of the counted events' times."""

    @property
    def arrival(self) -> Bounds | None:
        """Bounds of all records' timestamps."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all records' values together."""

    @property
    def held_bytes(self) -> int:
        """What the records come to in memory, where that is more than their values; else these.

        A record of 1 MiB may have 100,000 properties, whose names no other one has.
        """

    def before(self, seconds: float) -> int:
        """Return how many rows are of minutes that begin before an instant, in epoch seconds."""

    def inconsistent(self) -> int:
        """Return how many rows are requests whose parts are greater than their whole."""

    def minutes(self) -> Minutes:
        """Return the sums of all rows by minute and tenant, for the live windows.

        They are not changed later, whatever is read into the facts.
        """


class Slice(Protocol):
    """Some batches of a partition as the broker sent them: what a compiled reader takes."""

    @property
    def start(self) -> int:
        """Where its first batch begins, or the position that it was fetched from."""

    @property
    def end(self) -> int:
        """The position behind it: beyond the last record where the log has holes."""

    @property
    def records(self) -> int:
        """How many records it has: less where compaction has taken some."""

    @property
    def most_bytes(self) -> int:
        """What its batches can come to once they are unpacked."""


class Raw(NamedTuple):
    """The offsets ``[start, end)`` of one partition, unopened."""

    slices: Sequence[Slice]
    start: int
    end: int


Log = Sequence[Record] | Raw
"""What comes next of a partition, as it was fetched: parsed, or for the compiled reader raw."""


class Reader(Protocol):
    """Reads one partition's log, in order. One object per partition: state may live in it."""

    @property
    def head(self) -> Head:
        """The table and columns that it fills."""

    def facts(self) -> Facts:
        """Return empty ones, for it to read into."""

    def read(self, log: Log, into: Facts) -> None:
        """Add the next of the partition to ``into``, which is this reader's own.

        Never raises for anything that a record can hold, and never blocks.
        """

    def remember(self, log: Log) -> None:
        """Take note of the events in ``log`` as duplicates are told by them; count nothing.

        For the records before the first that is read, in order, from ``remembered_from`` on. An
        event is valid here exactly if it is where it is read.
        """

    def continue_after(self, end: int) -> None:
        """Take what comes next as of a log whose offset 0 stands where ``end`` would until now.

        What was remembered is of the partition that this one goes on from, which ended there when
        the topic has grown.
        """


def parsed(log: Log) -> Sequence[Record]:
    """Return the records of a log that is parsed. Raises TypeError for a raw one."""
    if isinstance(log, Raw):
        raise TypeError("raw batches are only read by the compiled reader")
    return log


_EVENTS_OF_RECORD = 1 << 20
"""More than a batch may have; offsets have 43 bits beside it, enough for centuries."""


N = TypeVar("N", int, NDArray[Any])


def origin(offset: N, place: int) -> N:
    """One number for an event: its record's offset, and its place among the record's events."""
    return offset * _EVENTS_OF_RECORD + place


def offset_and_place(origin: int) -> tuple[int, int]:
    """The offset and the place in its batch that an ``origin`` was made of."""
    return divmod(origin, _EVENTS_OF_RECORD)


def remembered_from(start: int, window: int, oldest: int = 0) -> int:
    """The offset from which on a reader that is to begin at ``start`` must remember.

    An event at ``start`` is a duplicate of one at most ``window`` offsets before it. ``oldest`` is
    the first offset there ever was: below 0 where others' logs stand before the partition's own.
    """
    return max(oldest, start - window)


def widened(bounds: Bounds | None, least: int, greatest: int) -> Bounds:
    """``bounds`` made wide enough for ``least`` and ``greatest`` too."""
    if bounds is None:
        return least, greatest
    return min(bounds[0], least), max(bounds[1], greatest)
