"""Windows are made whole before partitions are opened (`worker.rebuild`), over a log by hand."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import pytest
from prometheus_client import CollectorRegistry

from pipeline.facts.interface import Facts, Head, Log, parsed
from pipeline.facts.python_facts import PythonFacts
from pipeline.protocol.chunks import Plan, Source
from pipeline.protocol.fetched import Fetched
from pipeline.protocol.lineage import Change, lineage
from pipeline.protocol.partition import Partition
from pipeline.settings import load
from pipeline.worker import rebuild
from pipeline.worker.folding import Folding
from pipeline.worker.rebuild import Rebuild
from pipeline.worker.takeover import Taken
from pipeline.worker.telemetry.instruments import Instruments

ONE, OTHER = Source("usage.requests", 1), Source("usage.requests", 2)
W = 10


class Reader:
    """Keeps the offsets that it was shown."""

    head = Head("offsets_in", ())

    def __init__(self) -> None:
        self.remembered: list[int] = []
        """Offsets; of others' logs as they stand before the partition's own, below 0."""

    def facts(self) -> PythonFacts:
        return PythonFacts(self.head)

    def read(self, log: Log, into: Facts) -> None:
        raise NotImplementedError

    def remember(self, log: Log) -> None:
        self.remembered += [record.offset for record in parsed(log)]

    def continue_after(self, end: int) -> None:
        self.remembered = [offset - end for offset in self.remembered]


class FakePast:
    """Two records of each partition at a time, but of those that are silent; then none for ever."""

    first = 0
    starts: Mapping[Source, int]
    ends: Mapping[Source, int]
    slices = 100
    silent: ClassVar[set[Source]] = set()
    asked: ClassVar[list[set[Source]]] = []
    """What each of them was made to read."""

    def __init__(
        self, _: object, starts: Mapping[Source, int], __: object, ends: Mapping[Source, int]
    ) -> None:
        FakePast.starts, FakePast.ends = dict(starts), dict(ends)
        FakePast.asked.append(set(starts))
        self._at = dict(starts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, patience: float = math.inf) -> list[Fetched]:
        if not FakePast.slices:
            await asyncio.Event().wait()
        FakePast.slices -= 1
        while self._at.keys() <= FakePast.silent:
            if patience < math.inf:
                return []
            await asyncio.sleep(0)
        batches = []
        for source, at in self._at.items():
            if source in FakePast.silent:
                continue
            start = max(at, FakePast.first)
            records: list[Any] = [SimpleNamespace(offset=n) for n in (start, start + 1)]
            batches.append(Fetched(source, 0, start, start + 2, records))
            self._at[source] = start + 2
        return batches

    def finish(self, source: Source) -> None:
        del self._at[source]


@pytest.fixture(autouse=True)
def past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "Past", FakePast)
    monkeypatch.setattr(FakePast, "first", 0)
    monkeypatch.setattr(FakePast, "slices", 100)
    monkeypatch.setattr(FakePast, "silent", set())
    monkeypatch.setattr(FakePast, "asked", [])


def made(window: int = W) -> Rebuild:
    return Rebuild(load({}), window, Instruments(CollectorRegistry()), Folding())


def partition(
    source: Source, start: int, seen_from: int, replay_to: int | None = None
) -> tuple[Partition, Reader]:
    reader = Reader()
    return Partition(source, "incarnation", reader, Plan(start, replay_to), seen_from), reader


def run(
    one: Rebuild,
    *partitions: Partition,
    within: float = 10,
    behind: Source | None = None,
    then: Callable[[], None] = lambda: None,
) -> list[list[Source]]:
    """Run it; return what was opened together, in order. `then`: once `behind` is open."""
    opened: list[list[Source]] = []

    async def open_(some: Sequence[Partition]) -> None:
        opened.append([p.source for p in some])
        if behind in opened[-1]:
            then()

    async def go() -> None:
        await asyncio.wait_for(one.run(partitions, open_, lambda: None), within)

    asyncio.run(go())
    return opened


def taken(start: int, first: int, replay_to: int | None = None) -> Taken:
    return Taken(ONE, "incarnation", Plan(start, replay_to), first)


@pytest.mark.parametrize(
    ("start", "log_first", "window", "first"),
    [
        (100, 0, W, 90),
        (5, 0, W, 0),
        (100, 90, W, 90),
        (100, 95, W, 95),
        (100, 100, W, 100),
        (100, 0, 0, 100),
        (0, 0, W, 0),
    ],
)
def test_where_a_reader_must_begin(start: int, log_first: int, window: int, first: int) -> None:
    assert made(window).first(taken(start, log_first)) == first


def test_what_kafka_has_deleted_of_the_window_is_said_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made().first(taken(100, 90))
    made().first(taken(5, 0))
    assert not caplog.records
    made().first(taken(100, 95))
    assert "usage.requests[1]: Kafka has deleted offsets 90 to 94 of the 10" in caplog.text
    assert "open chunk" not in caplog.text
    made().first(taken(100, 95, replay_to=110))
    assert "open chunk" in caplog.text


def test_each_partition_is_opened_as_soon_as_its_own_window_is_whole() -> None:
    small, small_reader = partition(ONE, 20, 17)
    large, large_reader = partition(OTHER, 20, 10)
    ready, _ = partition(Source("usage.requests", 3), 20, 20)
    replay, _ = partition(Source("usage.requests", 4), 20, 20, replay_to=25)
    opened = run(made(), large, ready, small, replay)
    assert opened == [[replay.source, ready.source], [ONE], [OTHER]]
    assert small_reader.remembered == [17, 18, 19]
    assert large_reader.remembered == list(range(10, 20))


def test_who_has_much_to_read_opens_some_early(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = [partition(Source(ONE.topic, n), 20, 20 - size) for n, size in enumerate((10, 10, 3))]
    together = [[], [Source(ONE.topic, 2)], [Source(ONE.topic, 0), Source(ONE.topic, 1)]]
    assert run(made(), *(one for one, _ in windows)) == together
    monkeypatch.setattr(rebuild, "AT_ONCE_OFFSETS", 10)
    windows = [partition(Source(ONE.topic, n), 20, 20 - size) for n, size in enumerate((10, 10, 3))]
    in_turn = [[], *([Source(ONE.topic, n)] for n in (2, 0, 1))]
    assert run(made(), *(one for one, _ in windows)) == in_turn
    assert [len(reader.remembered) for _, reader in windows] == [10, 10, 3]


def grown(source: Source, start: int, seen_from: int, *changes: Change) -> tuple[Partition, Reader]:
    reader = Reader()
    before = lineage(changes, source.partition)
    return Partition(source, "incarnation", reader, Plan(start), seen_from, before), reader


def test_where_a_reader_must_begin_in_others_logs() -> None:
    before = lineage([Change(1, 2, (4,)), Change(2, 4, (9, 3))], 3)
    starts = [
        made().first(Taken(ONE, "incarnation", Plan(start), 0, before))
        for start in (0, 1, 4, 10, 11)
    ]
    assert starts == [-7, -7, -6, 0, 1]


def test_others_logs_are_read_first_and_one_of_them_for_several() -> None:
    """Partition 3 goes on from 1, which went on from 0; 2 from 0, which is taken up as well."""
    changes = Change(1, 2, (4,)), Change(2, 4, (9, 5))
    topic = ONE.topic
    three, of_three = grown(Source(topic, 3), 2, -8, *changes)
    two, of_two = grown(Source(topic, 2), 0, -8, *changes)
    zero, of_zero = grown(Source(topic, 0), 15, 5, *changes)
    opened = run(made(), three, two, zero)
    assert opened == [[], [two.source], [zero.source], [three.source]]
    assert of_three.remembered == list(range(-8, 2))
    assert of_two.remembered == list(range(-8, 0))
    assert of_zero.remembered == list(range(5, 15))
    assert FakePast.ends == {}  # of logs of their own; the ends of others' are known


def test_others_logs_are_known_to_have_been_as_long_as_they_were() -> None:
    FakePast.slices = 0
    changes = Change(1, 2, (4,)), Change(2, 4, (9, 5))
    topic = ONE.topic
    two, _ = grown(Source(topic, 2), 0, -8, *changes)
    one, _ = grown(Source(topic, 1), 3, -1, *changes)
    zero, _ = grown(Source(topic, 0), 15, 8, *changes)
    with pytest.raises(TimeoutError):
        run(made(), two, one, zero, within=1)
    assert FakePast.ends == {zero.source: 9}


def test_a_log_that_does_not_answer_delays_only_its_own_partition(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the first of four, of which two are read at once; it answers while the last is read."""
    monkeypatch.setattr(rebuild, "AT_ONCE_OFFSETS", 10)
    lost, one, two, three = (Source(ONE.topic, n) for n in range(4))
    windows = [partition(lost, 20, 17), *(partition(s, 20, 10) for s in (one, two, three))]
    FakePast.silent = {lost}
    opened = run(made(), *(p for p, _ in windows), behind=two, then=FakePast.silent.clear)
    assert opened == [[], [one], [two], [lost], [three]]
    assert FakePast.asked == [{lost, one}, {lost, two}, {lost, three}]
    assert [len(reader.remembered) for _, reader in windows] == [3, 10, 10, 10]
    assert caplog.text.count("usage.requests[0] does not answer") == 1


