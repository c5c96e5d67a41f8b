"""What the world of users' days consists of: immutable, hashable, small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeVar

from pipeline.protocol.chunks import (
    Intent,
    Offset,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
)

T = TypeVar("T")

TOPIC, INCARNATION, RULES = "log", "first", "A"
DAYS = (date(2026, 11, 29), date(2026, 11, 30), date(2026, 12, 1))
"""The first two may be settled, and their month with the second."""
LAST = 2


def level(day: int, late_before: int) -> str:
    """How late a record is: see ``requests_15m.late``."""
    if day >= late_before:
        return "0"
    return "1" if DAYS[day].month == DAYS[late_before].month else "2"


class Flow(NamedTuple):
    """A record on its way through steps 3 to 7."""

    partition: int
    a: int
    late_before: int
    step: int = 0
    is_replay: bool = False


class Look(NamedTuple):
    """Someone finding out whether an earlier day's block may still come."""

    late_before: int
    step: int = 0
    current: bool = True
    """Whether its generation is the newest."""
    offsets: tuple[Offset, ...] = ()


class Settle(NamedTuple):
    """Someone settling a day: a statement under way, or what comes next."""

    day: int
    step: str = "days"
    block: tuple[int, ...] | None = None
    """The cells that the statement has read; None: it has not begun."""
    there: int = 0
    """How much there was of it before, which its token tells."""


class Worker(NamedTuple):
    """One process."""

    phase: str = "down"
    """down, out, joined, reading, ready."""
    current: bool = False
    """Whether it is a member in the newest generation, so that its commits are taken."""
    known: int = 0
    """The latest day that it has seen given out or settled."""
    given: int = 0
    """The day of the generation that it works under."""
    late_before: int = 0
    """The day that it works under: that one, or a later one that it has found."""
    mine: tuple[int, ...] = ()
    seen: tuple[Offset, ...] = ()
    """Offsets that it has read."""
    starts: tuple[int, ...] = ()
    flow: Flow | None = None
    look: Look | None = None
    settle: Settle | None = None


class Other(NamedTuple):
    """Another group with a partition of one record, as one process that nothing happens to."""

    step: str = "begin"
    known: int = 0
    late_before: int = 0


class Store(NamedTuple):
    """What ClickHouse keeps."""

    quarters: tuple[str, ...]
    days: tuple[str, ...]
    months: tuple[str, ...]
    """Of each record how often it was counted, and by whom: a level, or ``s`` when settled."""
    intents: tuple[Intent | None, ...]
    covered: tuple[int, ...]
    """Where each partition's ledger ends."""
    settled: int = 0
    rows: tuple[int, int | None] = (0, None)
    """Of each group the day below which nothing of it will be on time."""
    tokens: frozenset[tuple[str, int, int]] = frozenset()


class World(NamedTuple):
    """Everything."""

    offsets: tuple[Offset, ...]
    """Of each partition."""
    store: Store
    workers: tuple[Worker, Worker]
    other: Other
    orphans: tuple[Settle, ...] = ()
    """Statements whose sender is gone."""
    crashes: int = 0
    generations: int = 0
    """Still to come of any kind; behind these only such as lead on."""


Steps = Iterator[tuple[str, bool, World]]


@dataclass(frozen=True)
class Scenario:
    """How large the world is."""

    records: tuple[tuple[int, ...], ...]
    """Of each partition the days of its records."""
    other: int | None = None
    """The day of the other group's record, if there is one."""
    crashes: int = 0
    generations: int = 2
    torn: bool = False
    """Whether what settles a day is several statements, each of which takes its time."""
    counted: bool = False
    """Whether all records of the group were counted on time, before anything happens."""
    workers: int = 2
    first: int = 1
    """The day up to which all is settled at the beginning."""
    is_patient: bool = True
    """Whether the other group is waited for, however long it is silent."""
    without: frozenset[str] = frozenset()

    def has(self, safeguard: str) -> bool:
        """Say whether a safeguard is in its place."""
        return safeguard not in self.without

    @property
    def cells(self) -> tuple[int, ...]:
        """The day of each record of all."""
        own = tuple(day for partition in self.records for day in partition)
        return own if self.other is None else (*own, self.other)

    def at(self, partition: int, a: int) -> int:
        """The number of a record's cell."""
        return sum(map(len, self.records[:partition])) + a

    def world(self) -> World:
        """Return the world before anything happens."""
        number, empty = len(self.records), ("",) * len(self.cells)
        own = len(self.cells) - (self.other is not None)
        quarters = ("0",) * own + empty[own:] if self.counted else empty
        covered = tuple(len(one) if self.counted else 0 for one in self.records)
        return World(
            offsets=(Offset(0, commit_metadata(INCARNATION)),) * number,
            store=Store(
                *(quarters, empty, empty, (None,) * number, covered),
                *(self.first, (self.first, None)),
            ),
            workers=(Worker(), Worker()),
            other=Other() if self.other is not None else Other("end"),
            crashes=self.crashes,
            generations=self.generations,
        )


@lru_cache
def intended(flow: Flow) -> Offset:
    """Return the offset of the record's intent."""
    range_ = Range(Source(TOPIC, flow.partition), INCARNATION, flow.a, flow.a + 1)
    return Offset(flow.a, intent_metadata(range_, RULES, (), DAYS[flow.late_before]))


@lru_cache
def ended(position: int, late_before: int) -> Offset:
    """Return an offset with nothing open."""
    return Offset(position, commit_metadata(INCARNATION, DAYS[late_before]))


def put(world: World, i: int, worker: Worker) -> World:
    """Return the world with another worker ``i``."""
    a, b = world.workers
    return world._replace(workers=(worker, b) if i == 0 else (a, worker))


def changed(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """Return them with one changed."""
    return (*values[:index], value, *values[index + 1 :])
