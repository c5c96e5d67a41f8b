"""What is said of a batch whose checksum is wrong: with aiokafka's own parts, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from pipeline.errors import Halted
from pipeline.facts.readers import Readers
from pipeline.kafka.lenient import LenientRecords
from pipeline.worker.transport.raw import RawFetches, damaged
from tests.support.harness.readers import COMPILED, KINDS

TP = TopicPartition("usage.requests", 3)


def batch(first: int, count: int) -> bytearray:
    """Some records at consecutive offsets, as a broker keeps them."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for number in range(count):
        builder.append(number, 1_772_368_496_789, None, b"{}", [])
    octets = bytearray(builder.build())
    octets[:8] = first.to_bytes(8, "big")  # which the checksum leaves out
    return octets


def fetched(octets: bytes, position: int = 100) -> Any:
    """A fetcher that holds one partition's records."""
    records = LenientRecords(octets)
    unpacked = PartitionRecords(TP, records, [], position, None, None, True, READ_COMMITTED)
    held = FetchResult(TP, assignment=None, partition_records=unpacked, backoff=0)
    return SimpleNamespace(_records={TP: held})


def test_the_partition_and_the_offset_are_named() -> None:
    worse = batch(104, 3)
    worse[-1] ^= 1
    fetcher = fetched(bytes(batch(100, 4) + worse))
    records = fetcher._records[TP]._partition_records
    assert [next(records).offset for _ in range(4)] == [100, 101, 102, 103]
    with pytest.raises(CorruptRecordException) as caught:
        next(records)
    found, said = damaged(fetcher, caught.value)
    assert (found, type(said)) == (TP, Halted)
    assert str(said).startswith("usage.requests[3]: the batch of records at offset 104 fails its")
    assert "kafka-delete-records.sh" in str(said)


def test_a_batch_that_is_whole_is_read() -> None:
    records = fetched(bytes(batch(100, 4) + batch(104, 3)))._records[TP]._partition_records
    assert [record.offset for record in records] == list(range(100, 107))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_whole_before_the_damage_is_handed_on_and_then_it_is_met(kind: Readers) -> None:
    worse = batch(104, 3)
    worse[-1] ^= 1
    raw = RawFetches(kind.library, [TP.topic])

    def records(octets: bytes, position: int) -> Any:
        fetcher = fetched(octets, position)
        raw.leave_raw(fetcher)
        return fetcher._records[TP]._partition_records

    whole = records(bytes(batch(100, 4) + worse + batch(107, 1)), 102)
    assert list(whole)
    assert whole.next_fetch_offset == 104
    for position in (104, 105):
        with pytest.raises(CorruptRecordException):
            next(iter(records(bytes(worse + batch(107, 1)), position)))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("base_offset", [0, 1 << 50])
def test_what_the_head_of_a_damaged_batch_says_moves_nobody(
    kind: Readers, base_offset: int
) -> None:
    worse = batch(base_offset, 3)
    worse[-1] ^= 1
    raw = RawFetches(kind.library, [TP.topic])
    fetcher = fetched(bytes(batch(100, 4) + worse))
    raw.leave_raw(fetcher)
    records = fetcher._records[TP]._partition_records
    assert list(records)
    assert records.next_fetch_offset == 104


def test_a_batch_that_is_none_is_of_a_partition_too() -> None:
    fetcher = fetched(bytes(40))
    RawFetches().leave_raw(fetcher)
    with pytest.raises(CorruptRecordException) as caught:
        next(iter(fetcher._records[TP]._partition_records))
    assert damaged(fetcher, caught.value).tp == TP


def test_damage_that_is_met_behind_other_partitions_records_is_told_at_once() -> None:
    """aiokafka has taken theirs, and drops them: who went on would pass over them."""
    things = [TopicPartition("usage.entities", partition) for partition in range(2)]
    worse = batch(100, 3)
    worse[-1] ^= 1
    held = Held({TP: batch(100, 3), things[0]: batch(100, 5), things[1]: worse})
    raw = RawFetches(COMPILED.library, [TP.topic])
    with pytest.raises(CorruptRecordException):
        asyncio.run(raw.drain(held, {TP, *things}, 4096))


class Held(Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """A fetcher with what several partitions were fetched, at 100 each, and no connection."""

    def __init__(self, octets: Mapping[TopicPartition, bytearray]) -> None:
        state = SimpleNamespace(paused=False, position=100, consumed_to=lambda _: None)
        assignment = SimpleNamespace(active=True, state_value=lambda _: state)
        self._subscriptions = SimpleNamespace(
            reassignment_in_progress=False, is_assigned=lambda _: True
        )
        self._wait_consume_future = None
        self._records = {}
        for tp, these in octets.items():
            records = LenientRecords(bytes(these))
            unpacked = PartitionRecords(tp, records, [], 100, None, None, True, READ_COMMITTED)
            self._records[tp] = FetchResult(
                tp, assignment=assignment, partition_records=unpacked, backoff=0
            )

    def __del__(self) -> None:
        """Have nothing to close."""
