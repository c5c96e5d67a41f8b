"""What the world consists of: immutable, hashable, small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.protocol.chunks import Intent, Lease, Range, Source

SOURCE = Source("log", 0)
INCARNATIONS = ("first", "second")
RESET = (-1, "")
"""What a coordinator is at when the broker has told it that it is no member any more."""

FAULTS = (
    "crash",  # a worker is killed
    "kick",  # the session of a living worker expires: it goes on as a zombie until it notices
    "unknown",  # a commit's answer is lost; it was applied, or will be at any time, or never
    "late",  # an insert's answer is lost, and it takes effect at any time, or never
    "delete",  # the group's offsets expire or are deleted
    "retention",  # the log's first record is deleted
    "restore",  # the store is put back to an older copy
    "recreate",  # the topic is deleted and made again
)


class Log(NamedTuple):
    """The partition's log."""

    incarnation: int
    first: int
    last: int


class Group(NamedTuple):
    """What Kafka's group coordinator keeps."""

    generation: int = 0
    members: tuple[str, ...] = ()
    owner: str = ""
    offset: tuple[int, str] | None = None
    """The committed offset and its metadata."""


class LedgerRow(NamedTuple):
    """A row of ``chunks``."""

    incarnation: int
    a: int
    b: int
    kind: str


class Table(NamedTuple):
    """One table of counts: for each record the rules by which it was counted, one letter each."""

    cells: tuple[str, ...]
    tokens: frozenset[str] = frozenset()


class Store(NamedTuple):
    """What ClickHouse keeps."""

    tables: tuple[Table, ...]
    ledger: tuple[LedgerRow, ...] = ()
    intents: tuple[tuple[int, Intent], ...] = ()
    """Of each incarnation the newest."""


class Insert(NamedTuple):
    """A chunk's rows for one table."""

    table: int
    token: str
    cells: tuple[int, ...]
    rules: str


class RecordIntent(NamedTuple):
    """A row for ``intents``."""

    incarnation: int
    intent: Intent


Write = Insert | RecordIntent | LedgerRow
"""What can be sent to the store."""


class LateCommit(NamedTuple):
    """A commit under way, whose sender has given up waiting."""

    generation: int
    member: str
    offset: tuple[int, str]


class Worker(NamedTuple):
    """One process. What its phase does not need is left at its default, so that states meet."""

    phase: str = "down"
    rules: str = ""
    view: tuple[int, str] = RESET
    """Generation and member id that its coordinator is at; changes in the background."""
    upcoming: str = ""
    """The phase that a rebalance, not yet heeded, leads to."""
    lease: Lease | None = None
    covered: int | None = None
    intent: Intent | None = None
    offset: tuple[int, str] | None = None
    """What it read of the store and the group, before it plans."""
    a: int = 0
    """Where the open chunk begins; of a halted worker: where the ledger ends."""
    replay_to: int | None = None
    chunk: Range | None = None
    kind: str = ""
    """Of the chunk under way: chunk, replay or lost."""
    content: tuple[int, ...] = ()
    """The offsets of the records in the chunk."""
    position: int = 0
    step: int = 0
    attempts: int = 0
    batch: tuple[Lease, int] | None = None
    """A fetched record still in the agent's buffer, and the assignment it was fetched under."""
    behind: tuple[Range, tuple[int, ...], int] | None = None
    """Only without the rule of one chunk at a time: an older chunk and its step."""


class World(NamedTuple):
    """Everything."""

    log: Log
    group: Group
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


class Violation(Exception):
    """Something that must not be."""


@dataclass(frozen=True)
class Scenario:
    """How large the world is and what may go wrong in it."""

    records: int = 3
    """Offsets that the log gets in each incarnation."""
    at_start: int | None = None
    """Those there from the start; all by default."""
    holes: frozenset[int] = frozenset()
    """Offsets without a record: control records."""
    faults: tuple[tuple[str, int], ...] = ()
    """How often each fault may happen."""
    in_all: int = 2
    """How many faults may happen in all."""
    rules: tuple[str, ...] = ("A",)
    """Digests of the releases that a worker may be started with."""
    buffers: bool = False
    """Whether fetched batches may outlive an assignment in the agent's buffer."""
    without: frozenset[str] = frozenset()
    """Safeguards that are taken out."""
    zombies_at_delete: bool = False
    """Whether offsets may be deleted while a worker stands between its intent's commit and row."""
    tables: int = 2
    first_budget: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        allowed = dict(self.faults)
        assert set(allowed) <= set(FAULTS)
        budget = (*(allowed.get(fault, 0) for fault in FAULTS), self.in_all)
        object.__setattr__(self, "first_budget", budget)

    def has(self, safeguard: str) -> bool:
        """Say whether a safeguard is in its place."""
        return safeguard not in self.without

    def world(self) -> World:
        """Return the world before anything happens."""
        cells = ("",) * (self.records * len(INCARNATIONS))
        at_start = self.records if self.at_start is None else self.at_start
        return World(
            log=Log(0, 0, at_start),
            group=Group(),
            store=Store((Table(cells),) * self.tables),
            late_writes=(),
            late_commits=(),
            workers=(Worker(), Worker()),
            budget=self.first_budget,
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
