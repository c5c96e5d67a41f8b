"""The open chunk: what a batch may do to it (`pipeline.partitions`)."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.chunks import Plan, Source
from pipeline.facts.interface import Facts, Head, Record
from pipeline.partitions import Discontinuity, Partition
from pipeline.transport import Fetched

SOURCE = Source("usage.requests", 3)


class Offsets:
    """A reader whose rows are the records' offsets."""

    head = Head("offsets_in", (("offset", "Int64"),))

    def read(self, records: Sequence[Record], into: Facts) -> None:
        offsets: list[Any] = [record.offset for record in records]
        into.columns[0].extend(offsets)
        into.received += len(records)


def partition(start: int = 0, replay_to: int | None = None) -> Partition:
    made = Partition(SOURCE, "incarnation", Offsets(), Plan(start, replay_to))
    made.epoch = 1
    return made


def batch(start: int, end: int, *holes: int, epoch: int = 1) -> Fetched:
    records: list[Any] = [SimpleNamespace(offset=n) for n in range(start, end) if n not in holes]
    return Fetched(SOURCE, epoch, start, end, records)


def test_a_chunk_is_the_positions_between_two_seals() -> None:
    p = partition()
    p.add(batch(0, 5))
    p.add(batch(5, 9, 7, 8))  # 7 and 8 are control records: no record, but a position
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (0, 9)
    assert list(chunk.facts.columns[0]) == [0, 1, 2, 3, 4, 5, 6]


def test_positions_without_records_are_a_chunk_too() -> None:
    p = partition(5)
    p.add(batch(5, 6, 5))
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b, len(chunk)) == (5, 6, 0)


def test_nothing_to_seal_where_nothing_was_read() -> None:
    assert partition().seal() is None


def test_two_chunks_are_never_under_way() -> None:
    p = partition()
    p.add(batch(0, 5))
    assert p.seal() is not None
    p.add(batch(5, 9))
    assert p.seal() is None
    p.committed()
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (5, 9)


def test_a_missing_batch_is_noticed_and_nothing_of_the_next_is_taken() -> None:
    p = partition()
    p.add(batch(0, 5))
    with pytest.raises(Discontinuity):
        p.add(batch(9, 12))
    assert p.position == 5


def test_a_batch_from_before_the_last_seek_is_dropped() -> None:
    p = partition(5)
    p.epoch = 2
    p.add(batch(5, 9, epoch=1))
    assert p.position == 5


def test_a_replay_ends_exactly_where_the_intent_says() -> None:
    p = partition(10, replay_to=15)
    p.add(batch(10, 13))
    assert p.seal() is None  # not before its end, whatever the clock says
    p.add(batch(13, 20))
    chunk = p.under_way
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (10, 15)
    assert list(chunk.facts.columns[0]) == [10, 11, 12, 13, 14]
    assert (p.start, p.position, list(p.facts.columns[0])) == (15, 20, [15, 16, 17, 18, 19])


def test_a_replay_may_end_in_a_hole() -> None:
    p = partition(10, replay_to=15)
    p.add(batch(10, 18, 14, 15, 16))
    assert p.under_way is not None
    assert list(p.under_way.facts.columns[0]) == [10, 11, 12, 13]
    assert list(p.facts.columns[0]) == [17]


def test_back_pressure_does_not_count_a_replay_which_it_would_keep_from_ending() -> None:
    p = partition(10, replay_to=15)
    p.add(batch(10, 13))
    assert p.held_events == 0
    p.add(batch(13, 20))
    assert p.held_events == 10


def test_an_open_chunk_stays_only_where_the_plan_begins_with_it() -> None:
    p = partition(10)
    p.add(batch(10, 13))
    assert p.continues("incarnation", Plan(10))
    assert not p.continues("another", Plan(10))
    assert not p.continues("incarnation", Plan(13))
    assert not p.continues("incarnation", Plan(10, replay_to=13))
    p.seal()
    assert not p.continues("incarnation", Plan(10))
