"""The store is away, slow, half-open or full while events come in: bounded, said once, exact."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clickhouse.client import READ_SECONDS
from pipeline.worker.transport import MAX_POLL_RECORDS, PARTITION_FETCH_BYTES, STREAM_BUFFER_BATCHES
from tests.support.harness import flood
from tests.support.harness.flood import Flood
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.scene import SESSION_SECONDS, Scene
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until
from tests.support.harness.watched import Watched

PARTITIONS = 4
BUFFER_EVENTS = 200_000
EVENT_BYTES = 1024
"""What a small event may cost in memory: its columns, and the record that it came in."""
MIB = 1 << 20
DISK_BYTES = 256 * MIB


def outage_scene(scene: Scene) -> Scene:
    """Set up a scene with the real sizes of chunks, and a smaller buffer."""
    scene.set_up(partitions=PARTITIONS)
    scene.settings |= {
        "USAGE_CHUNK_EVENTS": "100000",
        "USAGE_BUFFER_EVENTS": str(BUFFER_EVENTS),
        "USAGE_INSERTS_PER_SECOND": "10",
    }
    return scene


def memory_bound(idle_bytes: int) -> int:
    """Return what the settings allow: the buffer, the agent's queue, and fetches not unpacked yet.

    A chunk under way is also encoded, a second time its size at most.
    """
    events = BUFFER_EVENTS + STREAM_BUFFER_BATCHES * MAX_POLL_RECORDS
    return idle_bytes + 2 * events * EVENT_BYTES + PARTITIONS * PARTITION_FETCH_BYTES


def count_through_outage(scene: Scene, events: int) -> None:
    """Take the store away, send events, give it back; look at every stage."""
    outage_scene(scene)
    flooded = Flood(scene)
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        worker = Watched(scene)
        flooded.send(20_000)
        flood.check(scene, flooded)
        worker.await_says("/readyz", 200, "ready")
        worker.await_says("/healthz", 200, "alive")
        members, idle = scene.kafka.assignment(scene.group), worker.memory_bytes()

        proxy.set(Mode.REFUSE)
        flooded.send(events)
        worker.await_says("/healthz", 200, "store_away")
        assert worker.says("/readyz") == (200, "ready")
        worker.await_metric("usage_lag_records", events)  # all of it, though nothing is fetched
        worker.await_metric("usage_lag_seconds", SESSION_SECONDS + 4)
        held = worker.metric("usage_buffer_events")
        batches = 2 * MAX_POLL_RECORDS  # one for each agent, on top of the bound
        assert BUFFER_EVENTS <= held <= BUFFER_EVENTS + batches, held
        assert worker.metric("usage_store_away") == 1
        assert scene.kafka.assignment(scene.group) == members, worker.process.tail()

        proxy.set(Mode.PASS)
        flood.check(scene, flooded, within=60 + events / 20_000)
        worker.await_says("/healthz", 200, "alive")
        assert worker.says("/readyz") == (200, "ready")
        until(lambda: worker.metric("usage_lag_records") == 0, within=30, what="no lag")
        assert worker.metric("usage_rebalances_total") == 1, worker.process.tail()
        assert scene.kafka.assignment(scene.group) == members, worker.process.tail()
        said = worker.process.output()
        assert said.count("the store is away") == said.count("the store answers again") == 1, said
        peak, bound = worker.peak_memory_bytes(), memory_bound(idle)
        print(f"memory: idle {idle // MIB} MiB, peak {peak // MIB} MiB, bound {bound // MIB} MiB")
        assert peak <= bound, f"{peak // MIB} MiB, {idle // MIB} idle, allowed {bound // MIB}"


@pytest.mark.faults
def test_store_away_while_three_million_events_arrive(scene: Scene) -> None:
    count_through_outage(scene, 3_000_000)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_store_away_while_thirty_million_events_arrive(scene: Scene) -> None:
    count_through_outage(scene, 30_000_000)


@pytest.mark.faults
def test_slow_store(scene: Scene) -> None:
    """Every answer takes half a second: chunks grow, nothing is alarmed."""
    outage_scene(scene)
    flooded = Flood(scene)
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        proxy.delay_seconds = 0.5
        worker = Watched(scene)
        worker.await_says("/readyz", 200, "ready", within=60)
        flooded.send(300_000)
        assert worker.says("/healthz") == (200, "alive")
        assert worker.says("/readyz") == (200, "ready")
        flood.check(scene, flooded)
        assert worker.metric("usage_store_errors_total") == 0, worker.process.tail()


@pytest.mark.faults
def test_half_open_connections(scene: Scene) -> None:
    """The peer has forgotten its connections: noticed by silence, then sent again on new ones."""
    outage_scene(scene)
    flooded = Flood(scene)
    with Proxy(scene.store.port) as proxy:
        scene.settings["USAGE_CLICKHOUSE"] = scene.store_url(proxy.port)
        worker = Watched(scene)
        flooded.send(50_000)
        scene.await_received(1)
        assert proxy.forget() > 0
        begun = time.monotonic()
        flooded.send(50_000)
        worker.await_says("/healthz", 200, "store_hangs", within=60)
        assert worker.says("/readyz") == (200, "ready")
        flood.check(scene, flooded)
        # One silence, whatever the pool held.
        assert time.monotonic() - begun < 2 * READ_SECONDS - 5
        worker.await_says("/healthz", 200, "alive")
        assert worker.metric("usage_rebalances_total") == 1, worker.process.tail()


@pytest.mark.faults
def test_full_disk(kafka: KafkaBroker, tmp_path: Path) -> None:
    """The store's disk is full for a while: what it says then is worth another try."""
    with small_disk(tmp_path / "disk") as disk:
        store = EmbeddedStore(disk)
        store.start()
        scene = Scene(kafka, store, tmp_path)
        try:
            count_through_full_disk(scene, disk / "ballast")
        finally:
            scene.end()
            store.kill9()


def count_through_full_disk(scene: Scene, ballast: Path) -> None:
    """Fill the disk, send events, free it."""
    outage_scene(scene)
    flooded = Flood(scene)
    worker = Watched(scene)
    flooded.send(20_000)
    flood.check(scene, flooded)
    fill(ballast)
    flooded.send(100_000)
    worker.await_says("/healthz", 200, "store_away", within=60)
    assert scene.received() < flooded.sent
    ballast.unlink()
    flood.check(scene, flooded)
    worker.await_says("/healthz", 200, "alive")
    assert "the store is away" in worker.process.output()
    assert worker.metric("usage_rebalances_total") == 1, worker.process.tail()


def fill(ballast: Path) -> None:
    """Take all the room that a disk has left."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(MIB)):
            pass
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass
    assert shutil.disk_usage(ballast.parent).free == 0


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a tmpfs of `DISK_BYTES`; needs the right to (root, or sudo without a password)."""
    folder.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    mount = [*sudo, "mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=1777", "tmpfs"]
    made = subprocess.run([*mount, str(folder)], capture_output=True, text=True)
    assert made.returncode == 0, (
        f"this test needs a small disk, and may not mount one: {made.stderr.strip()}; "
        "run it as root on Linux"
    )
    try:
        yield folder
    finally:
        subprocess.run([*sudo, "umount", "--lazy", str(folder)], check=True)
