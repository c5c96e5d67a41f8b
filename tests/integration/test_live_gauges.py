"""Gauges of the live windows against the view, over boundaries, kills and takeovers."""

from __future__ import annotations

import itertools
import json
import random
import time
from datetime import UTC, datetime

from tests.support.harness.process import free_port
from tests.support.harness.produce import RECIPE_ACTIONS, REQUESTS, Event
from tests.support.harness.scene import Scene
from tests.support.harness.scrape import Gauges, await_equal, window_gauges, worker_at
from tests.support.harness.waiting import until

PARTITIONS = 2
LABELS = 3
TENANTS = [f"tenant-{n}" for n in range(6)]
MINUTES = (-75, -62, -61, -60, -59, -58, -31, -6, -5, -4, -2, -1, 0, 1, 2, 5)
"""Minutes before and behind the running one: on both sides of every window's bounds."""

_serial = itertools.count(1)


def event(kind: str, tenant: str, at: float, draw: random.Random) -> Event:
    request = {
        "operation": "chat",
        "model": "m",
        "status_code": draw.choice((200, 500)),
        "duration_ms": 5,
        "input_tokens": draw.randrange(1000),
        "output_tokens": draw.randrange(100),
    }
    action = {
        "recipe_id": "r",
        "job_id": "j",
        "step": 1,
        "kind": "action",
        "outcome": draw.choice(("succeeded", "failed")),
    }
    return {
        "specversion": "1.0",
        "id": str(next(_serial)),
        "source": "//test/live",
        "type": "usage.request.v1" if kind == REQUESTS else "usage.recipe_action.v1",
        "subject": tenant,
        "time": datetime.fromtimestamp(at, UTC).isoformat(),
        "data": request if kind == REQUESTS else action,
    }


def send(scene: Scene, draw: random.Random, times: int = 1) -> int:
    """Send one event of each kind, tenant and minute; return the minute it was, in epoch s."""
    sender = scene.sender()
    minute = int(time.time()) // 60 * 60
    for back in MINUTES * times:
        at = minute + 60 * back + draw.random() * 59.9
        for kind, tenant in itertools.product((REQUESTS, RECIPE_ACTIONS), TENANTS):
            value = json.dumps(event(kind, tenant, at, draw)).encode()
            sender.send(kind, tenant, value, partition=draw.randrange(PARTITIONS))
    sender.flush()
    return minute


def bounded(gauges: Gauges) -> None:
    """Hold the labels to their bound: the first few, and the rest together."""
    labels = {tenant for tenant, _, _ in gauges}
    assert len(labels) == LABELS + 1
    assert "other" in labels


def test_gauges_are_the_views_before_and_after_a_kill(scene: Scene) -> None:
    scene.settings |= {"USAGE_TENANT_LABELS": str(LABELS)}
    scene.set_up(PARTITIONS)
    draw = random.Random(1)
    port, next_port = free_port(), free_port()
    worker = worker_at(scene, port)
    send(scene, draw)
    scene.settle()
    bounded(await_equal(scene, port))
    send(scene, draw)
    scene.settle()
    before = await_equal(scene, port)
    bounded(before)

    send(scene, draw, times=5)  # killed in the midst of counting them
    worker.kill9()
    scene.workers.remove(worker)
    worker_at(scene, next_port)
    scene.settle()
    after = await_equal(scene, next_port)
    bounded(after)
    assert sum(numbers[0] for numbers in after.values()) > sum(
        numbers[0] for numbers in before.values()
    )
    scene.check()


def test_open_chunks_are_in_the_gauges_and_not_in_the_store(scene: Scene) -> None:
    scene.settings |= {"USAGE_FLUSH_SECONDS": "300"}
    scene.set_up(PARTITIONS)
    port = free_port()
    worker = worker_at(scene, port)
    worker.await_output("reading")
    sent_at = send(scene, random.Random(2))

    def all_open() -> bool:
        minute = int(time.time()) // 60 * 60
        gauges = window_gauges(port)
        shift = (minute - sent_at) // 60
        due = len(TENANTS) * sum(shift - 59 <= back <= shift for back in MINUTES)
        found = [n[0] for (_, *which), n in gauges.items() if which == ["1h", "current"]]
        return sum(found) == due

    until(all_open, within=30, what="all that is open in the gauges", explain=scene.tails)
    assert scene.received() == 0
    scene.stop(worker)
    assert scene.received() == 2 * len(TENANTS) * len(MINUTES)
