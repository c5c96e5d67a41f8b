"""Kafka's group coordinator: generation and member of a commit are checked, never who owns what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.model.groups.state import Coordinator, Offset, Scenario, Worker, World, put, spend


def accepts(kafka: Coordinator, generation: int, member: str) -> bool:
    """Say whether the broker takes a commit."""
    return generation == kafka.generation and member in kafka.members


def commit(world: World, offsets: tuple[tuple[int, Offset], ...]) -> World:
    """Return the world in which these offsets are the newest."""
    all_ = list(world.kafka.offsets)
    for partition, offset in offsets:
        all_[partition] = offset
    return world._replace(kafka=world.kafka._replace(offsets=tuple(all_)))


def in_group(world: World, worker: Worker) -> bool:
    """Say whether the worker is a member now, whatever it believes."""
    return worker.view[1] in world.kafka.members


def rebalance(
    scenario: Scenario, world: World, *, joining: int | None = None, without: str = ""
) -> Iterator[tuple[str, World]]:
    """Begin a new generation: some of the members come to it, and share the partitions.

    Of two, each assignment is tried that gives the first partition to either. A member whose
    process is gone never comes; a living one may miss it (a kick).
    """
    generation = world.kafka.generation + 1
    stayers = [
        i
        for i, worker in enumerate(world.workers)
        if i != joining and in_group(world, worker) and worker.view[1] != without
    ]
    for comes in product((True, False), repeat=len(stayers)):
        after: World | None = world
        if not all(comes):
            after = spend(world, "kick")
        if after is None:
            continue
        coming = [i for i, does in zip(stayers, comes, strict=True) if does]
        members = [(i, world.workers[i].view[1]) for i in coming]
        if joining is not None:
            members.append((joining, "new"))
        if not members:
            kafka = world.kafka._replace(generation=generation, members=())
            yield "the group is empty", after._replace(kafka=kafka)
            continue
        for owners in product(members, repeat=len(scenario.records)):
            said = "".join(str(i) for i, _ in owners)
            yield f"owners {said}", _begin(after, generation, members, [i for i, _ in owners])


def _begin(
    world: World, generation: int, members: list[tuple[int, str]], owners: list[int]
) -> World:
    ids = tuple(sorted(member for _, member in members))
    world = world._replace(kafka=world.kafka._replace(generation=generation, members=ids))
    for i, member in members:
        mine = tuple(p for p, owner in enumerate(owners) if owner == i)
        worker = world.workers[i]._replace(view=(generation, member))
        # The lease is captured in a callback that the coordinator awaits before it joins again.
        if worker.phase in ("out", "idle", "assigned"):
            worker = begun(worker, mine)
        else:
            worker = worker._replace(upcoming=mine)
        world = put(world, i, worker)
    return world


def begun(worker: Worker, mine: tuple[int, ...]) -> Worker:
    """Return the worker under a new assignment, of which it knows nothing yet."""
    return Worker("assigned" if mine else "idle", worker.rules, worker.view, mine)
