"""200,000 records that no producer should send: nothing stops, and each is accounted for."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from pipeline.facts.exact.reasons import INTERNAL, REASONS
from tests.support.harness import compare
from tests.support.harness.fuzz import Fuzz
from tests.support.harness.produce import ENTITIES, EVENTS, RECIPE_ACTIONS, REQUESTS
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.watched import Watched

RECORDS = 200_000
ROUNDS = 2
KINDS = (REQUESTS, RECIPE_ACTIONS, EVENTS, ENTITIES)
MIB = 1024 * 1024
CHUNK_BYTES = 16 * MIB
BUFFER_BYTES = 64 * MIB
ALLOWED_BYTES = 400 * MIB


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_fuzzed_records_are_accounted_for(scene: Scene) -> None:
    """Damaged, made up, hostile: tables, ledger and dead letters are the recount's.

    Memory: bounded, and a second round needs no more than the first.
    """
    scene.set_up(partitions=2)
    scene.settings |= {
        "USAGE_CHUNK_BYTES": str(CHUNK_BYTES),
        "USAGE_BUFFER_BYTES": str(BUFFER_BYTES),
    }
    worker = Watched(scene)
    sender, fuzz = scene.sender(), Fuzz(seed=5)
    peaks = []
    for _ in range(ROUNDS):
        now = time.time()
        for n in range(RECORDS // ROUNDS):
            kind = KINDS[n % len(KINDS)]
            sender.send(kind, *fuzz.message(kind, now))
        sender.flush()
        scene.settle(within=180)
        peaks.append(worker.peak_memory_bytes())
    shown = " ".join(str(peak // MIB) for peak in peaks)
    print(f"memory: peaks {shown} MiB")
    scene.check()
    assert scene.workers == [worker.process]
    assert worker.process.is_running
    assert peaks[-1] < ALLOWED_BYTES, shown
    assert peaks[-1] - peaks[0] < BUFFER_BYTES, shown
    found, copies = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    reasons = Counter(headers["dl_reason"] for headers, _ in found.values())
    assert reasons.keys() == set(REASONS) - {INTERNAL}
    assert set(copies.values()) == {1}
