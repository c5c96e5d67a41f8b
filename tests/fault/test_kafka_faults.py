"""The broker is restarted, offsets and records are deleted, transactions abort, topics recreate."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.support.harness import compare, hooks
from tests.support.harness.produce import RECIPE_ACTIONS, REQUESTS, Traffic
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.recount import Log, read_log
from tests.support.harness.scene import Scene

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("orderly", [True, False])
def test_broker_restarted(scene: Scene, orderly: bool) -> None:
    scene.set_up(partitions=4)
    traffic = Traffic(3)
    scene.worker()
    scene.worker()
    scene.sender().send_traffic(traffic, 4000)
    scene.await_received(500)
    if orderly:
        scene.kafka.stop()
    else:
        scene.kafka.kill9()
    scene.kafka.start()
    scene.sender().send_traffic(traffic, 4000)
    scene.check()


def test_a_broker_that_is_away_is_said_now_and_then(scene: Scene) -> None:
    """The clients try ten times a second, each with some lines of its own."""
    scene.set_up(partitions=2)
    worker = scene.worker(USAGE_LOG_FORMAT="json")
    scene.send(500)
    scene.settle()
    lines = len(worker.said())
    scene.kafka.kill9()
    time.sleep(10)  # it is away; nothing is to happen
    said = worker.said()[lines:]
    scene.kafka.start()
    assert 0 < len(said) < 20, worker.tail()
    assert all(json.loads(line)["logger"] for line in said)
    scene.send(500, seed=2)
    scene.check()


@pytest.mark.parametrize("point", ["after:record_intent", "after:insert:facts", "after:ledger"])
def test_offsets_deleted_with_a_chunk_open(scene: Scene, point: str) -> None:
    """Without the group's word the store's intent tells the range; other bounds would double it."""
    scene.set_up(partitions=2)
    scene.send(500)
    worker = scene.worker(**hooks.environment(point))
    scene.await_end(worker, -signal.SIGKILL)
    scene.kafka.delete_group(scene.group)
    scene.send(500, seed=2)
    scene.worker()
    scene.check()


def test_offsets_deleted_after_orderly_work(scene: Scene) -> None:
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(500)
    scene.settle()
    scene.stop(worker)
    scene.kafka.delete_group(scene.group)
    assert set(scene.committed().values()) == {None}
    scene.send(500, seed=2)
    scene.worker()
    scene.check()


def test_retention_deletes_what_was_not_read_yet(scene: Scene) -> None:
    """Lost offsets are in the ledger, the rest is exact, and the worker goes on."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(1000)
    scene.settle()
    scene.stop(worker)
    committed = scene.committed()
    scene.send(2000, seed=2)
    log = read_log(scene.kafka, scene.topics)
    gone = {}
    for source, part in log.items():
        at = committed[source] or 0
        gone[source] = (at, (at + part.last) // 2)
        scene.kafka.delete_records(*source, gone[source][1])
    scene.worker()
    scene.check(log={source: part.without(*gone[source]) for source, part in log.items()})
    assert lost(scene) == gone


def test_retention_deletes_ahead_of_a_worker_that_runs(scene: Scene) -> None:
    """Held up by a store that is away, it falls behind the log's first offset while it runs."""
    scene.set_up(partitions=2)
    scene.settings["USAGE_BUFFER_EVENTS"] = "2000"
    traffic, sender = Traffic(5), scene.sender()
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        scene.worker()
        sender.send_traffic(traffic, 500)
        scene.settle()
        proxy.set(Mode.REFUSE)
        sender.send_traffic(traffic, 200_000)
        log = read_log(scene.kafka, scene.topics)
        for source, part in log.items():
            scene.kafka.delete_records(*source, part.last - 20)
        proxy.set(Mode.PASS)
        sender.send_traffic(traffic, 500)
        scene.settle()
        _check_what_is_not_lost(scene, log)


def _check_what_is_not_lost(scene: Scene, before: Log) -> None:
    after = read_log(scene.kafka, scene.topics)
    ranges = lost(scene)
    assert ranges, "nothing was lost: the test did not outrun the worker"
    kept: Log = {}
    for source, part in before.items():
        end = part.records[-1].offset if part.records else -1
        part.records += [r for r in after[source].records if r.offset > end]
        a, b = ranges.get(source, (0, 0))
        assert b <= after[source].first, "what is still in the log was given up"
        kept[source] = part.without(a, b)
    scene.check(log=kept)


def lost(scene: Scene) -> dict[tuple[str, int], tuple[int, int]]:
    """Return what the ledger says is lost, of each source."""
    with scene.connect() as store:
        return {
            source: (a, b)
            for source in scene.sources
            for rows in compare.spans(store, *source).values()
            for a, b, kind in rows
            if kind == "lost"
        }


def test_aborted_transactions_do_not_count(scene: Scene) -> None:
    scene.set_up(partitions=2)
    scene.worker()
    sender = scene.sender(**{"transactional.id": scene.prefix})
    sender.producer.init_transactions(30)
    traffic = Traffic(4)
    for n in range(12):
        sender.producer.begin_transaction()
        sender.send_traffic(traffic, 50)
        if n % 3 == 1:
            sender.producer.abort_transaction(30)
        else:
            sender.producer.commit_transaction(30)
        if n == 6:
            scene.workers[0].kill9()
            scene.worker()
    scene.check()


def test_topic_deleted_and_recreated(scene: Scene) -> None:
    """The same offsets again, in another log: they are other events, and count."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(1000)
    first = scene.settle()
    scene.stop(worker)
    for topic in scene.topics:
        scene.kafka.delete_topic(topic)
    scene.create_topics()
    scene.send(700, seed=2)
    scene.worker()
    scene.check(first)


def test_topic_recreated_with_an_intent_open(scene: Scene) -> None:
    """What was intended of the old log is gone with it; what of it had arrived stays counted."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(1000)
    first = scene.settle()
    worker.kill9()
    scene.workers.remove(worker)
    scene.send(300, seed=2)
    dying = scene.worker(**hooks.environment("after:record_intent"))
    scene.await_end(dying, -signal.SIGKILL)
    for topic in scene.topics:
        scene.kafka.delete_topic(topic)
    scene.create_topics()
    scene.send(700, seed=3)
    scene.worker()
    scene.check(first)


@pytest.mark.parametrize("kind", [REQUESTS, RECIPE_ACTIONS])
def test_one_source_empty(scene: Scene, kind: str) -> None:
    scene.set_up(partitions=2)
    sender, traffic = scene.sender(), Traffic(6)
    scene.worker()
    for _ in range(200):
        sender.send(kind, *traffic.message(kind, time.time()))
    sender.flush()
    scene.check()
