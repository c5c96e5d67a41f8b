"""SIGTERM and SIGINT end a worker within seconds, a second one at once, whatever it hangs in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.harness import flood, stalls
from tests.support.harness.flood import Flood
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.scene import SETTINGS, Scene
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until
from tests.support.harness.watched import Watched

pytestmark = pytest.mark.faults

END_SECONDS = float(SETTINGS["USAGE_SETTLE_SECONDS"]) + 50
"""Long, for a busy machine: a worker sees to its end by itself, and its exit code says how."""
AT_ONCE_SECONDS = 8.0
ENDED_BY = {number: 128 + number for number in (signal.SIGTERM, signal.SIGINT)}


def end(worker: Watched, number: signal.Signals, within: float) -> int:
    """Send a signal, and return the exit code that comes within so many seconds."""
    begun = time.monotonic()
    os.kill(worker.process.pid, number)
    code = worker.process.wait(within)
    print(f"ended with {code} after {time.monotonic() - begun:.1f} s")
    return code


def end_twice(worker: Watched, number: signal.Signals) -> int:
    """Send a signal, and again when the first was heard; return the exit code."""
    os.kill(worker.process.pid, number)
    # Else the kernel makes one of the two.
    until(lambda: not worker.pending(number), within=30, what="the first to be heard", every=0.01)
    return end(worker, number, AT_ONCE_SECONDS)


@contextmanager
def counting(scene: Scene, proxy: Proxy, **environment: str) -> Iterator[tuple[Watched, Flood]]:
    """Give a worker that has counted some; afterwards another one must count the rest exactly."""
    scene.set_up(partitions=2)
    flooded = Flood(scene)
    through = scene.store_url(proxy.port)
    worker = Watched(scene, USAGE_CLICKHOUSE=through, **environment)
    flooded.send(3000)
    flood.check(scene, flooded)
    yield worker, flooded
    scene.workers.remove(worker.process)
    proxy.set(Mode.PASS)
    scene.worker()
    flood.check(scene, flooded)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG])
def test_store_away(scene: Scene, mode: Mode, number: signal.Signals) -> None:
    with Proxy(scene.store.port) as proxy, counting(scene, proxy) as (worker, flooded):
        proxy.set(mode)
        flooded.send(5000)
        worker.await_metric("usage_lag_records", 5000)
        assert end(worker, number, END_SECONDS) == 0, worker.process.tail()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal(scene: Scene, number: signal.Signals) -> None:
    """The store hangs and there would be time to settle: the second signal does not wait."""
    with (
        Proxy(scene.store.port) as proxy,
        counting(scene, proxy, USAGE_SETTLE_SECONDS="60") as (worker, flooded),
    ):
        proxy.set(Mode.HANG)
        flooded.send(5000)
        worker.await_metric("usage_lag_records", 5000)
        assert end_twice(worker, number) == ENDED_BY[number], worker.process.tail()


def test_slow_store(scene: Scene) -> None:
    """What is under way does not fit into the time there is: given up, and counted by the next."""
    with Proxy(scene.store.port) as proxy, counting(scene, proxy) as (worker, flooded):
        proxy.delay_seconds = 1.0
        flooded.send(5000)
        worker.await_metric("usage_lag_records", 5000)
        assert end(worker, signal.SIGTERM, END_SECONDS) == 0, worker.process.tail()
        proxy.delay_seconds = 0.0


@pytest.mark.parametrize("times", [1, 2])
def test_blocked_event_loop(scene: Scene, tmp_path: Path, times: int) -> None:
    """/healthz says so; the signal is heard by a thread of its own."""
    block = tmp_path / "block"
    environment = {"USAGE_HOOK": stalls.HOOK, "STALL_FILE": str(block)}
    with (
        Proxy(scene.store.port) as proxy,
        counting(scene, proxy, **environment) as (worker, flooded),
    ):
        worker.await_says("/healthz", 200, "alive")
        block.touch()
        flooded.send(1000)
        worker.await_says("/healthz", 503, "blocked")
        assert worker.says("/readyz") == (503, "blocked")
        if times == 1:
            code = end(worker, signal.SIGTERM, END_SECONDS)
        else:
            code = end_twice(worker, signal.SIGTERM)
        assert code == ENDED_BY[signal.SIGTERM], worker.process.tail()
        assert ("did not stop within" in worker.process.output()) == (times == 1)


def test_an_event_loop_that_answers_again(scene: Scene, tmp_path: Path) -> None:
    block = tmp_path / "block"
    environment = {"USAGE_HOOK": stalls.HOOK, "STALL_FILE": str(block)}
    with (
        Proxy(scene.store.port) as proxy,
        counting(scene, proxy, **environment) as (worker, flooded),
    ):
        block.touch()
        flooded.send(1000)
        worker.await_says("/healthz", 503, "blocked")
        block.unlink()
        flood.check(scene, flooded)
        worker.await_says("/healthz", 200, "alive")
        assert end(worker, signal.SIGTERM, END_SECONDS) == 0, worker.process.tail()


def test_stuck_takeover(scene: Scene) -> None:
    """Not ready from the first moment; dead when it has lasted; it ends in order all the same."""
    scene.set_up(partitions=2)
    worker = Watched(scene, USAGE_HOOK=stalls.HOOK, STALL_TAKEOVER="1", STALLED_SECONDS="20")
    worker.await_says("/readyz", 503, "rebuilding")
    assert worker.says("/healthz") == (200, "alive")
    worker.await_says("/healthz", 503, "stuck", within=90)
    assert worker.says("/readyz") == (503, "rebuilding")
    assert end(worker, signal.SIGTERM, END_SECONDS) == 0, worker.process.tail()
    scene.workers.remove(worker.process)


def test_takeover_from_a_store_that_hangs(scene: Scene) -> None:
    """Told apart from a stuck one: it waits for the store, and goes on with it."""
    scene.set_up(partitions=2)
    flooded = Flood(scene)
    with Proxy(scene.store.port) as proxy:
        through = scene.store_url(proxy.port)
        first = Watched(scene, USAGE_CLICKHOUSE=through, USAGE_SESSION_TIMEOUT_SECONDS="30")
        flooded.send(2000)
        flood.check(scene, flooded)
        proxy.set(Mode.REFUSE)
        first.process.kill9()
        proxy.set(Mode.PASS)
        second = Watched(scene, USAGE_CLICKHOUSE=through)  # waits for the first one's session
        second.await_says("/readyz", 503, "unassigned")
        proxy.set(Mode.HANG)
        flooded.send(2000)
        second.await_says("/readyz", 503, "rebuilding", within=90)
        second.await_says("/healthz", 200, "store_hangs", within=60)
        assert second.says("/readyz") == (503, "rebuilding")
        proxy.set(Mode.PASS)
        flood.check(scene, flooded)
        second.await_says("/readyz", 200, "ready")


def test_start_at_a_store_that_hangs(scene: Scene) -> None:
    with Proxy(scene.store.port) as proxy:
        proxy.set(Mode.HANG)
        worker = Watched(scene, USAGE_CLICKHOUSE=scene.store_url(proxy.port))
        until(lambda: worker.handles(signal.SIGTERM), within=60, what="the worker's handler")
        time.sleep(2)  # it connects, which nothing shows from outside
        assert end(worker, signal.SIGTERM, END_SECONDS) == 0, worker.process.tail()
        scene.workers.remove(worker.process)


def test_kafka_away(store: EmbeddedStore, tmp_path: Path) -> None:
    """A broker that hangs lets nobody leave, commit or look: it ends all the same."""
    kafka = KafkaBroker(tmp_path)
    kafka.start()
    scene = Scene(kafka, store, tmp_path)
    try:
        with Proxy(store.port) as proxy, counting(scene, proxy) as (worker, flooded):
            flooded.send(1000)
            kafka.process.pause()
            assert end(worker, signal.SIGTERM, END_SECONDS) in (0, ENDED_BY[signal.SIGTERM])
            begun = Watched(scene)
            until(lambda: begun.handles(signal.SIGTERM), within=60, what="the worker's handler")
            time.sleep(2)  # it connects to Kafka, which nothing shows from outside
            assert end(begun, signal.SIGTERM, END_SECONDS) == 0, begun.process.tail()
            scene.workers.remove(begun.process)
            kafka.process.resume()
    finally:
        scene.end()
        kafka.kill9()
