"""A worker: what it does when it is assigned partitions, and how it seals what it reads.

One thing at a time: a worker that replays or gives up does not flush other partitions meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from pipeline.protocol.chunks import Lease, Member
from tests.model.groups.flush import flush, heed, said
from tests.model.groups.kafka import in_group, rebalance
from tests.model.groups.state import SHUT, Flow, Scenario, Steps, Worker, World, put
from tests.model.groups.store import ends
from tests.model.groups.takeover import planned


def steps(scenario: Scenario, world: World, i: int) -> Steps:
    """Yield what worker ``i`` may do next."""
    worker = world.workers[i]
    if worker.upcoming is not None and worker.phase != "unknown":
        yield f"worker {i} heeds the rebalance", False, put(world, i, heed(worker))
    if _may_notice(world, worker):
        yield f"worker {i} notices that it is no member", False, put(world, i, _notice(worker))
    yield from _ACTS[worker.phase](scenario, world, i, worker)


# Coming and going ------------------------------------------------------------------------------


def _start(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if i == 1 and not world.kafka.generation:
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
    at_rest = worker.phase in ("down", "out", "halted", "unknown")
    return not at_rest and not in_group(world, worker)


def _notice(worker: Worker) -> Worker:
    """Be told by a heartbeat."""
    return Worker("out", worker.rules)


def _leave(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    """After a commit of unknown result: be a new member before anything else."""
    out = Worker("out", worker.rules)
    if not in_group(world, worker):
        yield f"worker {i} leaves", False, put(world, i, out)
        return
    yield f"worker {i} leaves, but the request is lost", False, put(world, i, out)
    for what, after in rebalance(scenario, put(world, i, out), without=worker.view[1]):
        yield f"worker {i} leaves: {what}", False, after


# On assignment ---------------------------------------------------------------------------------


def _read(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    """Capture the lease and read the group's offsets; the store is read when it plans."""
    starts = worker.starts or (SHUT,) * len(scenario.records)
    after = worker._replace(
        phase="planning",
        lease=worker.lease or Lease(*worker.view),
        starts=starts,
        offsets=world.kafka.offsets,
    )
    yield f"worker {i} reads the group's offsets", False, put(world, i, after)


def _plan(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if scenario.torn and worker.early is None:
        covered = ends(world.store.ledger, len(scenario.records))
        early = worker._replace(early=(world.store.intents, covered[0]))
        yield f"worker {i} reads the intents and the first ledger", False, put(world, i, early)
        return
    what, after = planned(scenario, world, worker)
    yield f"worker {i} plans: {what}", False, put(world, i, after)


# Steps 1 and 2 ---------------------------------------------------------------------------------


def _seal(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if any(worker.starts[p] == SHUT for p in worker.mine):
        yield f"worker {i} looks again", False, put(world, i, worker._replace(phase="reading"))
    gone = [p for p in worker.mine if SHUT != worker.starts[p] < world.firsts[p]]
    if gone:
        starts = tuple(SHUT if p in gone else start for p, start in enumerate(worker.starts))
        again = worker._replace(phase="reading", starts=starts)
        yield f"worker {i} finds records of {gone} gone from the log", False, put(world, i, again)
        return
    ends = [
        [worker.starts[p], *range(worker.starts[p] + 1, scenario.records[p] + 1)]
        for p in worker.mine
    ]
    for positions in product(*ends):
        ranges = zip(worker.mine, positions, strict=True)
        members = tuple(
            Member(p, worker.starts[p], b) for p, b in ranges if b > worker.starts[p] != SHUT
        )
        if members:
            flow = Flow("chunk", members, members, worker.rules)
            sealed = worker._replace(phase="flush", flow=flow)
            for what, fault, after in flush(scenario, put(world, i, sealed), i, sealed):
                yield f"worker {i} seals {said(members)}; {what}", fault, after


_ACTS: dict[str, Callable[[Scenario, World, int, Worker], Steps]] = {
    "down": _start,
    "halted": _start,
    "out": _join,
    "idle": _rest,
    "assigned": _read,
    "reading": _read,
    "planning": _plan,
    "ready": _seal,
    "flush": flush,
    "unknown": _leave,
}