def test_others_logs_that_do_not_answer_delay_only_who_wants_them() -> None:
    """Partition 2 goes on from 0, which it has read before it wants its own; 3 from 1."""
    topic, change = ONE.topic, Change(2, 4, (9, 9))
    two, of_two = grown(Source(topic, 2), 2, -8, change)
    three, of_three = grown(Source(topic, 3), 2, -8, change)
    lost = Source(topic, 1)
    FakePast.silent = {lost}
    opened = run(made(), two, three, behind=two.source, then=FakePast.silent.clear)
    assert opened == [[], [two.source], [three.source]]
    assert of_two.remembered == of_three.remembered == list(range(-8, 2))


def test_what_nobody_wants_of_a_log_is_not_read() -> None:
    """The parent is far on: between its own window and the child's lies more than is ever read."""
    changes = Change(1, 2, (9,))
    child, of_child = grown(Source(ONE.topic, 1), 0, -8, changes)
    parent, of_parent = grown(Source(ONE.topic, 0), 10_000, 9_990, changes)
    assert run(made(), parent, child) == [[], [child.source], [parent.source]]
    assert of_child.remembered == list(range(-8, 0))
    assert of_parent.remembered == list(range(9_990, 10_000))


def test_what_others_logs_have_lost_is_said(caplog: pytest.LogCaptureFixture) -> None:
    FakePast.first = 3
    one, reader = grown(Source(ONE.topic, 1), 4, -5, Change(1, 2, (5,)))
    run(made(), one)
    assert "usage.requests[0]: Kafka has deleted offsets 0 to 2" in caplog.text
    assert "usage.requests[1]: Kafka has deleted offsets 0 to 2" in caplog.text
    assert reader.remembered == [-2, -1, 3]
    assert one.unseen(W) == 8
    FakePast.first = 7
    one, reader = grown(Source(ONE.topic, 1), 10, -5, Change(1, 2, (5,)))
    run(made(), one)
    assert reader.remembered == [7, 8, 9]


def test_what_is_deleted_meanwhile_is_said_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    FakePast.first = 16
    one, reader = partition(ONE, 20, 10)
    run(made(), one)
    assert reader.remembered == [16, 17, 18, 19]
    assert (one.is_ready, one.unseen(W)) == (True, 6)
    assert "deleted offsets 10 to 15" in caplog.text


def test_everything_is_deleted_meanwhile() -> None:
    FakePast.first = 30
    one, reader = partition(ONE, 20, 10)
    assert run(made(), one) == [[], [ONE]]
    assert reader.remembered == []


def test_a_cancelled_rebuild_goes_on_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    FakePast.slices = 3
    one, reader = partition(ONE, 20, 10)
    with pytest.raises(TimeoutError):
        run(made(), one, within=1)
    assert (one.is_ready, one.to_remember) == (False, 4)
    assert "given up, with 4 offsets of 1 partitions left" in caplog.text
    FakePast.slices = 100
    run(made(), one)
    assert FakePast.starts == {ONE: 16}
    assert reader.remembered == list(range(10, 20))
