"""What the world of groups consists of: immutable, hashable, small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.protocol.chunks import (
    Intent,
    Lease,
    Member,
    Members,
    Range,
    Source,
    intent_metadata,
)

TOPIC, INCARNATION = "log", "first"
RESET = (-1, "")
"""What a coordinator is at when the broker has told it that it is no member any more."""
SHUT = -1
"""In place of a position: the partition is not this worker's, or its gate is still shut."""

FAULTS = (
    "crash",  # a worker is killed
    "kick",  # the session of a living worker expires: it goes on as a zombie until it notices
    "unknown",  # a commit's answer is lost; it was applied, in part or later, or never
    "late",  # an insert's answer is lost, and it takes effect at any time, or never
    "delete",  # the group's offsets expire or are deleted
    "forget",  # one partition's offset is lost, even while a zombie writes
    "strip",  # one partition's offset loses its metadata, to another tool
    "retention",  # a partition's first record is deleted
    "restore",  # the store is put back to an older copy
)

Offset = tuple[int, str] | None
"""A committed offset and its metadata."""


class Coordinator(NamedTuple):
    """What Kafka's group coordinator keeps."""

    offsets: tuple[Offset, ...]
    generation: int = 0
    members: tuple[str, ...] = ()


class LedgerRow(NamedTuple):
    """A row of ``chunks``."""

    partition: int
    a: int
    b: int
    kind: str


class Table(NamedTuple):
    """One table of counts: for each record the rules by which it was counted, one letter each."""

    cells: tuple[str, ...]
    tokens: frozenset[Members] = frozenset()


class Store(NamedTuple):
    """What ClickHouse keeps."""

    tables: tuple[Table, ...]
    intents: tuple[Intent | None, ...]
    """Of each partition the newest."""
    ledger: tuple[LedgerRow, ...] = ()


class Insert(NamedTuple):
    """A group's rows for one table."""

    table: int
    token: Members
    cells: tuple[int, ...]
    rules: str


class RecordIntents(NamedTuple):
    """One insert into ``intents``."""

    rows: tuple[tuple[int, Intent], ...]


class RecordChunks(NamedTuple):
    """One insert into ``chunks``."""

    rows: tuple[LedgerRow, ...]


Write = Insert | RecordIntents | RecordChunks
"""What can be sent to the store."""


class LateCommit(NamedTuple):
    """A commit under way, whose sender has given up waiting."""

    generation: int
    member: str
    offsets: tuple[tuple[int, Offset], ...]


class Flow(NamedTuple):
    """What a worker takes through steps 3 to 7."""

    kind: str
    """chunk, replay or lost."""
    members: Members
    """All of the group: they are its name."""
    left: Members
    """Those whose rows are made."""
    rules: str
    """By which they are announced."""
    step: int = 0


class Worker(NamedTuple):
    """One process. What its phase does not need is left at its default, so that states meet."""

    phase: str = "down"
    rules: str = ""
    view: tuple[int, str] = RESET
    """Generation and member id that its coordinator is at; changes in the background."""
    mine: tuple[int, ...] = ()
    """The partitions of the assignment that it works under."""
    upcoming: tuple[int, ...] | None = None
    """Those of a rebalance that it has not heeded yet."""
    lease: Lease | None = None
    starts: tuple[int, ...] = ()
    """Where each partition's open chunk begins, or `SHUT`."""
    offsets: tuple[Offset, ...] | None = None
    """What it read of the group, before it reads the store and plans."""
    early: tuple[tuple[Intent | None, ...], int | None] | None = None
    """Where it reads the store piece by piece: all intents, and where the first ledger ends."""
    flow: Flow | None = None


class World(NamedTuple):
    """Everything."""

    firsts: tuple[int, ...]
    """The first offset of each partition's log."""
    kafka: Coordinator
    store: Store
    late_writes: tuple[Write, ...]
    late_commits: tuple[LateCommit, ...]
    workers: tuple[Worker, Worker]
    budget: tuple[int, ...]
    """Faults left, of each kind and in all."""
    copy: Store | None = None
    restored: bool = False


