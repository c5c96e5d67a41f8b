"""The store is killed, refuses, hangs, loses answers, and is put back to an older copy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.harness.process import Process
from tests.support.harness.produce import Traffic
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.scene import Scene

HALTED = 76
UNMIGRATED = 78
UNAVAILABLE = 75
AWAY_SECONDS = 15

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("seed", [1, 2])
def test_store_killed_and_restarted(lone_scene: Scene, seed: int) -> None:
    """Three times under way: between two tables, within an insert, wherever it happens to be."""
    scene = lone_scene
    scene.set_up(partitions=4)
    traffic, sender = Traffic(seed), scene.sender()
    scene.worker()
    for _ in range(3):
        before = scene.received()
        sender.send_traffic(traffic, 6000)
        scene.await_received(before + 500)
        scene.store.kill9()
        sender.send_traffic(traffic, 2000)
        scene.store.start()
    scene.check()


def test_store_killed_with_the_worker(lone_scene: Scene) -> None:
    scene = lone_scene
    scene.set_up(partitions=4)
    worker = scene.worker()
    scene.send(8000)
    scene.await_received(500)
    scene.store.kill9()
    worker.kill9()
    scene.store.start()
    scene.worker()
    scene.check()


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG, Mode.LOSE_ANSWERS])
def test_store_away_while_events_come_in(scene: Scene, mode: Mode) -> None:
    """The worker keeps its membership and its bound, and goes on by itself."""
    scene.set_up(partitions=4)
    scene.settings["USAGE_BUFFER_EVENTS"] = "5000"
    traffic, sender = Traffic(7), scene.sender()
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        worker = scene.worker()
        sender.send_traffic(traffic, 3000)
        scene.await_received(500)
        members = scene.kafka.members(scene.group)
        with proxy.during(mode):
            sender.send_traffic(traffic, 20_000)
            # Time has to pass: longer than the session, so that a lost membership would show.
            time.sleep(AWAY_SECONDS)
        sender.send_traffic(traffic, 1000)
        scene.check()
        assert scene.kafka.members(scene.group) == members, worker.tail()
        if mode is Mode.REFUSE:
            assert worker.output().count("the store is away") == 1, worker.tail()


def test_store_put_back_to_an_older_copy(lone_scene: Scene, tmp_path: Path) -> None:
    """Offsets are ahead of the ledger: halt, say so in a line; `usage rewind` counts them again."""
    scene = lone_scene
    scene.set_up(partitions=4)
    worker = _count(scene, seed=1)
    scene.stop(worker)
    scene.store.stop()
    scene.store.copy_to(tmp_path / "copy")
    scene.store.start()
    worker = _count(scene, seed=2)
    scene.stop(worker)
    scene.store.stop()
    scene.store.put_back(tmp_path / "copy")
    scene.store.start()

    halted = scene.worker()
    scene.await_end(halted, HALTED)
    said = [line for line in halted.output().splitlines() if "usage rewind --to-store" in line]
    assert len(said) == 1, halted.tail()
    scene.run("rewind", "--to-store")
    scene.worker()
    scene.send(1000, seed=3)
    scene.check()


def test_rewind_refuses_while_workers_run(scene: Scene) -> None:
    scene.set_up(partitions=2)
    _count(scene, seed=1)
    refused = scene.start("rewind", "--to-store")
    assert refused.wait(60) == HALTED, refused.tail()
    scene.check()


def test_a_new_store_under_an_old_group(lone_scene: Scene) -> None:
    """A new, empty store under an old group: the same halt, and nothing is counted meanwhile."""
    scene = lone_scene
    scene.set_up(partitions=2)
    scene.stop(_count(scene, seed=1))
    scene.database += "_new"
    unmigrated = scene.start("rewind", "--to-store")
    assert unmigrated.wait(60) == UNMIGRATED, unmigrated.tail()
    assert "usage migrate" in unmigrated.output()
    scene.run("migrate")
    scene.send(500, seed=2)
    halted = scene.worker()
    scene.await_end(halted, HALTED)
    assert scene.received() == 0
    scene.run("rewind", "--to-store")
    scene.worker()
    scene.check()


def _count(scene: Scene, seed: int) -> Process:
    worker = scene.worker()
    scene.send(3000, seed=seed)
    scene.settle()
    return worker


def test_no_store_at_the_start(scene: Scene) -> None:
    """One line that says so, and an exit code that tells it from a crash."""
    scene.set_up(partitions=2)
    with Proxy(scene.store.port) as proxy:
        proxy.set(Mode.REFUSE)
        worker = scene.worker(USAGE_CLICKHOUSE=scene.store_url(proxy.port))
        scene.await_end(worker, UNAVAILABLE)
        assert len(worker.said()) == 1, worker.tail()
