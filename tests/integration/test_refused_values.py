"""Events that are as they should be and that a table refuses: set aside, and nobody else waits."""

from __future__ import annotations

import itertools

from pipeline.operate.audit import run
from tests.support.harness import compare, hooks, poison
from tests.support.harness.process import free_port
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.scrape import get, worker_at
from tests.support.harness.waiting import until


def check(scene: Scene, said: str) -> None:
    """Hold everything against the recount; see the dead letters, and an audit that is silent."""
    scene.check(refused=poison.is_refused)
    found, _ = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    messages = [h["dl_message"] for h, _ in found.values() if h["dl_reason"] == "internal"]
    assert len(messages) == poison.REFUSED
    assert all(said in message for message in messages), messages
    with scene.connect() as store:
        report = run.audit(scene.loaded(), store, None)
    assert report.exit_code == 0, report.as_json()


def test_what_one_of_a_views_targets_refuses_is_in_none_of_them_whoever_counts_it(
    scene: Scene,
) -> None:
    """Killed with the reduced chunk half inserted: whoever replays it comes to the same."""
    scene.set_up(partitions=2)
    poison.refuse_in(scene, "requests_15m")
    scene.send(800, bad=0.05)
    poison.send(scene)
    dying = scene.worker(**hooks.environment("after:insert:facts"))
    scene.await_end(dying, -9)
    port = free_port()
    worker_at(scene, port)
    check(scene, "The event is as it should be, but the store refuses it: Constraint")
    counted = f'usage_store_refused_events_total{{topic="{scene.topic(REQUESTS)}"}} '
    assert counted in get(port, "/metrics")


def test_a_table_that_begins_to_refuse_while_a_worker_runs(scene: Scene) -> None:
    """It is looked for now and then; from then on each chunk is rehearsed before it is inserted."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(800)
    scene.settle()
    check_sums = "input_tokens < 7 OR tenant NOT IN ('tenant-a', 'tenant-b')"
    poison.refuse_in(scene, "partitions_1m", check_sums)
    numbers = itertools.count()
    with scene.connect() as store:

        def is_rehearsed() -> bool:
            poison.send_good(scene, next(numbers))
            return bool(store.query("SHOW TABLES LIKE 'rehearsal_%partitions_1m'"))

        until(is_rehearsed, within=90, what="a rehearsal", explain=worker.tail, every=0.5)
        poison.send(scene)
        check(scene, "Constraint `strange`")
        assert worker.is_running
        scene.stop(worker)
        assert store.query("SHOW TABLES LIKE 'rehearsal_%'") == []
