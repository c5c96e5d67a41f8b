"""Breadth first through every state, with the shortest way to the first wrong one."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model import faults, worker
from tests.model.days import world as days
from tests.model.days.state import Scenario as DaysScenario
from tests.model.groups import faults as group_faults
from tests.model.groups import invariants as group_invariants
from tests.model.groups import worker as group_worker
from tests.model.groups.normal import normal as group_normal
from tests.model.groups.state import Scenario as GroupScenario
from tests.model.invariants import check, is_done
from tests.model.normal import normal
from tests.model.state import Scenario, Violation

AnyScenario = Scenario | GroupScenario | DaysScenario


@dataclass(frozen=True)
class Exploration:
    """What came out."""

    states: int
    steps: int
    violation: str = ""
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        size = f"{self.states:,} states, {self.steps:,} steps"
        if not self.violation:
            return f"{size}: exact"
        lines = [f"{n:3} {what}" for n, what in enumerate(self.trace, 1)]
        return "\n".join([f"{size}: {self.violation}", *lines])


def explore(scenario: AnyScenario) -> Exploration:
    """Explore all that can happen, until something is wrong."""
    # Nothing here is cyclic; looking for cycles among millions of tuples costs a third.
    collected = gc.isenabled()
    gc.disable()
    try:
        return _Search(scenario).run()
    finally:
        if collected:
            gc.enable()


class _Search:
    def __init__(self, scenario: AnyScenario) -> None:
        self._scenario = scenario
        self._world = _KINDS[type(scenario)]
        first = scenario.world()
        self._worlds = [first]
        self._numbers = {first: 0}
        self._parents = array("q", [-1])
        self._labels = [""]
        self._progress: tuple[array[int], array[int]] = (array("q"), array("q"))
        self._steps = 0

    def run(self) -> Exploration:
        number = 0
        while number < len(self._worlds):
            try:
                self._expand(number)
            except Violation as violation:
                return self._found(str(violation), number)
            number += 1
        stuck = self._stuck()
        if stuck is not None:
            return self._found("from here nothing leads on", stuck)
        return Exploration(len(self._worlds), self._steps)

    def _expand(self, number: int) -> None:
        world = self._worlds[number]
        for label, fault, after in self._world.steps(self._scenario, world):
            self._steps += 1
            after = self._world.normal(self._scenario, after)
            known = self._numbers.setdefault(after, len(self._worlds))
            if known == len(self._worlds):
                self._add(number, label, after)
            if not fault:
                self._progress[0].append(number)
                self._progress[1].append(known)

    def _add(self, parent: int, label: str, world: Any) -> None:
        self._worlds.append(world)
        self._parents.append(parent)
        self._labels.append(label)
        try:
            self._world.check(self._scenario, world)
        except Violation as violation:
            raise Violation(f"{violation}, after: {label}") from None

    def _stuck(self) -> int | None:
        """Return the first state from which no way without further faults leads to the end."""
        before: dict[int, list[int]] = {}
        for source, target in zip(*self._progress, strict=True):
            before.setdefault(target, []).append(source)
        reaches = bytearray(len(self._worlds))
        done = self._world.is_done
        todo = [n for n, world in enumerate(self._worlds) if done(self._scenario, world)]
        for number in todo:
            reaches[number] = 1
        while todo:
            for source in before.get(todo.pop(), ()):
                if not reaches[source]:
                    reaches[source] = 1
                    todo.append(source)
        return next((n for n, can in enumerate(reaches) if not can), None)

    def _found(self, violation: str, number: int) -> Exploration:
        trace = []
        while number > 0:
            trace.append(self._labels[number])
            number = self._parents[number]
        return Exploration(len(self._worlds), self._steps, violation, tuple(reversed(trace)))


class _Kind(NamedTuple):
    """A kind of world: what may happen in it, and what must hold."""

    steps: Callable[[Any, Any], Iterator[tuple[str, bool, Any]]]
    normal: Callable[[Any, Any], Any]
    check: Callable[[Any, Any], None]
    is_done: Callable[[Any, Any], bool]


def _chunk_steps(scenario: Any, world: Any) -> Iterator[tuple[str, bool, Any]]:
    yield from worker.steps(scenario, world, 0)
    yield from worker.steps(scenario, world, 1)
    yield from faults.steps(scenario, world)


def _group_steps(scenario: Any, world: Any) -> Iterator[tuple[str, bool, Any]]:
    yield from group_worker.steps(scenario, world, 0)
    yield from group_worker.steps(scenario, world, 1)
    yield from group_faults.steps(scenario, world)


_KINDS = {
    Scenario: _Kind(_chunk_steps, normal, check, is_done),
    GroupScenario: _Kind(
        _group_steps, group_normal, group_invariants.check, group_invariants.is_done
    ),
    DaysScenario: _Kind(days.steps, days.normal, days.check, days.is_done),
}
