"""200,000 records that no producer should send: nothing stops, and each is accounted for."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.harness import compare
from tests.harness.fuzz import Fuzz
from tests.harness.produce import ENTITIES, EVENTS, RECIPE_ACTIONS, REQUESTS
from tests.harness.scene import DEAD_LETTER, Scene
from tests.harness.watched import Watched

RECORDS = 200_000
KINDS = (REQUESTS, RECIPE_ACTIONS, EVENTS, ENTITIES)
MIB = 1024 * 1024
CHUNK_BYTES = 16 * MIB
BUFFER_BYTES = 64 * MIB


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_fuzzed_records_are_accounted_for(scene: Scene) -> None:
    """Damaged, made up, hostile: the tables, the ledger and the dead letters are the recount's."""
    scene.set_up(partitions=2)
    scene.settings |= {
        "USAGE_CHUNK_BYTES": str(CHUNK_BYTES),
        "USAGE_BUFFER_BYTES": str(BUFFER_BYTES),
    }
    worker = Watched(scene)
    worker.await_says("/readyz", 200, "ready")
    idle = worker.memory_bytes()
    sender, fuzz = scene.sender(), Fuzz(seed=5)
    now = time.time()
    for n in range(RECORDS):
        kind = KINDS[n % len(KINDS)]
        sender.send(kind, *fuzz.message(kind, now))
    sender.flush()
    scene.settle(within=150)
    peak = worker.peak_memory_bytes()
    scene.check()
    assert worker.process.is_running
    print(f"memory: idle {idle // MIB} MiB, peak {peak // MIB} MiB")
    found, _ = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    reasons = Counter(headers["dl_reason"] for headers, _ in found.values())
    assert reasons.keys() == {
        "malformed",
        "invalid_envelope",
        "unknown_type",
        "invalid_data",
        "too_early",
        "too_late",
    }
