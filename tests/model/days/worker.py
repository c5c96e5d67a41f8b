"""The group, its workers, and records on their way."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from pipeline.protocol.chunks import Intent, Offset, read_commit
from pipeline.protocol.late import given_out, said
from tests.model.days.state import (
    DAYS,
    INCARNATION,
    LAST,
    RULES,
    Flow,
    Scenario,
    Steps,
    Store,
    Worker,
    World,
    changed,
    ended,
    intended,
    level,
    put,
)

FLOW = ("intend", "intent row", "quarters", "days", "months", "ledger", "commit")
WRITTEN = {"quarters": "012", "days": "12", "months": "2"}
"""Which levels a record's insert writes into which table."""
FENCED = ("intend", "commit")


def rebalances(scenario: Scenario, world: World) -> Steps:
    """Yield new generations: any members, any owners, a leader whose clock says any day."""
    living = [i for i, worker in enumerate(world.workers) if worker.phase != "down"]
    if living:
        yield from _last(scenario, world, living)
    if not world.generations:
        return
    fewer = world._replace(generations=world.generations - 1)
    for comes in product((True, False), repeat=len(living)):
        coming = [i for i, does in zip(living, comes, strict=True) if does]
        known = [DAYS[world.workers[i].known] for i in coming]
        given = {given_out([*known, DAYS[clock]]) for clock in range(scenario.first, LAST + 1)}
        for owners in product(coming, repeat=len(scenario.records)):
            for day in sorted(day for day in given if day is not None):
                what = f"a generation of {day:%d %b}, owners {owners}, members {coming}"
                yield what, True, _begun(fewer, coming, owners, DAYS.index(day))


def _last(scenario: Scenario, world: World, living: list[int]) -> Steps:
    """Let one have all, on the last day, if that is not so yet."""
    one = world.workers[living[0]]
    owners = (living[0],) * len(scenario.records)
    if one.current and one.given == LAST and len(one.mine) == len(owners):
        return
    yield "a generation of the last day", False, _begun(world, living[:1], owners, LAST)


def _begun(world: World, coming: list[int], owners: tuple[int, ...], day: int) -> World:
    for i, worker in enumerate(world.workers):
        look = worker.look and worker.look._replace(current=False)
        worker = worker._replace(current=False, look=look)
        if i in coming:
            mine = tuple(p for p, owner in enumerate(owners) if owner == i)
            told = max(day, worker.known)
            worker = Worker("joined", True, told, day, day, mine, look=look, settle=worker.settle)
        world = put(world, i, worker)
    return world


def crashes(world: World) -> Steps:
    """Yield the end of either process; a statement that it has sent goes on."""
    for i, worker in enumerate(world.workers):
        if worker.phase != "down" and world.crashes:
            after = put(world._replace(crashes=world.crashes - 1), i, Worker())
            if worker.settle is not None and worker.settle.block is not None:
                after = after._replace(orphans=(*world.orphans, worker.settle))
            yield f"worker {i} crashes", True, after


def steps(scenario: Scenario, world: World, i: int) -> Steps:
    """Yield what worker ``i`` may do next."""
    worker = world.workers[i]
    if worker.phase == "down":
        if i >= scenario.workers:
            return
        known = max(world.store.settled, world.store.rows[0])
        yield f"worker {i} starts", False, put(world, i, Worker("out", known=known))
    elif worker.flow is not None:
        yield from _flow(scenario, world, i, worker, worker.flow)
    elif worker.phase == "joined":
        reading = worker._replace(phase="reading", seen=world.offsets)
        yield f"worker {i} reads the offsets", False, put(world, i, reading)
    elif worker.phase == "reading":
        what, after = _planned(scenario, world, worker)
        yield f"worker {i} {what}", False, put(world, i, after)
    elif worker.phase == "ready":
        yield from _seals(scenario, world, i, worker)


