"""Gauges of the live windows while minutes pass, workers are killed and readers take turns."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from tests.integration.test_live_gauges import LABELS, PARTITIONS, bounded, send
from tests.support.harness.process import free_port
from tests.support.harness.readers import SETTINGS
from tests.support.harness.scene import Scene
from tests.support.harness.scrape import await_equal, worker_at

SECONDS = 190


@pytest.mark.faults
def test_each_gauge_is_the_views_at_every_pause(scene: Scene) -> None:
    """Three minutes of a steady stream; what one reader has counted, the next one restores."""
    scene.settings |= {"USAGE_TENANT_LABELS": str(LABELS)}
    scene.set_up(PARTITIONS)
    draw, readers = random.Random(3), itertools.cycle(SETTINGS)
    begun, scrapes, minutes = time.monotonic(), 0, set[int]()
    while time.monotonic() - begun < SECONDS or len(minutes) < 4 or scrapes < 12:
        port = free_port()
        scene.settings["USAGE_READER"] = next(readers)
        worker = worker_at(scene, port)
        for _ in range(6):
            send(scene, draw)
            scene.settle()
            bounded(await_equal(scene, port))
            scrapes += 1
            minutes.add(int(time.time()) // 60)
        send(scene, draw)
        worker.kill9()
        scene.workers.remove(worker)
    worker_at(scene, free_port())
    scene.check()
