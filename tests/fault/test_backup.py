"""Backups of a store that is written to, and what becomes of the numbers after a restore."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.clickhouse.schema import lock
from pipeline.protocol.ledger import INTENTS
from tests.fault.test_kafka_faults import lost
from tests.support.harness.produce import Traffic
from tests.support.harness.scene import Scene
from tests.support.harness.store import url_at
from tests.support.harness.waiting import until

HALTED = 76
OPEN = ("elsewhere", 0, "A" * 21 + "B", 0, 10, "", "", "")
"""An intent that nobody will finish: a backup waits for it."""
LEASES = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() "
    f"AND startsWith(name, '{lock.PREFIX}')"
)

pytestmark = pytest.mark.faults


def test_a_restored_backup_and_the_log_behind_it_come_to_the_same(
    lone_scene: Scene, tmp_path: Path
) -> None:
    """Taken while events flow and are counted; then the store is gone, and the workers with it."""
    scene, kept = lone_scene, tmp_path / "backups" / "first"
    scene.set_up(partitions=4)
    workers = [scene.worker(), scene.worker()]
    with _traffic(scene):
        scene.await_received(500)
        taken = _chunks_in(scene.run("backup", str(kept)))
        scene.await_received(scene.received() + 500)
        scene.await_received(scene.received() + 100)  # what came before it is committed too
        counted = _counted(scene)
    assert 0 < taken < counted, "nothing was counted since the backup"
    for worker in workers:
        worker.kill9()
    scene.workers.clear()
    scene.kafka.await_empty(scene.group)
    scene.store.kill9()
    shutil.rmtree(scene.store.data)
    scene.store.start()

    said = scene.run("restore", str(kept))
    assert _chunks_in(said) == taken == _counted(scene)
    assert "usage rewind --to-store" in said
    scene.run("migrate")
    assert "will be read again" in scene.run("rewind", "--to-store")
    scene.worker()
    scene.check()
    scene.run("audit")


def test_a_backup_that_is_killed_is_none_and_holds_nobody_up(lone_scene: Scene) -> None:
    """What lies there is refused; new chunks go on once the lease of who held them has run out."""
    scene = lone_scene
    scene.set_up(partitions=2)
    scene.worker()
    scene.send(500)
    scene.settle()
    with scene.connect() as store:
        store.insert("intents", INTENTS, [[value] for value in OPEN])
        half = scene.start("backup", "half")
        until(lambda: _is_held(scene), within=60, what="new chunks held back", explain=half.tail)
        half.kill9()
        scene.send(500, seed=2)
        database = f"`{scene.database}`"
        store.command(f"BACKUP DATABASE {database} TO File('half/1')")
        for (lease,) in store.query(LEASES):  # they run out by themselves, in a minute and a half
            store.command(f"DROP TABLE `{lease}` SYNC")
        store.command("DELETE FROM intents WHERE topic = {topic:String}", {"topic": OPEN[0]})
    refused = scene.start(
        "restore", "half", USAGE_CLICKHOUSE=url_at(scene.store.port, "empty"), USAGE_GROUP="nobody"
    )
    assert refused.wait(60) == HALTED, refused.tail()
    assert "there is no finished backup" in refused.output()
    scene.check()
    assert not _is_held(scene)


def test_what_kafka_no_longer_has_is_said_and_written_down(lone_scene: Scene) -> None:
    """The log begins behind the backup: the rest is exact, the gap is in the ledger as lost."""
    scene = lone_scene
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(1000, bad=0)  # dead letters of what is lost would stay in Kafka
    before = scene.settle()
    assert "backups/old" in scene.run("backup", "old")
    scene.send(1000, seed=2, bad=0)
    log = scene.settle()
    scene.stop(worker)
    gone = {}
    for source, part in log.items():
        gone[source] = (before[source].due, (before[source].due + part.due) // 2)
        scene.kafka.delete_records(*source, gone[source][1])
    full = scene.start("restore", "old")
    assert full.wait(60) == HALTED, full.tail()
    assert f"DROP DATABASE `{scene.database}` SYNC" in full.output()
    with scene.connect() as store:
        store.command(f"DROP DATABASE `{scene.database}` SYNC", in_database=False)
    scene.run("restore", "old")
    said = scene.run("rewind", "--to-store")
    assert said.count("their events are in no number any more") == len(gone)
    scene.worker()
    scene.check(log={source: part.without(*gone[source]) for source, part in log.items()})
    assert lost(scene) == gone


@contextmanager
def _traffic(scene: Scene) -> Iterator[None]:
    """Send events until the block ends, not more than can be counted again by the check."""
    is_over = threading.Event()

    def send() -> None:
        traffic, sender = Traffic(1), scene.sender()
        while not is_over.wait(0.1):
            sender.send_traffic(traffic, 20)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _counted(scene: Scene) -> int:
    with scene.connect() as store:
        [(chunks,)] = store.query("SELECT count() FROM chunks FINAL")
        return int(chunks)


def _chunks_in(said: str) -> int:
    found = re.search(r"([\d,]+) chunks", said)
    assert found, said
    return int(found[1].replace(",", ""))


def _is_held(scene: Scene) -> bool:
    with scene.connect() as store:
        [(held,)] = store.query(
            "SELECT position(engine_full, 'parts_to_throw_insert') > 0 FROM system.tables "
            "WHERE database = currentDatabase() AND name = 'intents'"
        )
        return bool(held)
