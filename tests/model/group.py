"""Kafka's group coordinator, as far as the protocol leans on it.

It checks a commit's generation and member, never who owns the partition; and a commit without a
generation is taken while the group is empty. Tried against Kafka 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.model.state import Group, Scenario, Worker, World, put, spend

UNASSIGNED = ("out", "idle")
"""Phases in which an assignment is taken up at once."""


def accepts(group: Group, generation: int, member: str) -> bool:
    """Say whether the broker takes a commit."""
    if generation < 0:
        return not group.members
    return generation == group.generation and member in group.members


def in_group(world: World, worker: Worker) -> bool:
    """Say whether the worker is a member now, whatever it believes."""
    return worker.view[1] in world.group.members


def rebalance(
    scenario: Scenario, world: World, *, joining: int | None = None, without: str = ""
) -> Iterator[tuple[str, World]]:
    """Begin a new generation: some of the members come to it, and one gets the partition.

    A joining worker comes as a new member. A member whose process is gone, or whose coordinator has
    moved on, never comes; a living one may miss it (a kick).
    """
    generation = world.group.generation + 1
    new = f"{joining}@{generation}" if joining is not None else ""
    stayers = [
        i
        for i, worker in enumerate(world.workers)
        if i != joining and worker.view[1] in world.group.members and worker.view[1] != without
    ]
    for comes in product((True, False), repeat=len(stayers)):
        after: World | None = world
        coming = [i for i, does in zip(stayers, comes, strict=True) if does]
        if not all(comes):
            after = spend(world, "kick")
        if after is None:
            continue
        members = [(i, world.workers[i].view[1]) for i in coming]
        if joining is not None:
            members.append((joining, new))
        if not members:
            group = world.group._replace(generation=generation, members=(), owner="")
            yield "the group is empty", after._replace(group=group)
        for owner, owner_id in members:
            yield (
                f"worker {owner} is assigned",
                _begin(scenario, after, generation, members, owner_id),
            )


def _begin(
    scenario: Scenario, world: World, generation: int, members: list[tuple[int, str]], owner: str
) -> World:
    ids = tuple(sorted(member for _, member in members))
    group = world.group._replace(generation=generation, members=ids, owner=owner)
    world = world._replace(group=group)
    for i, member in members:
        worker = world.workers[i]._replace(view=(generation, member))
        phase = "assigned" if member == owner else "idle"
        if worker.phase in UNASSIGNED or _not_begun(scenario, worker):
            worker = worker._replace(phase=phase)
        else:
            worker = worker._replace(upcoming=phase)
        world = put(world, i, worker)
    return world


def _not_begun(scenario: Scenario, worker: Worker) -> bool:
    # The lease is captured in a callback that the coordinator awaits before it joins again.
    return worker.phase == "assigned" and scenario.has("lease of the assignment")
