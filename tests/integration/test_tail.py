"""`usage tail` on a real broker: what it shows, what it leaves out, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
from itertools import pairwise
from typing import Any

from tests.support.harness.process import Process
from tests.support.harness.produce import BATCH, EVENTS, REQUESTS, STRUCTURED, Headers
from tests.support.harness.scene import Scene

BINARY: Headers = [
    ("content-type", b"application/json"),
    *((f"ce_{n}", v.encode()) for n, v in (("specversion", "1.0"), ("id", "b"), ("source", "s"))),
    ("ce_type", b"usage.event.v1"),
    ("ce_subject", b"acme"),
]


def event(id_: str, tenant: str, name: object = "signed.up") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "s",
        "type": "usage.event.v1",
        "subject": tenant,
        "data": {"name": name},
    }


def send(scene: Scene) -> None:
    sender = scene.sender()
    sender.send(EVENTS, "acme", json.dumps(event("1", "acme")).encode(), STRUCTURED, 0)
    batch = [event("2", "globex"), event("3", "globex", 7)]
    sender.send(EVENTS, "globex", json.dumps(batch).encode(), BATCH, 0)
    sender.send(EVENTS, "acme", b'{"name":"binary \xc3\xa9", "properties":{"n":1.50}}', BINARY, 0)
    sender.send(REQUESTS, "acme", b"\xff", [], 0)
    sender.send(EVENTS, "acme", None, [], 0)
    sender.flush()


def lines(tail: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in tail.output().splitlines() if line.startswith("{")]


def test_events_are_shown_as_they_pass(scene: Scene) -> None:
    scene.partitions = 1
    scene.create_topics()
    live = scene.start("tail")
    live.await_output("following")
    send(scene)
    live.await_output("null: skipped")
    live.await_output("what is not JSON")
    os.kill(live.pid, signal.SIGINT)
    assert live.wait() == 0, live.tail()
    shown = live.output()
    assert "usage.events:0:1:1" in shown
    assert "invalid_data: data.name: found the number 7, expected a string" in shown
    assert "name=binary é" in shown

    events = ("tail", "usage.events", "--json", "--from-beginning")
    everything = scene.start(*events, "--limit", "5")
    assert everything.wait() == 0
    outcomes = ["valid", "valid", "rejected", "valid", "skipped"]
    found = lines(everything)
    assert [one["outcome"] for one in found] == outcomes
    assert [one["index"] for one in found] == [None, 0, 1, None, None]
    assert found[0]["event"] == event("1", "acme")
    assert '"n":1.50' in everything.output(), "numbers stay as they were written"
    assert found[3]["headers"]["ce_id"] == "b"
    for options, count in (
        (("--tenant", "globex"), 2),
        (("--rejected",), 1),
        (("--type", "usage.event.v1"), 4),
    ):
        chosen = scene.start(*events, *options, "--limit", str(count))
        assert chosen.wait() == 0
        assert len(lines(chosen)) == count


def test_what_carries_no_events_is_said(scene: Scene) -> None:
    refused = scene.start("tail", "usage.dead-letter")
    assert refused.wait() == 64
    assert "carries no events" in refused.output()
    missing = scene.start("tail", "usage.requests")
    assert missing.wait() == 75
    assert "usage topics create" in missing.output()


def test_a_broker_that_is_away_is_said_and_waited_for(scene: Scene) -> None:
    """Else its silence looks like that of a topic in which nothing happens."""
    scene.partitions = 1
    scene.create_topics()
    live = scene.start("tail", "usage.events")
    live.await_output("following")
    scene.kafka.kill9()
    live.await_output("(USAGE_KAFKA) does not answer: ")
    scene.kafka.start()
    live.await_output("Kafka answers again")
    sender = scene.sender()
    sender.send(EVENTS, "acme", json.dumps(event("1", "acme", "afterwards")).encode(), [], 0)
    sender.flush()
    live.await_output("name=afterwards")
    os.kill(live.pid, signal.SIGINT)
    assert live.wait() == 0, live.tail()
    said = re.findall("does not answer|answers again", live.output())
    assert all(one != other for one, other in pairwise(said)), "each is said once"
