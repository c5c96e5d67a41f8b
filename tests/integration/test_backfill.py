"""``usage metric backfill``: events counted before they were kept, from Kafka, each once."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, resources
from pipeline.errors import StoreUnavailable
from pipeline.facts.rules import before_events_were_kept, rules_of
from pipeline.operate.backfill import backfill
from pipeline.operate.kept_events import MIGRATION
from tests.support.harness.produce import Traffic
from tests.support.harness.scene import Scene

pytestmark = pytest.mark.timeout(900)
[KEPT] = [one for one in files.read(resources.migrations()) if one.name == MIGRATION]


def before_the_upgrade(scene: Scene, store: Store) -> None:
    """Make the store, and what a worker counts in it, as the release before left them."""
    store.command("DROP VIEW product_events_mv")
    worker = scene.worker()
    scene.send(2_000, seed=1)
    scene.settle()
    scene.stop(worker)
    older = before_events_were_kept(rules_of(scene.loaded())).digest()
    store.command(
        f"ALTER TABLE chunks UPDATE rules = '{older}' WHERE from_offset = 0",
        settings={"mutations_sync": 2},
    )


def upgrade(store: Store) -> None:
    for statement in KEPT.statements():
        store.command(statement)
    store.insert(
        "migrations",
        (("number", "UInt32"), ("name", "String"), ("checksum", "String")),
        [[KEPT.number], [KEPT.name], [KEPT.checksum]],
    )


class Breaking:
    """A store that goes away each time before a chunk is written down as filled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert(self, table: str, *rest: Any, **more: Any) -> None:
        if table == "product_events_filled":
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("gone")
        self._store.insert(table, *rest, **more)


def kept(store: Store) -> int:
    [(events,)] = store.query("SELECT count() FROM product_events")
    return int(events)


def test_events_of_before_are_kept_once_beside_a_worker(scene: Scene) -> None:
    scene.set_up(partitions=2)
    with scene.connect() as store:
        before_the_upgrade(scene, store)
        [(counted,)] = store.query("SELECT sum(events) FROM events_15m")
        assert kept(store) == 0
        assert counted > 100
        upgrade(store)
        assert "all is well" in scene.run("audit")  # what is not kept yet is no damage
        scene.worker()
        sender, traffic = scene.sender(), Traffic(2)
        sender.send_traffic(traffic, 500)
        scene.settle()
        breaking: Any = Breaking(store)
        with pytest.raises(StoreUnavailable):
            list(backfill(scene.loaded(), breaking))
        assert 0 < kept(store) < counted + 500
        running = scene.start("metric", "backfill")
        while running.is_running:
            before = scene.received()
            sender.send_traffic(traffic, 50)
            scene.await_received(before + 1)
        assert running.exit_code == 0, running.tail()
        assert "are kept now" in running.output()
        scene.check()
        assert "0 events of 0 chunks are kept now" in scene.run("metric", "backfill")
        assert "all is well" in scene.run("audit")
        assert kept(store) > counted
        _damaged(scene, store)


def _damaged(scene: Scene, store: Store) -> None:
    """What is kept no more, of before the upgrade too, is found."""
    store.command(
        "DELETE FROM product_events WHERE time = (SELECT min(time) FROM product_events)",
        settings={"lightweight_deletes_sync": 2},
    )
    process = scene.start("audit", "--within", "5")
    assert process.wait(180) == 1
    assert "product_events has" in process.output()


def test_chunks_of_which_nobody_knows_what_counted_stay_as_they_are(scene: Scene) -> None:
    scene.set_up(partitions=1)
    with scene.connect() as store:
        before_the_upgrade(scene, store)
        upgrade(store)
        store.command(
            "ALTER TABLE chunks UPDATE rules = 'others', counted = counted + (from_offset = 0), "
            "received = received + (from_offset = 0) WHERE 1",
            settings={"mutations_sync": 2},
        )
        assert "counted by other rules than these settings" in scene.run("metric", "backfill")
        assert kept(store) == 0
        said = scene.run("metric", "backfill", "--any-rules")
        assert "1 chunks stay as they are: the log does not come to what their ledger" in said
        [(counted, first)] = store.query(
            "SELECT sum(counted), argMin(counted, from_offset) FROM chunks FINAL "
            "WHERE endsWith(topic, 'usage.events')"
        )
        assert kept(store) == counted - first
