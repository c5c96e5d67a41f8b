"""The open chunk: what a batch may do to it (`pipeline.protocol.partition`)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.facts.interface import Facts, Head, Log, parsed
from pipeline.facts.python_facts import PythonFacts, own
from pipeline.protocol.chunks import Plan, Source
from pipeline.protocol.fetched import Fetched
from pipeline.protocol.partition import Discontinuity, Partition
from tests.support.harness.reads import made

SOURCE = Source("usage.requests", 3)


class Offsets:
    """A reader whose rows are the records' offsets."""

    head = Head("offsets_in", (("offset", "Int64"),))

    def __init__(self) -> None:
        self.remembered: list[int] = []
        """Offsets; of others' logs as they stand before the partition's own, below 0."""

    def facts(self) -> PythonFacts:
        return PythonFacts(self.head)

    def read(self, log: Log, into: Facts) -> None:
        offsets: list[Any] = [record.offset for record in parsed(log)]
        own(into).columns[0].extend(offsets)
        own(into).received += len(offsets)

    def remember(self, log: Log) -> None:
        self.remembered += [record.offset for record in parsed(log)]

    def continue_after(self, end: int) -> None:
        self.remembered = [offset - end for offset in self.remembered]


def partition(start: int = 0, replay_to: int | None = None) -> Partition:
    made = Partition(SOURCE, "incarnation", Offsets(), Plan(start, replay_to))
    made.epoch = 1
    return made


def batch(start: int, end: int, *holes: int, epoch: int = 1) -> Fetched:
    records: list[Any] = [SimpleNamespace(offset=n) for n in range(start, end) if n not in holes]
    return Fetched(SOURCE, epoch, start, end, records)


def test_a_chunk_is_the_positions_between_two_seals() -> None:
    p = partition()
    made(p.adding(batch(0, 5)))
    made(p.adding(batch(5, 9, 7, 8)))  # 7 and 8 are control records: no record, but a position
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (0, 9)
    assert list(chunk.facts.columns[0]) == [0, 1, 2, 3, 4, 5, 6]


def test_positions_without_records_are_a_chunk_too() -> None:
    p = partition(5)
    made(p.adding(batch(5, 6, 5)))
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b, len(chunk)) == (5, 6, 0)


def test_nothing_to_seal_where_nothing_was_read() -> None:
    assert partition().seal() is None


def test_two_chunks_are_never_under_way() -> None:
    p = partition()
    made(p.adding(batch(0, 5)))
    assert p.seal() is not None
    made(p.adding(batch(5, 9)))
    assert p.seal() is None
    p.committed()
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (5, 9)


def test_a_missing_batch_is_noticed_and_nothing_of_the_next_is_taken() -> None:
    p = partition()
    made(p.adding(batch(0, 5)))
    with pytest.raises(Discontinuity):
        made(p.adding(batch(9, 12)))
    assert p.position == 5


def test_a_batch_from_before_the_last_seek_is_dropped() -> None:
    p = partition(5)
    p.epoch = 2
    made(p.adding(batch(5, 9, epoch=1)))
    assert p.position == 5


def test_a_replay_ends_exactly_where_the_intent_says() -> None:
    p = partition(10, replay_to=15)
    made(p.adding(batch(10, 13)))
    assert p.seal() is None  # not before its end, whatever the clock says
    made(p.adding(batch(13, 20)))
    chunk = p.under_way
    assert chunk is not None
    assert (chunk.range.a, chunk.range.b) == (10, 15)
    assert list(chunk.facts.columns[0]) == [10, 11, 12, 13, 14]
    assert (p.start, p.position, list(p.facts.columns[0])) == (15, 20, [15, 16, 17, 18, 19])


def test_a_replay_may_end_in_a_hole() -> None:
    p = partition(10, replay_to=15)
    made(p.adding(batch(10, 18, 14, 15, 16)))
    assert p.under_way is not None
    assert list(p.under_way.facts.columns[0]) == [10, 11, 12, 13]
    assert list(p.facts.columns[0]) == [17]


def test_back_pressure_does_not_count_a_replay_which_it_would_keep_from_ending() -> None:
    p = partition(10, replay_to=15)
    made(p.adding(batch(10, 13)))
    assert p.held.events == 0
    made(p.adding(batch(13, 20)))
    assert p.held.events == 10


def test_an_open_chunk_stays_only_where_the_plan_begins_with_it() -> None:
    p = partition(10)
    made(p.adding(batch(10, 13)))
    assert p.continues("incarnation", Plan(10))
    assert not p.continues("another", Plan(10))
    assert not p.continues("incarnation", Plan(13))
    assert not p.continues("incarnation", Plan(10, replay_to=13))
    p.seal()
    assert not p.continues("incarnation", Plan(10))


def test_a_partition_that_must_remember_is_ready_when_it_has_seen_all_up_to_its_start() -> None:
    reader = Offsets()
    p = Partition(SOURCE, "incarnation", reader, Plan(10), seen_from=4)
    assert (p.is_ready, p.to_remember) == (False, 6)
    made(p.remembering(batch(4, 8, 5)))
    assert (p.is_ready, p.to_remember) == (False, 2)
    made(p.remembering(batch(8, 12)))
    assert (p.is_ready, p.to_remember) == (True, 0)
    assert reader.remembered == [4, 6, 7, 8, 9]  # 10 and 11 are to be read
    assert (p.position, p.facts.received) == (10, 0)


def test_what_must_be_remembered_may_end_in_a_hole() -> None:
    p = Partition(SOURCE, "incarnation", Offsets(), Plan(10), seen_from=4)
    made(p.remembering(batch(4, 10, 8, 9)))  # the position counts, not the last record
    assert p.is_ready


def test_a_partition_with_nothing_to_remember_is_ready_at_once() -> None:
    assert partition(10).is_ready


def test_what_was_remembered_stays_where_the_partition_comes_back() -> None:
    p = Partition(SOURCE, "incarnation", Offsets(), Plan(10), seen_from=4)
    made(p.remembering(batch(4, 8)))
    assert p.continues("incarnation", Plan(10))
    assert p.to_remember == 2


def test_what_was_deleted_before_it_was_remembered_is_missing_until_the_window_has_passed() -> None:
    p = Partition(SOURCE, "incarnation", Offsets(), Plan(10), seen_from=4)
    p.epoch = 1
    assert p.unseen(6) == 0
    p.skip_to(8)
    assert (p.to_remember, p.unseen(6)) == (2, 4)
    made(p.remembering(batch(8, 10)))
    made(p.adding(batch(10, 13)))
    assert p.unseen(6) == 1
    made(p.adding(batch(13, 15)))
    assert p.unseen(6) == 0


def test_skipping_does_not_go_beyond_the_start() -> None:
    p = Partition(SOURCE, "incarnation", Offsets(), Plan(10), seen_from=4)
    p.skip_to(15)
    assert (p.is_ready, p.seen_from) == (True, 10)


def test_what_is_half_read_is_neither_sealed_nor_kept_nor_read_on() -> None:
    p = partition()
    made(p.adding(batch(0, 5)))
    reads = p.adding(batch(5, 9))
    next(reads)()  # and nobody says that it has ended: it is under way, or has failed
    assert p.seal() is None
    assert not p.continues("incarnation", Plan(0))
    with pytest.raises(RuntimeError, match="under way"):
        made(p.adding(batch(5, 9)))
    with pytest.raises(StopIteration):
        next(reads)
    chunk = p.seal()
    assert chunk is not None
    assert (chunk.range.b, list(chunk.facts.columns[0])) == (9, list(range(9)))
