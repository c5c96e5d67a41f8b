"""What is handed on at once of what a fetcher holds unopened (`pipeline.worker.transport.raw`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from pipeline.worker.transport.raw import SLICE_RECORDS, SLICES, RawFetches

TOPIC = "usage.requests"


@dataclass
class Slice:
    records: int
    most_bytes: int = 1


class Fetcher:
    """Hands out slices as aiokafka's does: partition by partition, so many at most."""

    def __init__(self, *held: Sequence[Slice | Exception]) -> None:
        self._records: dict[TopicPartition, Any] = {}
        self._held = {TopicPartition(TOPIC, n): list(slices) for n, slices in enumerate(held)}
        self._subscriptions = SimpleNamespace(reassignment_in_progress=False)
        self.asked = 0

    async def fetched_records(
        self,
        tps: set[TopicPartition],
        timeout: float,  # noqa: ASYNC109
        max_records: int,
    ) -> dict[TopicPartition, list[Slice]]:
        assert timeout == 0
        self.asked += 1
        found: dict[TopicPartition, list[Slice]] = {}
        for tp in [tp for tp, slices in self._held.items() if slices and tp in tps]:
            while self._held[tp] and sum(map(len, found.values())) < max_records:
                taken = self._held[tp][0]
                if isinstance(taken, Exception):
                    if found:
                        return found
                    del self._held[tp][0]
                    raise taken
                found.setdefault(tp, []).append(taken)
                del self._held[tp][0]
        return found


def drained(fetcher: Fetcher, partitions: int) -> list[list[int]]:
    raw = RawFetches(None, [TOPIC])
    tps = {TopicPartition(TOPIC, n) for n in range(partitions)}
    found = asyncio.run(raw.drain(fetcher, tps, 4096))
    return [[one.records for one in found.get(tp, [])] for tp in sorted(tps)]


def test_small_slices_of_many_partitions_are_handed_on_together() -> None:
    assert drained(Fetcher(*([Slice(3), Slice(4)] for _ in range(64))), 64) == [[3, 4]] * 64


def test_large_ones_a_few_at_a_time() -> None:
    large = Slice(SLICE_RECORDS)
    assert drained(Fetcher([large] * 9), 1) == [[SLICE_RECORDS] * SLICES]
    assert drained(Fetcher([Slice(1, 1 << 40)] * 9), 1) == [[1] * SLICES]


def test_nothing_is_waited_for_with_something_in_hand() -> None:
    fetcher = Fetcher([Slice(1)] * 9)
    fetcher._subscriptions.reassignment_in_progress = True  # begun while the first was asked for
    assert drained(fetcher, 1) == [[1] * SLICES]
    assert fetcher.asked == 1


def test_what_was_taken_ahead_of_an_error_is_handed_on() -> None:
    error = OffsetOutOfRangeError({})
    assert drained(Fetcher([Slice(1)], [error]), 2) == [[1], []]
