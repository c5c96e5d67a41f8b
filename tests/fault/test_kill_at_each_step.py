"""Kill -9 at each step of the protocol: whoever comes next counts exactly what is left."""

from __future__ import annotations

import signal

import pytest

from tests.support.harness import hooks
from tests.support.harness.readers import SETTINGS
from tests.support.harness.scene import Scene

# Each moment once: where one step ends and the next begins nothing happens between, but for the
# inserts, which are done for several chunks at a time, so that one chunk's are over before all are.
POINTS = (
    "before:intend",
    "after:intend",
    "after:record_intent",
    "after:insert:facts",
    "after:insert:outcomes",
    "before:dead_letter",
    "after:dead_letter",
    "after:ledger",
    "after:commit",
)
# Where something has arrived but not all, so that a replay meets what is already there.
HALF_DONE = ("after:intend", "after:record_intent", "after:insert:facts", "after:dead_letter")
EVENTS = 400

pytestmark = pytest.mark.faults


def die_at(scene: Scene, point: str, times: int, **more: str) -> None:
    """Run a worker that kills itself at a point."""
    worker = scene.worker(**hooks.environment(point, times), **more)
    scene.await_end(worker, -signal.SIGKILL)


@pytest.mark.parametrize("point", POINTS)
def test_exact_after_a_kill(scene: Scene, point: str) -> None:
    scene.set_up(partitions=2)
    scene.send(EVENTS, bad=0.1)
    die_at(scene, point, times=1)
    scene.send(EVENTS, seed=2)
    scene.worker()
    scene.check()


@pytest.mark.parametrize("point", HALF_DONE)
def test_exact_after_a_kill_in_the_middle_of_work(scene: Scene, point: str) -> None:
    """The second time: something is counted and committed, and another partition under way."""
    scene.set_up(partitions=4)
    scene.settings["USAGE_CHUNK_EVENTS"] = "50"
    scene.send(EVENTS)
    die_at(scene, point, times=1)
    scene.send(EVENTS, seed=2)
    die_at(scene, point, times=2)
    scene.send(EVENTS, seed=3)
    scene.worker()
    scene.check()


def test_exact_after_a_kill_at_every_step_of_a_replay(scene: Scene) -> None:
    """Each worker replays what the one before left, and dies one step further on.

    They read with each reader in turn: what one has intended, the other makes again to the byte.
    """
    scene.set_up(partitions=2)
    scene.send(EVENTS, bad=0.1)
    for number, point in enumerate(POINTS):
        die_at(scene, point, times=1, USAGE_READER=SETTINGS[number % len(SETTINGS)])
        scene.send(20, seed=number + 10)
    scene.worker()
    scene.check()
