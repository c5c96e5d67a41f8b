"""Records that Kafka takes and its client library does not parse, on a real broker."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.harness import compare
from tests.support.harness.batches import NAME, batch_of, send_batch, with_names
from tests.support.harness.produce import REQUESTS, Event
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.waiting import until

pytestmark = pytest.mark.timeout(180)


def request(id_: str) -> Event:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "//test/odd",
        "type": "usage.request.v1",
        "subject": "tenant",
        "data": {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1},
    }


def test_a_header_whose_name_is_not_utf8_stops_nobody(scene: Scene) -> None:
    """It is no attribute, so its event counts; what is before and behind it does too.

    A worker that takes up behind it reads it again for its ids: it must not stop that either.
    """
    scene.set_up(partitions=2)
    scene.send(300)
    good = [json.dumps(request(id_)).encode() for id_ in ("1", "2")]
    now = int(time.time() * 1000)
    batch = with_names(batch_of([*good, b"no JSON"], [(NAME, b"x")], now), b"\xff\xfe")
    for partition in (0, 1):
        send_batch(scene.kafka.servers, scene.topic(REQUESTS), partition, batch, records=3)
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
        counted = "SELECT sum(requests) FROM requests_1m WHERE tenant = 'tenant'"
        assert store.query(counted) == [(4,)]  # of each partition, the first of each id
        [(received,)] = store.query("SELECT sum(received + skipped) FROM chunks FINAL")
    assert received >= sent
    found, _ = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    odd = [h for h, value in found.values() if value == b"no JSON"]
    assert [headers["dl_reason"] for headers in odd] == ["malformed"] * 2
    assert odd[0]["\\xff\\xfe"] == "x"


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
