"""A worker: steps 1 to 7 of the protocol, and what it does when it is assigned a partition.

Every function yields what may happen next. Those steps of one worker that nobody else can see or
disturb are taken as one.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.protocol.chunks import Lease, Range
from tests.model.flush import flush, heed, write_behind
from tests.model.group import in_group, rebalance
from tests.model.planning import decide
from tests.model.state import (
    INCARNATIONS,
    RESET,
    SOURCE,
    Log,
    Scenario,
    Steps,
    Worker,
    World,
    put,
)
from tests.model.store import end_of_coverage


def steps(scenario: Scenario, world: World, i: int) -> Steps:
    """Yield what worker ``i`` may do next."""
    worker = world.workers[i]
    if worker.upcoming and worker.phase != "unknown":
        yield f"worker {i} heeds the rebalance", False, put(world, i, heed(scenario, worker))
    if worker.phase != "unknown" and _may_notice(world, worker):
        yield f"worker {i} notices that it is no member", False, put(world, i, _notice(worker))
    yield from _ACTS[worker.phase](scenario, world, i, worker)
    if worker.behind is not None:
        yield from write_behind(scenario, world, i, worker)


# Coming and going ------------------------------------------------------------------------------


def _start(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if i == 1 and not world.group.generation:
        return  # the two are alike: worker 0 is the one that comes first
    for rules in scenario.rules:
        if worker.phase == "halted" and rules == worker.rules:
            continue  # it would only halt again
        for what, fault, after in _join(scenario, put(world, i, Worker("out", rules)), i, worker):
            yield f"worker {i} starts with rules {rules}; {what}", fault, after


def _join(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    for what, after in rebalance(scenario, world, joining=i):
        yield f"worker {i} joins: {what}", False, after


def _rest(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    return iter(())


def _may_notice(world: World, worker: Worker) -> bool:
    return worker.phase not in ("down", "out", "halted") and (
        worker.view != RESET and not in_group(world, worker)
    )


def _notice(worker: Worker) -> Worker:
    """Be told by a heartbeat. Between assignment and lease, the assignment goes on regardless."""
    if worker.phase == "assigned":
        return worker._replace(view=RESET)
    return Worker("out", worker.rules, batch=worker.batch)


def _leave(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    """After a commit of unknown result: be a new member before anything else."""
    if not scenario.has("leave the group"):
        again = Worker(worker.upcoming or "assigned", worker.rules, worker.view)
        yield f"worker {i} joins again, in the same generation", False, put(world, i, again)
        return
    out = Worker("out", worker.rules, batch=worker.batch)
    if not in_group(world, worker):
        yield f"worker {i} leaves", False, put(world, i, out)
        return
    yield f"worker {i} leaves, but the request is lost", False, put(world, i, out)
    for what, after in rebalance(scenario, put(world, i, out), without=worker.view[1]):
        yield f"worker {i} leaves: {what}", False, after


# On assignment ---------------------------------------------------------------------------------


def _capture(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    """Capture the lease and read the first of the two; the other is read when it plans."""
    captured = worker._replace(phase="reading", lease=Lease(*worker.view))
    yield from _read(scenario, world, i, captured)


def _read(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if scenario.has("offset read first"):
        after = worker._replace(phase="planning", offset=world.group.offset)
        yield f"worker {i} reads the group's offset", False, put(world, i, after)
        return
    covered = end_of_coverage(world.store, world.log.incarnation)
    intent = dict(world.store.intents).get(world.log.incarnation)
    after = worker._replace(phase="planning", covered=covered, intent=intent)
    yield f"worker {i} reads the store: {covered}, {intent}", False, put(world, i, after)


def _plan(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    what, after = decide(scenario, world, worker)
    yield f"worker {i} plans: {what}", False, put(world, i, after)


# Steps 1 and 2 ---------------------------------------------------------------------------------


def _seal(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    log, a = world.log, worker.a
    if log.first > a and scenario.has("retention check"):
        again = Worker("reading", worker.rules, worker.view, worker.upcoming, worker.lease)
        yield f"worker {i} finds {a} gone from the log", False, put(world, i, again)
        return
    positions = _positions(scenario, log, a)
    ends = positions
    if worker.replay_to is not None:
        reached = [p for p in positions if p >= worker.replay_to]
        if not scenario.has("replay ends behind its range"):
            reached = [p for p in reached if p == worker.replay_to]
        ends = [worker.replay_to] if reached else []
    for position in ends:
        sealed = _sealed(scenario, world, worker, position)
        for what, fault, after in flush(scenario, put(world, i, sealed), i, sealed):
            yield f"worker {i} seals {sealed.chunk}; {what}", fault, after


def _positions(scenario: Scenario, log: Log, a: int) -> list[int]:
    """Return where a consumer that starts at ``a`` can stand; it passes over holes at once."""
    positions = []
    for offset in range(a, log.last):
        position = offset + 1
        while position < log.last and position in scenario.holes:
            position += 1
        if position not in positions:
            positions.append(position)
    return positions


def _sealed(scenario: Scenario, world: World, worker: Worker, position: int) -> Worker:
    log, a = world.log, worker.a
    content = [o for o in range(max(a, log.first), position) if o not in scenario.holes]
    b = position
    if not scenario.has("end is the position") and content:
        b = content[-1] + 1
    if worker.batch is not None:
        lease, offset = worker.batch
        if lease != worker.lease and not scenario.has("stale batches dropped"):
            content = [offset, *(o for o in content if o != offset or offset >= a)]
    chunk = Range(SOURCE, INCARNATIONS[log.incarnation], a, b)
    return worker._replace(
        phase="flush",
        kind="chunk" if worker.replay_to is None else "replay",
        replay_to=None,
        chunk=chunk,
        content=tuple(content),
        position=max(position, b),
        batch=None,
        step=0,
    )


_ACTS: dict[str, Callable[[Scenario, World, int, Worker], Steps]] = {
    "down": _start,
    "halted": _start,
    "out": _join,
    "idle": _rest,
    "assigned": _capture,
    "reading": _read,
    "planning": _plan,
    "ready": _seal,
    "flush": flush,
    "unknown": _leave,
}
