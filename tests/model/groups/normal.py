"""One form for states that no one can tell apart, so that each is explored once.

What is dropped here can have no effect any more, whatever comes:

- a worker whose lease is over and which has nothing to send to the store is where its next commit,
  which is fenced, will take it; one that writes (a zombie) keeps what it writes, and no more;
- all members of Kafka's group are in its newest generation, so its number says nothing;
- an announcement of a range that the ledger covers says nothing, for the ledger only grows; nor
  does the token of a group that nobody can send again. Not so where a store may be put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pipeline.protocol.chunks import Intent, Lease, Members, read_commit
from tests.model.groups.flush import heed, order
from tests.model.groups.kafka import accepts
from tests.model.groups.state import (
    INCARNATION,
    RESET,
    Coordinator,
    Insert,
    LateCommit,
    Offset,
    RecordChunks,
    RecordIntents,
    Scenario,
    Store,
    Worker,
    World,
    Write,
)
from tests.model.groups.store import ends

OVER = Lease(*RESET)
"""In place of any lease that does not hold any more."""


def normal(scenario: Scenario, world: World) -> World:
    """Return the world in the one form that all its likes have."""
    commits, writes = world.late_commits, world.late_writes
    if commits:
        commits = tuple(c for c in commits if accepts(world.kafka, c.generation, c.member))
    if writes:
        writes = tuple(sorted({w for w in writes if _may_matter(world.store, w)}, key=repr))
    a, b = (_settled(scenario, world, worker) for worker in world.workers)
    budget = world.budget if world.budget[-1] else (0,) * len(world.budget)
    world = world._replace(late_commits=commits, late_writes=writes, workers=(a, b), budget=budget)
    if not any(fault == "restore" for fault, _ in scenario.faults):
        world = _forgotten(scenario, world)
    return _renamed(world)


def _may_matter(store: Store, write: Write) -> bool:
    if isinstance(write, Insert):
        return write.token not in store.tables[write.table].tokens
    if isinstance(write, RecordChunks):
        return any(row not in store.ledger for row in write.rows)
    newest = ((store.intents[p], intent) for p, intent in write.rows)
    return any(old is None or old.a <= intent.a for old, intent in newest)


# Workers -----------------------------------------------------------------------------------------


def _settled(scenario: Scenario, world: World, worker: Worker) -> Worker:
    if worker.phase in ("down", "out", "halted", "idle"):
        return worker
    is_member = worker.view[1] in world.kafka.members
    if worker.phase == "unknown":
        return Worker("unknown", worker.rules, worker.view if is_member else RESET)
    if is_member and worker.upcoming is None:
        return worker
    if not _writes(scenario, worker):
        return heed(worker) if is_member else Worker("out", worker.rules)
    if not is_member:
        return Worker("flush", worker.rules, RESET, worker.mine, None, OVER, flow=worker.flow)
    return worker._replace(lease=OVER, starts=())


def _writes(scenario: Scenario, worker: Worker) -> bool:
    flow = worker.flow
    return flow is not None and order(scenario, flow)[flow.step] not in ("intend", "commit")


# What is in Kafka and in the store ---------------------------------------------------------------


def _forgotten(scenario: Scenario, world: World) -> World:
    store, covered = world.store, ends(world.store.ledger, len(scenario.records))
    intents = tuple(
        None if intent is not None and _is_over(p, intent, covered) else intent
        for p, intent in enumerate(store.intents)
    )
    offsets = _telling(world.kafka.offsets, covered)
    store = store._replace(intents=intents)
    world = world._replace(store=store, kafka=world.kafka._replace(offsets=offsets))
    a, b = (
        w if w.offsets is None or w.early else w._replace(offsets=_telling(w.offsets, covered))
        for w in world.workers
    )
    world = world._replace(workers=(a, b))
    tokens = frozenset().union(*(table.tokens for table in store.tables))
    gone = {t for t in tokens if _is_closed(covered, t)} - set(_sendable(world))
    if not gone:
        return world
    tables = tuple(table._replace(tokens=table.tokens - gone) for table in store.tables)
    return world._replace(store=store._replace(tables=tables))


def _is_over(p: int, intent: Intent, covered: tuple[int | None, ...]) -> bool:
    return intent.a < (covered[p] or 0) and _is_closed(covered, intent.members)


@lru_cache(maxsize=1 << 15)
def _telling(offsets: tuple[Offset, ...], covered: tuple[int | None, ...]) -> tuple[Offset, ...]:
    return tuple(
        offset if offset is None or _tells(p, offset, covered) else None
        for p, offset in enumerate(offsets)
    )


def _tells(p: int, offset: tuple[int, str], covered: tuple[int | None, ...]) -> bool:
    committed, named = read_commit(*offset, INCARNATION)
    end = covered[p]
    if end is None or (committed or 0) > end or (named is not None and named.a == end):
        return True
    return named is not None and not _is_closed(covered, named.members)


def _is_closed(covered: tuple[int | None, ...], members: Members) -> bool:
    return all((covered[p] or 0) > a for p, a, _ in members)


def _sendable(world: World) -> Iterator[Members]:
    for worker in world.workers:
        if worker.flow is not None:
            yield worker.flow.members
        if worker.early is not None:  # where its ledger was read, its group may still be open
            yield from (intent.members for intent in worker.early[0] if intent is not None)
            yield from _named(worker.offsets or ())
    for write in world.late_writes:
        if isinstance(write, Insert):
            yield write.token
        elif isinstance(write, RecordIntents):
            for _, intent in write.rows:
                yield intent.members


def _named(offsets: tuple[Offset, ...]) -> Iterator[Members]:
    for offset in offsets:
        _, named = (None, None) if offset is None else read_commit(*offset, INCARNATION)
        if named is not None:
            yield named.members


# The group ---------------------------------------------------------------------------------------


def _renamed(world: World) -> World:
    """Call the group's members by worker, those that are gone behind them; generation 1."""
    members = world.kafka.members
    known = [w.view[1] for w in world.workers if w.view[1] in members]
    late = sorted({c.member for c in world.late_commits} - set(known))
    rest = [m for m in members if m not in known and m not in late]
    names = {old: f"m{n}" for n, old in enumerate((*known, *late, *rest))}
    kafka = Coordinator(world.kafka.offsets, 1 if world.kafka.generation else 0, ())
    kafka = kafka._replace(members=tuple(names[m] for m in (*known, *late, *rest)))
    commits = tuple(LateCommit(1, names[c.member], c.offsets) for c in world.late_commits)
    a, b = (_with_name(worker, names) for worker in world.workers)
    return world._replace(kafka=kafka, late_commits=commits, workers=(a, b))


def _with_name(worker: Worker, names: dict[str, str]) -> Worker:
    name = names.get(worker.view[1])
    if name is None:
        return worker if worker.view == RESET else worker._replace(view=RESET)
    lease = worker.lease
    if lease is not None and lease != OVER:
        lease = Lease(1, name)
    return worker._replace(view=(1, name), lease=lease)
