"""Topics that get more partitions while repeats are on their way: none of them counts twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.harness import fresh, hooks
from tests.support.harness.produce import REQUESTS, Traffic
from tests.support.harness.readers import SETTINGS
from tests.support.harness.recount import Expected, read_log, recount
from tests.support.harness.scene import Scene

STEPS = ("after:announce", "after:add_partitions")
"""Of the command: announced and not made; made, and nobody was told."""
POINTS = ("after:intend", "after:insert:facts")
EVENTS = 300

pytestmark = pytest.mark.faults


def test_no_repeat_counts_twice_because_its_key_has_moved(scene: Scene, tmp_path: Path) -> None:
    """Twice as many partitions, and again: the command is killed, workers are, the store is old."""
    scene.settings["USAGE_DUPLICATE_WINDOW"] = "300"
    scene.set_up(partitions=2)
    traffic = Traffic(5, again=0.4)

    def send(records: int = EVENTS) -> None:
        scene.sender().send_traffic(traffic, records)

    send()
    worker = scene.worker()
    scene.settle()
    scene.stop(worker)
    scene.run("backup", str(tmp_path / "before"))
    send()
    _die(scene, "after:record_intent", 0)
    for number, step in enumerate(STEPS):
        scene.grow(4, -signal.SIGKILL, **hooks.environment(step))
        if not number:
            send(100)  # to the old partitions: what was announced is not where they end any more
    said = scene.grow(4)
    assert f"{scene.topic(REQUESTS)}: has 4 partitions, and had 2 before; nothing has come" in said
    send()
    for number, point in enumerate(POINTS):
        _die(scene, point, number)
        send(50)
    worker = scene.worker(**fresh.ENVIRONMENT)
    scene.settle()
    scene.grow(8)
    send()
    scene.check()  # a worker that was there before has found the new partitions
    _differs_without_growths(scene)
    scene.run("audit", "--recount")
    scene.stop(worker)

    with scene.connect() as store:
        store.command(f"DROP DATABASE `{scene.database}` SYNC", in_database=False)
    scene.run("restore", str(tmp_path / "before"))
    scene.run("migrate")
    assert "will be read again" in scene.run("rewind", "--to-store")
    scene.worker()
    scene.check()


def _die(scene: Scene, point: str, number: int) -> None:
    """Run a worker that kills itself at a point; with each reader in turn."""
    reader = SETTINGS[number % len(SETTINGS)]
    worker = scene.worker(**hooks.environment(point), USAGE_READER=reader)
    scene.await_end(worker, -signal.SIGKILL)


def _differs_without_growths(scene: Scene) -> None:
    """See that there are repeats on both sides of each change: else nothing was shown."""
    log = read_log(scene.kafka, scene.topics)
    of_requests = scene.growths[scene.topic(REQUESTS)]
    assert [(one.before, one.after) for one in of_requests] == [(2, 4), (4, 8)]
    with_all, *less = (
        _duplicates(
            recount(
                [log],
                scene.prefix,
                scene.duplicate_window,
                growths={topic: some[first:] for topic, some in scene.growths.items()},
            )
        )
        for first in range(3)
    )
    assert with_all > less[0] > less[1]


def _duplicates(expected: Expected) -> int:
    return sum(totals["duplicate"] for totals in expected.ledger.values())
