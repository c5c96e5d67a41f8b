"""A worker that is paused past its session, and goes on when another has its partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.harness import hooks
from tests.support.harness.process import Process
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

POINTS = (
    "before:intend",
    "after:intend",
    "after:record_intent",
    "after:insert:facts",
    "before:ledger",
    "before:commit",
    "after:commit",
)
EVENTS = 600

pytestmark = pytest.mark.faults


def await_paused(worker: Process) -> None:
    """Wait until the worker has stopped itself (SIGSTOP)."""

    def is_paused() -> bool:
        assert worker.is_running, worker.tail()
        status = Path(f"/proc/{worker.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    until(is_paused, within=60, what="the worker's pause", explain=worker.tail)


@pytest.mark.parametrize("point", POINTS)
def test_a_zombie_changes_nothing(scene: Scene, point: str) -> None:
    scene.set_up(partitions=2)
    scene.send(EVENTS)
    zombie = scene.worker(**hooks.environment(point, do="stop"))
    await_paused(zombie)
    scene.send(EVENTS, seed=2)
    scene.worker()
    scene.settle()  # the group gave up the zombie, and its successor is past all it holds
    zombie.resume()
    scene.await_assigned(2)
    scene.send(EVENTS, seed=3)
    scene.check()


def test_a_zombie_that_comes_back_to_an_empty_group(scene: Scene) -> None:
    """Nobody fences it by being there: its successor has counted everything and left."""
    scene.set_up(partitions=2)
    scene.send(EVENTS)
    zombie = scene.worker(**hooks.environment("before:commit", do="stop"))
    await_paused(zombie)
    scene.send(EVENTS, seed=2)
    successor = scene.worker()
    scene.settle()
    scene.stop(successor)
    scene.kafka.await_empty(scene.group)
    zombie.resume()
    scene.await_assigned(1)
    scene.send(EVENTS, seed=3)
    scene.check()


def test_inserts_that_arrive_after_a_successor_has_replayed_them(scene: Scene) -> None:
    """The zombie's request is held back in the network, and let through at the very end."""
    scene.set_up(partitions=2)
    scene.send(EVENTS)
    with Proxy(scene.store.port) as proxy:
        zombie = scene.worker(
            USAGE_CLICKHOUSE=scene.store_url(proxy.port),
            **hooks.environment("before:insert:facts", do="stop"),
        )
        await_paused(zombie)
        proxy.set(Mode.HANG)
        zombie.resume()
        until(lambda: proxy.held_bytes > 0, within=30, what="an insert under way")
        zombie.kill9()
        scene.send(EVENTS, seed=2)
        scene.worker()
        scene.settle()
        proxy.set(Mode.PASS)
        until(lambda: proxy.held_bytes == 0, within=30, what="the late insert")
        scene.send(EVENTS, seed=3)
        scene.check()
