"""Records that Kafka takes and its client library does not parse, on a real broker."""

from __future__ import annotations

import json
import re

from tests.support.harness import compare, poison
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.waiting import until


def test_a_header_whose_name_is_not_utf8_stops_nobody(scene: Scene) -> None:
    """It is no attribute, so its event counts; what is before and behind it does too.

    A worker that takes up behind it reads it again for its ids: it must not stop that either.
    """
    scene.set_up(partitions=2)
    scene.send(300)
    poison.send_odd_names(scene, 1)
    scene.send(300, seed=2)
    worker = scene.worker()
    _await_all(scene)
    scene.stop(worker)
    scene.send(300, seed=3)
    worker = scene.worker()
    sent = _await_all(scene)
    assert worker.is_running
    assert "crashed" not in worker.output()
    with scene.connect() as store:
        counted = "SELECT sum(requests) FROM requests_1m WHERE tenant = 'tenant-d'"
        assert store.query(counted) == [(4,)]  # of each partition, the first of each id
        [(received,)] = store.query("SELECT sum(received + skipped) FROM chunks FINAL")
    assert received >= sent
    found, _ = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    odd = [h for h, value in found.values() if value == b"no JSON"]
    assert [headers["dl_reason"] for headers in odd] == ["malformed"] * 2
    assert odd[0]["\\xff\\xfe"] == "x"


def test_commands_read_such_names_as_workers_do(scene: Scene) -> None:
    """Asked for such headers, librdkafka's Python client ends the process."""
    scene.set_up(partitions=2)
    scene.send(100)
    records = poison.send_odd_names(scene, 1)
    scene.worker()
    _await_all(scene)
    everything = ("tail", "usage.requests", "--from-beginning", "--json")
    good = scene.run(*everything, "--tenant", "tenant-d", "--limit", "4")
    assert good.count('"outcome": "valid"') == 4

    report = json.loads(scene.run("audit", "--recount", "--json"))
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["recount: ledger"]["notes"] == []
    with scene.connect() as store:
        [(chunks, received)] = store.query("SELECT count(), sum(received) FROM chunks FINAL")
    assert (
        checks["recount: ledger"]["compared"] == f"{chunks:,} chunks, {received:,} events: each row"
    )
    assert received >= 100 + records

    poison.send_odd_letter(scene)
    listed = scene.run("dead-letter", "list", "--json").splitlines()
    assert poison.ODD_LETTER in {json.loads(one)["origin"] for one in listed}
    shown = scene.run("dead-letter", "show", poison.ODD_LETTER)
    assert "header \\xff\\xfe" in shown


def test_a_batch_that_is_damaged_on_the_disk_halts_with_what_to_do(scene: Scene) -> None:
    scene.set_up(partitions=1)
    scene.send(300)
    worker = scene.worker()
    counted = _await_all(scene)
    scene.stop(worker)
    topic = scene.topic(REQUESTS)
    [(_, first)] = scene.kafka.bounds(topic).values()
    for seed in (2, 3, 4):  # a batch at least each
        scene.send(100, seed)
    scene.kafka.damage_last_batch(topic, 0)
    worker = scene.worker()
    scene.await_end(worker, 76)
    said = worker.output()
    found = re.search(rf"{re.escape(topic)}\[0\]: the batch of records at offset (\d+)", said)
    assert found, said
    [(_, last)] = scene.kafka.bounds(topic).values()
    at = int(found[1])
    assert first < at < last
    assert "kafka-delete-records.sh" in said

    scene.kafka.delete_records(topic, 0, last)
    scene.send(100, seed=5)
    scene.worker()
    assert _await_all(scene) > counted
    with scene.connect() as store:
        gaps = "SELECT topic, partition, from_offset, to_offset, kind FROM ledger_gaps"
        assert store.query(gaps) == [(topic, 0, at, last, "lost")], "all before it was counted"


def _await_all(scene: Scene) -> int:
    """Wait until all is committed; return how many records there are.

    The log is not read again here: librdkafka's Python client crashes on such a name.
    """
    scene.await_assigned(1)
    ends = {
        (topic, n): last
        for topic in scene.topics
        for n, (_, last) in scene.kafka.bounds(topic).items()
    }
    until(
        lambda: all((scene.committed()[source] or 0) == end for source, end in ends.items()),
        within=90,
        what="all that was sent to be committed",
        explain=scene.tails,
        every=0.2,
    )
    return sum(ends.values())