def _planned(scenario: Scenario, world: World, worker: Worker) -> tuple[str, Worker]:
    day = max(worker.late_before, world.store.rows[0])
    if scenario.has("what offsets say"):
        day = max(day, latest(worker.seen))
    worker = worker._replace(late_before=day, known=max(day, worker.known))
    covered = world.store.covered
    ready = worker._replace(phase="ready", seen=(), starts=covered)
    for p in worker.mine:
        for intent in (world.store.intents[p], named(worker.seen[p])):
            if intent is not None and intent.a == covered[p]:
                assert intent.late_before is not None
                day = DAYS.index(intent.late_before)
                if not scenario.has("the intent's day"):
                    day = worker.late_before
                return f"replays {p}", ready._replace(flow=Flow(p, intent.a, day, is_replay=True))
    return "takes up", ready


@lru_cache(maxsize=1 << 14)
def latest(offsets: tuple[Offset, ...]) -> int:
    """Return the latest day that these say."""
    day = said(offsets)
    return 0 if day is None else DAYS.index(day)


@lru_cache(maxsize=1 << 14)
def named(offset: Offset) -> Intent | None:
    """Return the intent that the offset names."""
    return read_commit(*offset, INCARNATION)[1]


def _seals(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    for p in worker.mine:
        if worker.starts[p] == len(scenario.records[p]):
            continue
        days = [worker.late_before]
        if not scenario.has("the generation's day"):
            days = [*range(scenario.first, LAST + 1)]
        for day in days:
            flow = Flow(p, worker.starts[p], day)
            for what, fault, after in _flow(scenario, world, i, worker, flow):
                yield f"of {p}, before {DAYS[day]}: {what}", fault, after


def _flow(scenario: Scenario, world: World, i: int, worker: Worker, flow: Flow) -> Steps:
    name, p = FLOW[flow.step], flow.partition
    after = worker._replace(flow=_next(scenario, flow))
    if name in FENCED:
        if not worker.current:
            out = Worker("out", known=worker.known, look=worker.look, settle=worker.settle)
            yield f"worker {i} is fenced", False, put(world, i, out)
            return
        offset = intended(flow)
        if name == "commit":
            offset = ended(flow.a + 1, max(flow.late_before, worker.late_before))
            phase = "joined" if flow.is_replay else "ready"
            starts = changed(worker.starts, p, flow.a + 1)
            after = worker._replace(flow=None, phase=phase, starts=starts)
        world = world._replace(offsets=changed(world.offsets, p, offset))
    else:
        world = world._replace(store=_written(scenario, world.store, flow, name))
    yield f"worker {i}: {name} of {p} [{flow.a}]", False, put(world, i, after)


def _next(scenario: Scenario, flow: Flow) -> Flow:
    """Return it behind its step, and behind those that have nothing to write."""
    late = level(scenario.cells[scenario.at(flow.partition, flow.a)], flow.late_before)
    step = flow.step + 1
    while step < len(FLOW) and late not in WRITTEN.get(FLOW[step], late):
        step += 1
    return flow._replace(step=step)


def _written(scenario: Scenario, store: Store, flow: Flow, name: str) -> Store:
    p, a = flow.partition, flow.a
    cell = scenario.at(p, a)
    late = level(scenario.cells[cell], flow.late_before)
    if name == "intent row":
        old = store.intents[p]
        if old is None or old.a <= a:
            intent = Intent(a, a + 1, RULES, (), DAYS[flow.late_before])
            intents = tuple(intent if q == p else one for q, one in enumerate(store.intents))
            return store._replace(intents=intents)
        return store
    if name == "ledger":
        ends = enumerate(store.covered)
        return store._replace(covered=tuple(max(e, a + 1) if q == p else e for q, e in ends))
    return inserted(store, name, cell, late)


def inserted(store: Store, table: str, cell: int, late: str) -> Store:
    """Insert the record under its token: a second time, nothing."""
    values: tuple[str, ...] = getattr(store, table)
    if late not in WRITTEN[table] or any(mark in values[cell] for mark in "012"):
        return store
    values = changed(values, cell, values[cell] + late)
    return store._replace(**{table: values})  # type: ignore[arg-type]
