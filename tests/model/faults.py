"""What goes wrong, what arrives late, and what an operator does."""

from __future__ import annotations

from pipeline.protocol.chunks import commit_metadata
from tests.model.flush import order
from tests.model.group import accepts, in_group, rebalance
from tests.model.state import (
    INCARNATIONS,
    Group,
    Log,
    RecordIntent,
    Scenario,
    Steps,
    Worker,
    World,
    put,
    spend,
)
from tests.model.store import apply

STOPPED = ("down", "halted")


def steps(scenario: Scenario, world: World) -> Steps:
    """Yield what may happen outside the workers."""
    yield from _arrivals(scenario, world)
    yield from _members_expire(scenario, world)
    yield from _crashes(world)
    yield from _log(scenario, world)
    yield from _store(world)
    yield from _offsets_deleted(scenario, world)
    yield from _rewind(world)


def _arrivals(scenario: Scenario, world: World) -> Steps:
    for n, write in enumerate(world.late_writes):
        rest = world.late_writes[:n] + world.late_writes[n + 1 :]
        store = apply(scenario, world.store, write)
        yield f"late: {write}", False, world._replace(store=store, late_writes=rest)
    for n, commit in enumerate(world.late_commits):
        rest_ = world.late_commits[:n] + world.late_commits[n + 1 :]
        after = world._replace(late_commits=rest_)
        if accepts(world.group, commit.generation, commit.member):
            after = after._replace(group=world.group._replace(offset=commit.offset))
        yield f"late: commit of {commit.offset}", False, after


def _members_expire(scenario: Scenario, world: World) -> Steps:
    for member in world.group.members:
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


def _log(scenario: Scenario, world: World) -> Steps:
    log = world.log
    if log.last < scenario.records:
        yield "a record is appended", False, world._replace(log=log._replace(last=log.last + 1))
    spent = spend(world, "retention")
    if spent is not None and log.first < log.last:
        after = spent._replace(log=log._replace(first=log.first + 1))
        yield f"retention deletes {log.first}", True, after
    spent = spend(world, "recreate")
    if spent is not None and log.incarnation + 1 < len(INCARNATIONS):
        # Workers that read are stopped first; one that hangs in an insert is easily forgotten.
        stopped = _stop_readers(spent)._replace(
            log=Log(log.incarnation + 1, 0, scenario.world().log.last)
        )
        yield "the topic is made again, offsets stay", True, stopped
        after = stopped._replace(group=stopped.group._replace(offset=None))
        yield "the topic is made again", True, after


def _stop_readers(world: World) -> World:
    for i, worker in enumerate(world.workers):
        if worker.phase != "flush" or in_group(world, worker):
            world = put(world, i, Worker())
    return world._replace(group=world.group._replace(members=(), owner=""))


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
            group=world.group._replace(members=(), owner=""),
        )
        yield "the store is put back to its copy", True, after


def _offsets_deleted(scenario: Scenario, world: World) -> Steps:
    """Delete the group's offset; the broker refuses that while the group has members."""
    spent = spend(world, "delete")
    if spent is None or world.group.offset is None:
        return
    after = _stop_readers(spent)
    if _between_commit_and_row(scenario, after) and not scenario.zombies_at_delete:
        return
    yield "the offsets are deleted", True, after._replace(group=after.group._replace(offset=None))


def _between_commit_and_row(scenario: Scenario, world: World) -> bool:
    if any(isinstance(write, RecordIntent) for write in world.late_writes):
        return True
    return any(
        worker.phase == "flush" and order(scenario, worker)[worker.step] == "intent row"
        for worker in world.workers
    )


def _rewind(world: World) -> Steps:
    """``usage rewind --to-store``: every worker is stopped, the group is empty."""
    halted = [worker for worker in world.workers if worker.phase == "halted"]
    if not world.restored or not halted or world.group.members:
        return
    if any(worker.phase not in STOPPED for worker in world.workers):
        return
    metadata = commit_metadata(INCARNATIONS[world.log.incarnation])
    group: Group = world.group._replace(offset=(halted[0].a, metadata))
    yield "the operator rewinds", False, world._replace(group=group, workers=(Worker(), Worker()))
