"""The collector of cycles, as the worker sets it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pipeline import garbage

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
    garbage.tune()
    before = _youngest_collections()
    records = [([n], [n], [n]) for n in range(RECORDS)]  # four containers each
    assert _youngest_collections() == before
    assert len(records) == RECORDS


@pytest.mark.usefixtures("restored")
def test_cycles_are_still_found() -> None:
    garbage.tune()
    before = _youngest_collections()
    for _ in range(garbage.YOUNG):
        cycle: list[object] = []
        cycle.append(cycle)
    cycle = []
    assert _youngest_collections() > before
