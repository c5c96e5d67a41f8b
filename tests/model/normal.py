"""One form for states that no one can tell apart, so that each is explored once."""

from __future__ import annotations

from functools import lru_cache

from pipeline.protocol.chunks import Lease
from tests.model.group import accepts
from tests.model.state import (
    Group,
    Insert,
    LateCommit,
    LedgerRow,
    Scenario,
    Store,
    Worker,
    World,
    Write,
)


def normal(scenario: Scenario, world: World) -> World:
    """Forget what can have no effect any more, and number the generations from 1 without gaps."""
    commits, writes = world.late_commits, world.late_writes
    if commits:
        # A generation or member that is gone does not come back.
        commits = tuple(c for c in commits if accepts(world.group, c.generation, c.member))
    if writes:
        writes = tuple(w for w in writes if _may_matter(scenario, world.store, w))
    world = world._replace(late_commits=commits, late_writes=writes)
    used = sorted(_generations(world))
    if used == list(range(1, len(used) + 1)):
        return world
    return _renumbered(world, {old: new for new, old in enumerate(used, 1)})


def _may_matter(scenario: Scenario, store: Store, write: Write) -> bool:
    if isinstance(write, Insert):
        return not scenario.has("tokens") or write.token not in store.tables[write.table].tokens
    if isinstance(write, LedgerRow):
        return write not in store.ledger
    newest = dict(store.intents).get(write.incarnation)
    older = newest is not None and newest.a > write.intent.a
    return not (older and scenario.has("newest intent"))


@lru_cache(maxsize=1024)
def _joined(member: str) -> int:
    return int(member[2:]) if member else -1


def _generations(world: World) -> set[int]:
    group = world.group
    used = {group.generation, *map(_joined, group.members)}
    for worker in world.workers:
        used.add(worker.view[0])
        used.add(_joined(worker.view[1]))
        for lease in (worker.lease, worker.batch[0] if worker.batch else None):
            if lease is not None:
                used.add(lease.generation)
                used.add(_joined(lease.member_id))
    for commit in world.late_commits:
        used.add(commit.generation)
    used.discard(-1)
    used.discard(0)
    return used


def _renumbered(world: World, new: dict[int, int]) -> World:
    group = world.group
    group = Group(
        new.get(group.generation, group.generation),
        tuple(_member(member, new) for member in group.members),
        _member(group.owner, new),
        group.offset,
    )
    commits = tuple(
        LateCommit(new.get(c.generation, c.generation), _member(c.member, new), c.offset)
        for c in world.late_commits
    )
    a, b = world.workers
    return world._replace(
        group=group, late_commits=commits, workers=(_worker(a, new), _worker(b, new))
    )


def _worker(worker: Worker, new: dict[int, int]) -> Worker:
    batch = worker.batch
    return worker._replace(
        view=_pair(worker.view, new),
        lease=None if worker.lease is None else Lease(*_pair(worker.lease[:2], new)),
        batch=None if batch is None else (Lease(*_pair(batch[0][:2], new)), batch[1]),
    )


def _pair(pair: tuple[int, str], new: dict[int, int]) -> tuple[int, str]:
    return new.get(pair[0], pair[0]), _member(pair[1], new)


def _member(member: str, new: dict[int, int]) -> str:
    return f"{member[:2]}{new[int(member[2:])]}" if member else ""
