"""The collector of cycles and the allocator, as the worker sets them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import memory

RECORDS = 4096 * 8
"""As many as wait to be folded."""


@pytest.fixture
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def _youngest_collections() -> int:
    return int(gc.get_stats()[0]["collections"])


@pytest.mark.usefixtures("restored")
def test_the_records_of_all_waiting_batches_come_without_a_collection() -> None:
    memory.tune()
    before = _youngest_collections()
    records = [([n], [n], [n]) for n in range(RECORDS)]  # four containers each
    assert _youngest_collections() == before
    assert len(records) == RECORDS


@pytest.mark.usefixtures("restored")
def test_cycles_are_still_found() -> None:
    memory.tune()
    before = _youngest_collections()
    for _ in range(memory.YOUNG):
        cycle: list[object] = []
        cycle.append(cycle)
    cycle = []
    assert _youngest_collections() > before


TURNOVER = """
import random, resource, sys
import numpy as np
from pipeline import memory

def resident_bytes():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize()

memory.tune()
some = random.Random(1)
small = []
before = resident_bytes()
large = []
for _ in range(300):
    large.append(np.ones(some.randrange(1 << 20, 16 << 20), np.uint8))
    small.extend(bytes(some.randrange(100, 2000)) for _ in range(200))
    if len(large) > 6:
        large.pop(some.randrange(6))
        del small[:some.randrange(200)]
kept = sum(map(len, small))
large.clear()
print(resident_bytes() - before - kept)
"""


def test_what_large_arrays_took_is_given_back() -> None:
    """Though small things that stay came between them. Over 60 MiB without; glibc's allocator."""
    ran = subprocess.run(
        [sys.executable, "-c", TURNOVER], capture_output=True, check=True, text=True
    )
    assert int(ran.stdout) < 16 << 20


def test_what_small_objects_left_free_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between others that stay, so that no end of the heap is free."""

    def resident_bytes() -> int:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    async def trimmed() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(memory.trim_forever(), 1)

    small = [bytes(2000) for _ in range(50_000)]  # larger than what Python's own arenas take
    stay = small[::10]
    full = resident_bytes()
    del small
    monkeypatch.setattr(memory, "TRIM_SECONDS", 0.1)
    asyncio.run(trimmed())
    assert full - resident_bytes() > 50 << 20
    assert len(stay) == 5000
