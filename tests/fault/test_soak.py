"""Minutes of 20,000 events/s with random faults: memory flat, counts exact.

``SOAK_MINUTES`` (30) is for how long, ``SOAK_SEED`` which faults come.

How memory is measured: the resident memory of the worker that is never killed, every second. The
first third, or minute, is left out: the buffer is full for the first time, pools and caches fill.
Through the rest a straight line is laid by least squares; what it rises from end to end must be
less than `ALLOWED_RISE_BYTES`. A few minutes say little: faults still find new heights.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from typing import Self

import pytest

from tests.support.harness import flood
from tests.support.harness.flood import Flood
from tests.support.harness.process import Process
from tests.support.harness.produce import ENTITIES, EVENTS, RECIPE_ACTIONS, REQUESTS
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.scene import (
    DEAD_LETTER,
    METRIC_DEFINITIONS,
    SESSION_SECONDS,
    Scene,
)
from tests.support.harness.watched import Watched

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
EVENTS_PER_SECOND = 20_000
BUFFER_EVENTS = 200_000
UNAVAILABLE = 75
ALLOWED_RISE_BYTES = 32 << 20
"""Less than one byte for each of the 36 million events of half an hour. It cannot be nothing: how
full the buffer is when a fault lasts is part of every sample."""
WARM_UP_SECONDS = 60
CALM_SECONDS = (3.0, 12.0)
"""How long it is quiet between two faults, at least and at most."""


class Faults:
    """What happens to the scene, one at a time; each ends what it began."""

    def __init__(self, scene: Scene, proxy: Proxy, seed: int) -> None:
        self._scene = scene
        self._proxy = proxy
        self._random = random.Random(seed)
        self.happened: list[str] = []

    def go_on(self, until: float) -> None:
        """Let faults come, at random, until an instant of the monotonic clock."""
        faults: list[Callable[[], None]] = [
            self._kill_worker,
            self._kill_store,
            self._pause_worker,
            self._cut,
            self._hang,
            self._refuse,
        ]
        while self._calm(until):
            fault = self._random.choice(faults)
            self.happened.append(fault.__name__.removeprefix("_"))
            fault()
        self._other_worker()

    def _calm(self, until: float) -> bool:
        end = time.monotonic() + self._random.uniform(*CALM_SECONDS)
        if end > until - 2 * SESSION_SECONDS:
            time.sleep(max(0.0, until - time.monotonic()))
            return False
        time.sleep(end - time.monotonic())
        return True

    def _other_worker(self) -> Process:
        """Return the worker that faults are for; one that found no store at its start is replaced.

        As whatever supervises workers does with that exit code; no other is expected.
        """
        other = self._scene.workers[-1]
        if other.is_running:
            return other
        assert other.exit_code == UNAVAILABLE, other.tail()
        return self._scene.worker()

    def _kill_worker(self) -> None:
        self._other_worker().kill9()
        self._scene.worker()

    def _kill_store(self) -> None:
        self._scene.store.kill9()
        self._scene.store.start()

    def _pause_worker(self) -> None:
        """Long enough for the group to go on without it, or not."""
        paused = self._other_worker()
        paused.pause()
        time.sleep(self._random.uniform(1, 1.5 * SESSION_SECONDS))
        paused.resume()

    def _cut(self) -> None:
        self._proxy.set(Mode.LOSE_ANSWERS)
        time.sleep(0.3)
        self._proxy.set(Mode.PASS)

    def _hang(self) -> None:
        with self._proxy.during(Mode.HANG):
            time.sleep(self._random.uniform(1, 8))

    def _refuse(self) -> None:
        with self._proxy.during(Mode.REFUSE):
            time.sleep(self._random.uniform(1, 8))


class Memory:
    """Samples of a worker's resident memory, one a second."""

    def __init__(self, worker: Watched) -> None:
        self._worker = worker
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.samples: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(1.0):
            self.samples.append(self._worker.memory_bytes())

    def rise_bytes(self) -> float:
        """Return how much the line through the settled samples rises from end to end."""
        settled = self.samples[max(WARM_UP_SECONDS, len(self.samples) // 3) :]
        line = statistics.linear_regression(range(len(settled)), settled)
        return float(line.slope * len(settled))


def set_up(scene: Scene) -> None:
    """Create the topics and the tables: one partition where nothing is sent.

    So however the group shares them, each of two workers has at least three that are busy.
    """
    scene.partitions = 8
    others = (RECIPE_ACTIONS, EVENTS, ENTITIES, METRIC_DEFINITIONS, DEAD_LETTER)
    for name, partitions in ((REQUESTS, 8), *((other, 1) for other in others)):
        scene.kafka.create_topics([scene.topic(name)], partitions)
    scene.run("migrate")


def test_soak(lone_scene: Scene) -> None:
    scene = lone_scene
    set_up(scene)
    scene.settings |= {
        "USAGE_CHUNK_EVENTS": "100000",
        "USAGE_BUFFER_EVENTS": str(BUFFER_EVENTS),
        "USAGE_INSERTS_PER_SECOND": "20",
    }
    flooded = Flood(scene)
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        watched = Watched(scene)
        scene.worker()
        scene.await_assigned(2)
        end = time.monotonic() + 60 * MINUTES
        faults = Faults(scene, proxy, SEED)
        sending = threading.Thread(target=flooded.send_at, args=(EVENTS_PER_SECOND, end))
        with Memory(watched) as memory:
            sending.start()
            faults.go_on(end)
            sending.join()
            flood.check(scene, flooded, within=120 + flooded.sent / 20_000)
        counted = watched.metric("usage_events_total")
    shown = " ".join(str(sample >> 20) for sample in memory.samples[:: len(memory.samples) // 24])
    print(f"{flooded.sent} events, faults: {' '.join(faults.happened)}")
    print(f"memory: {shown} MiB; the line rises by {memory.rise_bytes() / (1 << 20):.1f}")
    assert faults.happened
    assert flooded.sent > 0.9 * EVENTS_PER_SECOND * 60 * MINUTES, "the producer fell behind"
    assert watched.process.is_running, watched.process.tail()
    assert counted > flooded.sent / 5, f"{counted} of {flooded.sent} by the worker that is measured"
    assert memory.rise_bytes() < ALLOWED_RISE_BYTES, shown
