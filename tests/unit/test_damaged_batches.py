"""What is said of a batch whose checksum is wrong: with aiokafka's own parts, without a broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from pipeline.errors import Halted
from pipeline.kafka.lenient import LenientRecords
from pipeline.worker.transport.raw import damaged

TP = TopicPartition("usage.requests", 3)


def batch(first: int, count: int) -> bytearray:
    """Some records at consecutive offsets, as a broker keeps them."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for number in range(count):
        builder.append(number, 1_772_368_496_789, None, b"{}", [])
    octets = bytearray(builder.build())
    octets[:8] = first.to_bytes(8, "big")  # which the checksum leaves out
    return octets


def fetched(octets: bytes) -> Any:
    """A fetcher that holds one partition's records."""
    records = LenientRecords(octets)
    unpacked = PartitionRecords(TP, records, [], 100, None, None, True, READ_COMMITTED)
    return SimpleNamespace(_records={TP: SimpleNamespace(_partition_records=unpacked)})


def test_the_partition_and_the_offset_are_named() -> None:
    worse = batch(104, 3)
    worse[-1] ^= 1
    fetcher = fetched(bytes(batch(100, 4) + worse))
    records = fetcher._records[TP]._partition_records
    assert [next(records).offset for _ in range(4)] == [100, 101, 102, 103]
    with pytest.raises(CorruptRecordException) as caught:
        next(records)
    said = damaged(fetcher, caught.value)
    assert isinstance(said, Halted)
    assert str(said).startswith("usage.requests[3]: the batch of records at offset 104 fails its")
    assert "kafka-delete-records.sh" in str(said)


def test_a_batch_that_is_whole_is_read() -> None:
    records = fetched(bytes(batch(100, 4) + batch(104, 3)))._records[TP]._partition_records
    assert [record.offset for record in records] == list(range(100, 107))
