"""What may happen, what must hold, and one form for states that no one can tell apart."""

from __future__ import annotations

from functools import lru_cache

from tests.model.days import settling, worker
from tests.model.days.state import DAYS, LAST, Scenario, Steps, Store, Worker, World
from tests.model.days.worker import FENCED, FLOW
from tests.model.state import Violation


def steps(scenario: Scenario, world: World) -> Steps:
    """Yield all that may happen next."""
    for i in range(2):
        yield from worker.steps(scenario, world, i)
        yield from settling.looks(scenario, world, i)
        yield from settling.settles(scenario, world, i)
    yield from settling.orphans(scenario, world)
    yield from settling.again(scenario, world)
    yield from settling.others(scenario, world)
    yield from worker.rebalances(scenario, world)
    yield from worker.crashes(world)


def check(scenario: Scenario, world: World) -> None:
    """Raise `Violation` when a state is wrong."""
    counted = world.other.step in ("recorded", "end") and scenario.other is not None
    wrong = _counted_twice(world.store)
    if scenario.is_patient:
        wrong = wrong or _missing(scenario, world.store, counted)
    if wrong:
        raise Violation(wrong)


@lru_cache(maxsize=1 << 18)
def _counted_twice(store: Store) -> str:
    for table in (store.quarters, store.days, store.months):
        for cell, marks in enumerate(table):
            if len(marks) > 1:
                return f"record {cell} is counted {len(marks)} times"
    return ""


@lru_cache(maxsize=1 << 18)
def _missing(scenario: Scenario, store: Store, other_counted: bool) -> str:
    own = len(scenario.cells) - (scenario.other is not None)
    covered = {scenario.at(p, a) for p, end in enumerate(store.covered) for a in range(end)}
    covered |= {own} if other_counted else set()
    for cell in sorted(covered):
        if not store.quarters[cell]:
            return f"record {cell} is in the ledger, not in the quarters"
        day = scenario.cells[cell]
        if day < store.settled and not store.days[cell]:
            return f"record {cell} is not in the days, of which {DAYS[day]} is settled"
        if DAYS[day].month < DAYS[store.settled].month and not store.months[cell]:
            return f"record {cell} is not in the months, of which {DAYS[day]:%b} is settled"
    return ""


def is_done(scenario: Scenario, world: World) -> bool:
    """Say whether everything is counted and settled."""
    store = world.store
    counted = all(map(int.__eq__, store.covered, map(len, scenario.records)))
    is_over = counted and store.settled == LAST and world.other.step == "end"
    return is_over and not _missing(scenario, store, scenario.other is not None)


def normal(scenario: Scenario, world: World) -> World:
    """Drop what can have no effect any more."""
    a, b = (_normal(scenario, one) for one in world.workers)
    intents = tuple(
        None if intent is not None and intent.a < end else intent
        for intent, end in zip(world.store.intents, world.store.covered, strict=True)
    )
    store = world.store._replace(intents=intents)
    return world._replace(workers=(a, b), store=store, orphans=tuple(sorted(world.orphans)))


def _normal(scenario: Scenario, one: Worker) -> Worker:
    look = one.look
    if (
        look is not None
        and not look.current
        and look.step < 3
        and scenario.has("said in an offset")
    ):
        one = one._replace(look=None)
    if one.phase == "down" or one.current:
        return one
    flow = one.flow
    if flow is not None and FLOW[flow.step] in FENCED:
        flow = None
    phase = "zombie" if flow is not None else "out"
    return Worker(phase, False, one.known, flow=flow, look=one.look, settle=one.settle)
