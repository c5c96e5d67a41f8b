"""Record batches that aiokafka does not parse, against those that it does."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.lenient import LenientRecords, records_of
from tests.support.harness.batches import NAME, batch_of, with_names

CODECS = (0, 1, 3, 4)
"""None, gzip, lz4, zstd."""

payload = st.one_of(st.none(), st.binary(max_size=40))
headers = st.lists(st.tuples(st.text(max_size=8), payload), max_size=3)
records = st.lists(st.tuples(payload, payload, headers), min_size=1, max_size=5)


def read(data: bytes) -> list[Any]:
    parsed, found = LenientRecords(data), []
    while parsed.has_next():
        batch = parsed.next_batch()
        assert batch.validate_crc()
        found += list(batch)
    return found


def shown(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value, list(record.headers)


@given(records, st.sampled_from(CODECS))
def test_what_aiokafka_parses_comes_out_the_same_both_ways(
    sent: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]], codec: int
) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 20)
    for n, (key, value, names) in enumerate(sent):
        builder.append(n, 1000 + n, key, value, names)
    data = bytes(builder.build())
    by_aiokafka = [shown(record) for record in read(data)]
    assert [shown(record) for record in records_of(data, ValueError())] == by_aiokafka
    assert [(key, value, names) for _, _, key, value, names in by_aiokafka] == sent


def test_a_name_that_is_not_utf8_is_written_out_and_its_neighbours_stay() -> None:
    odd = with_names(batch_of([b"1", b"2"], [(NAME, b"x"), ("ce_id", b"y")]), b"\xff\xfe")
    good = batch_of([b"3"], [])
    found = read(odd + good)
    assert [record.value for record in found] == [b"1", b"2", b"3"]
    assert found[0].headers == [("\\xff\\xfe", b"x"), ("ce_id", b"y")]


@pytest.mark.parametrize("damage", [b"\x7f", b"\xff" * 10])
def test_a_batch_that_cannot_be_read_is_so_many_records_that_are_no_json(damage: bytes) -> None:
    data = bytearray(batch_of([b"{}", b"{}"], []))
    data[61 : 61 + len(damage)] = damage  # the first record's length
    found = records_of(bytes(data), ValueError())
    assert [(record.offset, record.value) for record in found] == [(0, bytes(data)), (1, b"")]
    assert found[0].timestamp == struct.unpack_from(">q", data, 35)[0]
