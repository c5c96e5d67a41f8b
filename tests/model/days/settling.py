"""Settling: someone looks, says the day, records it, and sums days up; and another group."""

from __future__ import annotations

from functools import lru_cache

from pipeline.protocol.chunks import Intent, Offset
from pipeline.protocol.late import open_before
from tests.model.days.state import (
    DAYS,
    INCARNATION,
    LAST,
    Look,
    Other,
    Scenario,
    Settle,
    Steps,
    Store,
    Worker,
    World,
    changed,
    ended,
    level,
    put,
)
from tests.model.days.worker import inserted


def looks(scenario: Scenario, world: World, i: int) -> Steps:
    """Yield what the owner of the lowest partition does about the day of its generation."""
    worker, store = world.workers[i], world.store
    look = worker.look
    if look is None:
        if worker.phase == "ready" and 0 in worker.mine and worker.given > store.rows[0]:
            step = 0 if scenario.has("open intents") else 2
            after = worker._replace(look=Look(worker.given, step, worker.current))
            yield f"worker {i} begins to look", False, put(world, i, after)
        return
    what = f"worker {i} looks for intents of before {DAYS[look.late_before]}"
    if look.step == 0:
        seen = look._replace(step=1, offsets=world.offsets)
        yield f"{what}: offsets", False, put(world, i, worker._replace(look=seen))
    elif look.step == 1:
        is_open = _is_open(look.late_before, look.offsets, store.intents, store.covered)
        found = None if is_open else look._replace(step=2, offsets=())
        yield f"{what}: the store", False, put(world, i, worker._replace(look=found))
    elif look.step == 2:
        yield from _says(scenario, world, i, worker, look)
    else:
        rows = (max(store.rows[0], look.late_before), store.rows[1])
        recorded = put(world, i, worker._replace(look=None))
        recorded = recorded._replace(store=store._replace(rows=rows))
        yield f"worker {i} records {DAYS[look.late_before]}", False, recorded


def _says(scenario: Scenario, world: World, i: int, worker: Worker, look: Look) -> Steps:
    """Commit the day with the lowest partition's offset, under the generation."""
    after = worker._replace(look=look._replace(step=3))
    if not scenario.has("said in an offset"):
        yield f"worker {i} goes on", False, put(world, i, after)
    elif not look.current:
        yield f"worker {i} is fenced", False, put(world, i, worker._replace(look=None))
    elif worker.flow is None and worker.phase == "ready":
        day = max(look.late_before, worker.late_before)
        said_so = ended(world.offsets[0].offset, day)
        offsets = changed(world.offsets, 0, said_so)
        said = put(world, i, after)._replace(offsets=offsets)
        yield f"worker {i} says {DAYS[look.late_before]} with an offset", False, said


@lru_cache(maxsize=1 << 14)
def _is_open(
    day: int,
    offsets: tuple[Offset, ...],
    intents: tuple[Intent | None, ...],
    covered: tuple[int, ...],
) -> bool:
    found = dict(enumerate(offsets))
    rows = {p: intent for p, intent in enumerate(intents) if intent is not None}
    return open_before(DAYS[day], found, rows, dict(enumerate(covered)), INCARNATION) is not None


# Days and months -----------------------------------------------------------------------------


def settles(scenario: Scenario, world: World, i: int) -> Steps:
    """Yield the next statement, or its end."""
    if scenario.torn:
        yield from _statements(scenario, world, i)
    elif world.store.settled < LAST and _may(scenario, world.store, world.store.settled):
        store, settle = world.store, Settle(world.store.settled)
        while settle.step != "publish":
            read = _read(scenario, store, settle)
            store, settle = _applied(scenario, store, read), _next(settle)
        store = store._replace(settled=settle.day + 1)
        yield f"{DAYS[settle.day]} is settled", False, world._replace(store=store)


def _statements(scenario: Scenario, world: World, i: int) -> Steps:
    worker, store = world.workers[i], world.store
    settle = worker.settle
    if settle is None:
        is_owner = worker.phase == "ready" and 0 in worker.mine and store.settled < LAST
        if is_owner and _may(scenario, store, store.settled):
            begun = worker._replace(settle=Settle(store.settled))
            yield f"worker {i} settles {DAYS[store.settled]}", False, put(world, i, begun)
        return
    if settle.step == "publish":
        done = store._replace(settled=max(store.settled, settle.day + 1))
        after = put(world, i, worker._replace(settle=None))._replace(store=done)
        yield f"worker {i} publishes {DAYS[settle.day + 1]}", False, after
    elif settle.block is None:
        if settle.step == "days" and not _may(scenario, store, settle.day):
            yield f"worker {i} may not", False, put(world, i, worker._replace(settle=None))
            return
        read = _read(scenario, store, settle)
        after = put(world, i, worker._replace(settle=read))
        yield f"worker {i}: the statement of {settle.step} reads", False, after
    else:
        after = world._replace(store=_applied(scenario, store, settle))
        after = put(after, i, worker._replace(settle=_next(settle)))
        yield f"worker {i}: the statement of {settle.step} ends", False, after


