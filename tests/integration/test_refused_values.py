"""Events that are as they should be and that a table refuses: set aside, and nobody else waits."""

from __future__ import annotations

import json

import pytest

from pipeline.operate.audit import run
from tests.support.harness import compare, hooks
from tests.support.harness.contract import Read
from tests.support.harness.process import free_port
from tests.support.harness.produce import BATCH, REQUESTS, Event
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.scrape import get, worker_at

pytestmark = pytest.mark.timeout(180)

POISON = "poison"


def request(id_: str, model: str = POISON) -> Event:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "//test/refused",
        "type": "usage.request.v1",
        "subject": f"tenant-{id_[0]}",
        "data": {
            "operation": "chat",
            "model": model,
            "status_code": 200,
            "duration_ms": 1,
            "input_tokens": 7 if model == POISON else 1,
        },
    }


def send_poison(scene: Scene) -> int:
    """Send, amid others: alone, a repeat, in a batch between good ones; returns how many."""
    sender = scene.sender()
    for number, partition in enumerate((0, 1, 1)):
        value = json.dumps(request(f"a{number}")).encode()
        for _ in range(2):
            sender.send(REQUESTS, "a", value, partition=partition)
    batch = [request("b1", "m"), request("b2"), request("b3", "m"), request("b4")]
    sender.send(REQUESTS, "b", json.dumps(batch).encode(), BATCH, partition=0)
    sender.flush()
    return 5


def is_poison(read: Read) -> bool:
    return read.type == "usage.request.v1" and read.data["model"] == POISON


def constrain(scene: Scene, table: str, check: str) -> None:
    with scene.connect() as store:
        store.command(f"ALTER TABLE {table} ADD CONSTRAINT strange CHECK {check}")


def check(scene: Scene, events: int, said: str) -> None:
    """Hold everything against the recount; see the dead letters, and an audit that is silent."""
    scene.check(refused=is_poison)
    found, _ = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    messages = [h["dl_message"] for h, _ in found.values() if h["dl_reason"] == "internal"]
    assert len(messages) == events
    assert all(said in message for message in messages), messages
    with scene.connect() as store:
        report = run.audit(scene.loaded(), store, None)
    assert report.exit_code == 0, report.as_json()


def test_what_one_of_a_views_targets_refuses_is_in_none_of_them_whoever_counts_it(
    scene: Scene,
) -> None:
    """Killed with the reduced chunk half inserted: whoever replays it comes to the same."""
    scene.set_up(partitions=2)
    constrain(scene, "requests_15m", f"model != '{POISON}'")
    scene.send(800, bad=0.05)
    events = send_poison(scene)
    dying = scene.worker(**hooks.environment("after:insert:facts"))
    scene.await_end(dying, -9)
    port = free_port()
    worker_at(scene, port)
    check(scene, events, "The event is as it should be, but the store refuses it: Constraint")
    counted = f'usage_store_refused_events_total{{topic="{scene.topic(REQUESTS)}"}} '
    assert counted in get(port, "/metrics")


def test_a_table_that_begins_to_refuse_while_a_worker_runs(scene: Scene) -> None:
    """What is refused first is what is inserted first: nothing of the chunk is in yet."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(800)
    scene.settle()
    constrain(scene, "live_1m", "input_tokens < 7 OR tenant NOT IN ('tenant-a', 'tenant-b')")
    events = send_poison(scene)
    check(scene, events, "Constraint `strange`")
    assert worker.is_running
    scene.stop(worker)
    with scene.connect() as store:
        assert store.query("SHOW TABLES LIKE 'rehearsal_%'") == []
