"""The collector of cycles and the allocator, as the worker sets them."""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.process import memory

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
from pipeline.process import memory

def resident_bytes():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize()

memory.tune()
some = random.Random(1)
small = []
before = resident_bytes()
large = []
for _ in range(300):
    large.append(np.ones(some.randrange(memory.LARGE_BYTES, 24 << 20), np.uint8))
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


async def _given_back_until(is_so: Callable[[], bool]) -> bool:
    """Give back until something is so, and say whether it came to be."""
    giving = asyncio.create_task(memory.give_back_forever())
    for _ in range(1200):
        if giving.done() or is_so():
            break
        await asyncio.sleep(0.05)
    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)
    return is_so()


class _Fetched:
    """As aiokafka's unpacking: its iterator holds it, and it holds its iterator."""

    def __init__(self) -> None:
        self.iterator = self.unpack()

    def unpack(self) -> Iterator[int]:
        yield id(self)


@pytest.mark.usefixtures("restored")
def test_what_was_fetched_and_not_handed_out_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.tune()
    fetched = _Fetched()
    gone = weakref.ref(fetched)
    gc.collect(1)  # it has been in use for longer than the young are
    del fetched
    monkeypatch.setattr(memory, "GIVE_BACK_SECONDS", 0.05)
    assert asyncio.run(_given_back_until(lambda: gone() is None))


def test_what_small_objects_left_free_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between others that stay, so that no end of the heap is free."""

    def resident_bytes() -> int:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    small = [bytes(2000) for _ in range(50_000)]  # larger than what Python's own arenas take
    stay = small[::10]
    full = resident_bytes()
    del small
    monkeypatch.setattr(memory, "GIVE_BACK_SECONDS", 0.1)
    assert asyncio.run(_given_back_until(lambda: full - resident_bytes() > 50 << 20))
    assert len(stay) == 5000
