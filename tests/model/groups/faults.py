"""What goes wrong, what arrives late, and what an operator does."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.protocol.chunks import Members, commit_metadata
from tests.model.groups.flush import order
from tests.model.groups.kafka import accepts, commit, in_group, rebalance
from tests.model.groups.state import (
    INCARNATION,
    RecordIntents,
    Scenario,
    Steps,
    Worker,
    World,
    put,
    spend,
)
from tests.model.groups.store import apply, ends

STOPPED = ("down", "halted")


def steps(scenario: Scenario, world: World) -> Steps:
    """Yield what may happen outside the workers."""
    yield from _arrivals(scenario, world)
    yield from _members_expire(scenario, world)
    yield from _crashes(world)
    yield from _retention(scenario, world)
    yield from _store(world)
    yield from _offsets(scenario, world)
    yield from _rewind(scenario, world)


def _arrivals(scenario: Scenario, world: World) -> Steps:
    for n, write in enumerate(world.late_writes):
        rest = world.late_writes[:n] + world.late_writes[n + 1 :]
        store = apply(scenario, world.store, write)
        yield f"late: {write}", False, world._replace(store=store, late_writes=rest)
    for n, late in enumerate(world.late_commits):
        after = world._replace(late_commits=world.late_commits[:n] + world.late_commits[n + 1 :])
        if accepts(world.kafka, late.generation, late.member):
            after = commit(after, late.offsets)
        yield f"late: commit of {late.offsets}", False, after


def _members_expire(scenario: Scenario, world: World) -> Steps:
    for member in world.kafka.members:
        living = any(w.view[1] == member and w.phase not in STOPPED for w in world.workers)
        before = spend(world, "kick") if living else world
        if before is not None:
            for what, after in rebalance(scenario, before, without=member):
                yield f"member {member} expires: {what}", living, after


def _crashes(world: World) -> Steps:
    for i, worker in enumerate(world.workers):
        spent = spend(world, "crash")
        if spent is not None and worker.phase not in STOPPED:
            yield f"worker {i} crashes", True, put(spent, i, Worker())


def _retention(scenario: Scenario, world: World) -> Steps:
    spent = spend(world, "retention")
    if spent is None:
        return
    for p in scenario.partitions:
        if world.firsts[p] < scenario.records[p]:
            firsts = tuple(first + (q == p) for q, first in enumerate(world.firsts))
            what = f"retention deletes {world.firsts[p]} of {p}"
            yield what, True, spent._replace(firsts=firsts)


def _stop_readers(world: World) -> World:
    """Stop the workers; one that the group has expelled and that hangs is easily forgotten."""
    for i, worker in enumerate(world.workers):
        if worker.phase != "flush" or in_group(world, worker):
            world = put(world, i, Worker())
    return world._replace(kafka=world.kafka._replace(members=()))


def _store(world: World) -> Steps:
    spent = spend(world, "restore")
    if spent is not None and world.copy is None and not world.restored:
        yield "the store is copied", True, spent._replace(copy=world.store)
    if world.copy is not None:
        # The operator stops the workers, and the store: what was on its way is refused.
        after = world._replace(
            store=world.copy,
            copy=None,
            restored=True,
            late_writes=(),
            workers=(Worker(), Worker()),
            kafka=world.kafka._replace(members=()),
        )
        yield "the store is put back to its copy", True, after


def _offsets(scenario: Scenario, world: World) -> Steps:
    """Lose offsets: all of them, one, or what one says.

    Where nothing is left that names a range, no expelled worker may stand between its intent's
    commit and its rows (`tests.model.safeguards.KNOWN_LIMIT`). A group's members name each other.
    """
    spent = spend(world, "delete")
    if spent is not None and any(world.kafka.offsets):
        after = _stop_readers(spent)
        if not any(True for _ in _unrecorded(scenario, after)):
            none = tuple((p, None) for p in scenario.partitions)
            yield "the offsets are deleted", True, commit(after, none)
    for p, offset in enumerate(world.kafka.offsets):
        if offset is None:
            continue
        stopped = _stop_readers(world)
        if any(len(m) == 1 and m[0].partition == p for m in _unrecorded(scenario, stopped)):
            continue
        spent = spend(stopped, "forget")
        if spent is not None:
            yield f"the offset of {p} is lost", True, commit(spent, ((p, None),))
        spent = spend(stopped, "strip")
        if spent is not None and offset[1]:
            bare = (p, (offset[0], ""))
            yield f"the metadata of {p} is lost", True, commit(spent, (bare,))


def _unrecorded(scenario: Scenario, world: World) -> Iterator[Members]:
    """Yield the groups whose rows may yet be written to ``intents``."""
    for write in world.late_writes:
        if isinstance(write, RecordIntents):
            yield write.rows[0][1].members
    for worker in world.workers:
        flow = worker.flow
        if flow is not None and order(scenario, flow)[flow.step] == "intent rows":
            yield flow.members


def _rewind(scenario: Scenario, world: World) -> Steps:
    """``usage rewind --to-store``: every worker is stopped, the group is empty."""
    if not world.restored or world.kafka.members:
        return
    if any(worker.phase not in STOPPED for worker in world.workers):
        return
    covered = ends(world.store.ledger, len(scenario.records))
    ahead = [p for p, o in enumerate(world.kafka.offsets) if o and o[0] > (covered[p] or 0)]
    if ahead:
        back = tuple((p, (covered[p] or 0, commit_metadata(INCARNATION))) for p in ahead)
        after = commit(world, back)._replace(workers=(Worker(), Worker()))
        yield "the operator rewinds", False, after