Step = tuple[str, bool, World]
"""What happens, whether it is a fault, and the world after it."""
Steps = Iterator[Step]


@dataclass(frozen=True)
class Scenario:
    """How large the world is and what may go wrong in it."""

    records: tuple[int, ...] = (1, 1)
    """In each partition's log, from the start."""
    faults: tuple[tuple[str, int], ...] = ()
    """How often each fault may happen."""
    in_all: int = 2
    """How many faults may happen in all."""
    rules: tuple[str, ...] = ("A",)
    """Digests of the releases that a worker may be started with."""
    without: frozenset[str] = frozenset()
    """Safeguards that are taken out."""
    tables: int = 2
    torn: bool = False
    """Whether the partitions' ledgers are read one after the other."""
    ledger_late: bool = False
    """Begins when a group of first records is in every table, its ledger rows on their way."""
    hung: bool = False
    """Begins when a group of first records is announced in Kafka alone, by a worker that hangs."""
    first_budget: tuple[int, ...] = field(init=False)
    at: tuple[int, ...] = field(init=False)
    """Where each partition's cells begin."""

    def __post_init__(self) -> None:
        allowed = dict(self.faults)
        assert set(allowed) <= set(FAULTS)
        budget = (*(allowed.get(fault, 0) for fault in FAULTS), self.in_all)
        object.__setattr__(self, "first_budget", budget)
        at = tuple(sum(self.records[:p]) for p in range(len(self.records)))
        object.__setattr__(self, "at", at)

    def has(self, safeguard: str) -> bool:
        """Say whether a safeguard is in its place."""
        return safeguard not in self.without

    @property
    def partitions(self) -> range:
        """Their numbers."""
        return range(len(self.records))

    def world(self) -> World:
        """Return the world before anything happens."""
        number = len(self.records)
        world = World(
            firsts=(0,) * number,
            kafka=Coordinator((None,) * number),
            store=Store((Table(("",) * sum(self.records)),) * self.tables, (None,) * number),
            late_writes=(),
            late_commits=(),
            workers=(Worker(), Worker()),
            budget=self.first_budget,
        )
        if self.ledger_late:
            return self._inserted(world)
        return self._announced(world) if self.hung else world

    @property
    def _firsts(self) -> Members:
        return tuple(Member(p, 0, 1) for p in self.partitions)

    def _offsets(self) -> tuple[Offset, ...]:
        return tuple(
            (0, intent_metadata(Range(Source(TOPIC, p), INCARNATION, 0, 1), "A", self._firsts))
            for p in self.partitions
        )

    def _announced(self, world: World) -> World:
        flow = Flow("chunk", self._firsts, self._firsts, "A", 1)
        hung = Worker("flush", "A", mine=tuple(self.partitions), lease=Lease(*RESET), flow=flow)
        kafka = Coordinator(self._offsets(), generation=1)
        return world._replace(kafka=kafka, workers=(hung, Worker()))

    def _inserted(self, world: World) -> World:
        members = self._firsts
        cells = ["A" if cell in self.at else "" for cell in range(sum(self.records))]
        intents = tuple(Intent(0, 1, "A", members) for _ in self.partitions)
        tables = (Table(tuple(cells), frozenset({members})),) * self.tables
        ledger = RecordChunks(tuple(LedgerRow(p, 0, 1, "chunk") for p in self.partitions))
        return world._replace(
            kafka=Coordinator(self._offsets()), store=Store(tables, intents), late_writes=(ledger,)
        )


def spend(world: World, fault: str) -> World | None:
    """Take one fault of the kind from the budget; None when there is none left."""
    budget = world.budget
    kind = FAULTS.index(fault)
    if not budget[kind] or not budget[-1]:
        return None
    left = list(budget)
    left[kind] -= 1
    left[-1] -= 1
    return world._replace(budget=tuple(left))


def put(world: World, i: int, worker: Worker) -> World:
    """Return the world with another worker ``i``."""
    a, b = world.workers
    return world._replace(workers=(worker, b) if i == 0 else (a, worker))