def orphans(scenario: Scenario, world: World) -> Steps:
    """Yield the end of statements whose sender is gone."""
    for n, settle in enumerate(world.orphans):
        left = world.orphans[:n] + world.orphans[n + 1 :]
        after = world._replace(store=_applied(scenario, world.store, settle), orphans=left)
        yield f"a statement of {settle.step} ends", False, after


def again(scenario: Scenario, world: World) -> Steps:
    """Yield what adds to a settled day, or its month, what came behind its end: two at once."""
    store = world.store
    if scenario.is_patient or not scenario.has("again"):
        return
    settled = [Settle(day) for day in range(store.settled)]
    months = [Settle(one.day, "months") for one in settled if _next(one).step == "months"]
    for settle in [*settled, *months]:
        read = _read(scenario, store, settle)
        if read.block and world.orphans.count(read) < 2:
            after = world._replace(orphans=(*world.orphans, read))
            yield f"the {settle.step} of {DAYS[settle.day]} are looked at again", False, after


def _may(scenario: Scenario, store: Store, day: int) -> bool:
    waits = scenario.has("other groups") and scenario.is_patient
    rows = store.rows if waits else store.rows[:1]
    return min(row for row in rows if row is not None) > day


def _next(settle: Settle) -> Settle:
    is_last = settle.step == "days" and DAYS[settle.day].month != DAYS[settle.day + 1].month
    return Settle(settle.day, "months" if is_last else "publish")


def _read(scenario: Scenario, store: Store, settle: Settle) -> Settle:
    """Let its statement read what it will insert, and under which token."""
    target = store.days if settle.step == "days" else store.months
    of_it = [
        marks
        for marks, day in zip(target, scenario.cells, strict=True)
        if day == settle.day or settle.step == "months"
    ]
    there = "".join(of_it).count("s") if scenario.has("what was there") else 0
    return settle._replace(block=_block(scenario, store, settle), there=there)


def _block(scenario: Scenario, store: Store, settle: Settle) -> tuple[int, ...]:
    """What is missing: of the day's quarters what is on time, of the month's days its days' own."""
    everything = not scenario.has("on time only")
    source, target = (
        (store.quarters, store.days) if settle.step == "days" else (store.days, store.months)
    )
    of_source = "012s" if everything else ("0" if settle.step == "days" else "1s")
    of_target = "012s" if everything else "s"
    missing: list[int] = []
    for cell, day in enumerate(scenario.cells):
        if day != settle.day and settle.step == "days":
            continue
        has = sum(source[cell].count(mark) for mark in of_source)
        missing += [cell] * max(0, has - sum(target[cell].count(mark) for mark in of_target))
    return tuple(missing)


def _applied(scenario: Scenario, store: Store, settle: Settle) -> Store:
    token = (settle.step, settle.day, settle.there)
    if not settle.block or (token in store.tokens and scenario.has("a token")):
        return store
    values: tuple[str, ...] = getattr(store, settle.step)
    for cell in settle.block:
        values = changed(values, cell, values[cell] + "s")
    store = store._replace(tokens=store.tokens | {token})
    return store._replace(**{settle.step: values})  # type: ignore[arg-type]


# Another group -------------------------------------------------------------------------------


def others(scenario: Scenario, world: World) -> Steps:
    """Yield what the other group does: it enters itself, looks, counts, records."""
    other, store = world.other, world.store
    if other.step == "end":
        return
    known = max(store.settled, store.rows[0] if scenario.has("all groups' days") else 0)
    if other.step == "begin":
        after = world._replace(other=Other("enter", known))
    elif other.step == "enter":
        rows = (store.rows[0], min(other.known, store.settled))
        entered = other._replace(step="read")
        after = world._replace(other=entered, store=store._replace(rows=rows))
    elif other.step == "read":
        known = known if scenario.has("entered first") else other.known
        for day in range(known, LAST + 1):
            after = world._replace(other=Other("quarters", known, day))
            yield f"the other group is given {DAYS[day]}", False, after
        return
    elif other.step == "recorded":
        last = other.late_before == LAST
        rows = (store.rows[0], other.late_before)
        after = world._replace(
            other=Other("end" if last else "recorded", 0, 0 if last else LAST),
            store=store._replace(rows=rows),
        )
    else:
        cell = len(scenario.cells) - 1
        late = level(scenario.cells[cell], other.late_before)
        step = {"quarters": "days", "days": "months", "months": "recorded"}[other.step]
        after = world._replace(
            other=other._replace(step=step), store=inserted(store, other.step, cell, late)
        )
    yield f"the other group: {other.step}", False, after
