"""Takeovers in the middle of duplicate pairs, and rebuilds that are disturbed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.fault.test_zombies import await_paused
from tests.support.harness import flood, hooks, rebuilds
from tests.support.harness.flood import Flood
from tests.support.harness.pairs import Laid, refused, structured
from tests.support.harness.process import Process
from tests.support.harness.produce import REQUESTS, Traffic
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until
from tests.support.harness.watched import Watched

W = 40
BEFORE, ALL = 60, 120
POINTS = ("before:intend", "after:record_intent", "after:insert:facts", "before:commit")
SOME = 100_000
"""Records of which a consumer does not hold all before the first are read."""

pytestmark = pytest.mark.faults


class Pairs:
    """Pairs on both sides of a takeover, which comes when `BEFORE` are sent; half are counted."""

    def __init__(self, scene: Scene) -> None:
        scene.settings["USAGE_DUPLICATE_WINDOW"] = str(W)
        scene.set_up(partitions=1)
        self.laid = laid = Laid(scene)
        for name, places in {
            "neighbours": (59, 60),
            "at W": (55, 95),
            "beyond W": (53, 94),
            "far beyond": (50, 110),
            "renewed": (41, 80, 118),
            "renewed before": (30, 58, 97),
        }.items():
            for at in places:
                laid.put(at, structured(name))
        laid.put(57, refused("corrected"))
        laid.put(61, structured("corrected"))
        laid.put(100, structured("corrected"))
        self.due = {
            "neighbours": 1,
            "at W": 1,
            "beyond W": 2,
            "far beyond": 2,
            "renewed": 1,
            "renewed before": 1,
            "corrected": 1,
        }
        worker = scene.worker()
        laid.send(BEFORE // 2 + 5)
        scene.settle()
        scene.stop(worker)


@pytest.mark.parametrize("point", POINTS)
def test_killed_between_an_event_and_its_repeat(scene: Scene, point: str) -> None:
    pairs = Pairs(scene)
    pairs.laid.send(BEFORE)
    worker = scene.worker(**hooks.environment(point))
    scene.await_end(worker, -signal.SIGKILL)
    pairs.laid.send(ALL)
    scene.worker()
    scene.check()
    assert pairs.laid.counted() == pairs.due


@pytest.mark.parametrize("point", POINTS)
def test_paused_between_an_event_and_its_repeat(scene: Scene, point: str) -> None:
    """The zombie comes back with a window that is behind; and gets the partition again."""
    pairs = Pairs(scene)
    pairs.laid.send(BEFORE)
    zombie = scene.worker(**hooks.environment(point, do="stop"))
    await_paused(zombie)
    pairs.laid.send(90)
    successor = scene.worker()
    scene.settle()
    zombie.resume()
    until(lambda: len(scene.kafka.members(scene.group)) == 2, within=60, what="both in the group")
    scene.stop(successor)
    pairs.laid.send(ALL)
    scene.check()
    assert pairs.laid.counted() == pairs.due


def test_the_same_worker_reads_again_what_it_gave_up(scene: Scene) -> None:
    """With the window that it had by then, each event would be a duplicate of itself."""
    pairs = Pairs(scene)
    pairs.laid.send(BEFORE)
    zombie = scene.worker(**hooks.environment("before:intend", do="stop"))
    await_paused(zombie)
    scene.kafka.await_empty(scene.group)
    zombie.resume()
    scene.await_assigned(1)
    pairs.laid.send(ALL)
    scene.check()
    assert pairs.laid.counted() == pairs.due


def test_rebalanced_between_events_and_their_repeats(scene: Scene) -> None:
    """Partitions go to a worker that joins, and come back when it leaves."""
    scene.set_up(partitions=4)
    traffic = Traffic(21, again=0.5)
    first, sender = scene.worker(), scene.sender()
    for _ in range(3):
        sender.send_traffic(traffic, 600)
        second = scene.worker()
        scene.await_assigned(2)
        sender.send_traffic(traffic, 600)
        scene.await_received(scene.received() + 300)
        scene.stop(second)
        scene.await_assigned(1)
    sender.send_traffic(traffic, 600)
    scene.check()
    assert first.is_running


class Held:
    """A flooded partition whose new worker is held in the middle of its rebuild."""

    def __init__(self, scene: Scene, file: Path, slices: int = 3) -> None:
        self.scene, self.file = scene, file
        scene.settings |= {"USAGE_DUPLICATE_WINDOW": "1000000", "USAGE_CHUNK_EVENTS": "100000"}
        scene.set_up(partitions=1)
        self.flood = Flood(scene)
        self.flood.send(SOME)
        worker = scene.worker()
        scene.settle()
        scene.stop(worker)
        self.flood.send(1000)
        self.worker = Watched(scene, **rebuilds.environment(file, slices))
        self.worker.process.await_output(rebuilds.HELD)
        self.worker.await_says("/readyz", 503, "rebuilding")
        self.remaining = self.worker.metric("usage_rebuild_remaining_records")
        assert 0 < self.remaining < SOME

    @property
    def process(self) -> Process:
        """The held worker."""
        return self.worker.process

    def release(self) -> None:
        """Let it go on."""
        self.file.unlink()

    def repeat(self) -> None:
        """Send the newest events again."""
        again = Flood(self.scene)
        again.sent = self.flood.sent - 3000
        again.send(3000)

    def check(self) -> None:
        """Everything counts once, the repeats do not."""
        self.scene.settle()
        with self.scene.connect() as store:
            assert flood.stored(store) == self.flood.sums()


def test_a_revocation_ends_a_rebuild_which_then_goes_on(scene: Scene, tmp_path: Path) -> None:
    """While it is held the worker stays in the group; what it has read it does not read again."""
    held = Held(scene, tmp_path / "hold")
    members = scene.kafka.members(scene.group)
    assert len(members) == 1
    other = scene.worker()
    until(lambda: len(scene.kafka.members(scene.group)) == 2, within=90, what="both in the group")
    scene.await_assigned(2, within=90)
    assert "given up, with " in held.process.output()
    held.release()
    held.repeat()
    held.check()
    assert held.process.is_running
    assert other.is_running


def test_sigterm_ends_a_rebuild(scene: Scene, tmp_path: Path) -> None:
    held = Held(scene, tmp_path / "hold")
    assert held.process.terminate() == 0
    scene.workers.remove(held.process)
    held.release()
    held.repeat()
    scene.worker()
    held.check()


def test_kafka_is_restarted_during_a_rebuild(scene: Scene, tmp_path: Path) -> None:
    held = Held(scene, tmp_path / "hold")
    scene.kafka.kill9()
    held.release()
    scene.kafka.start()
    held.repeat()
    held.check()
    assert held.worker.says("/readyz") == (200, "ready")


def test_retention_deletes_during_a_rebuild(scene: Scene, tmp_path: Path) -> None:
    held = Held(scene, tmp_path / "hold")
    scene.kafka.delete_records(scene.topic(REQUESTS), 0, SOME - 500)
    held.release()
    held.flood.send(1000)
    held.check()
    held.process.await_output("Kafka has deleted offsets ")
    missing = held.worker.metric("usage_duplicate_window_missing_offsets")
    assert missing == SOME - 500
