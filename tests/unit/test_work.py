"""What a worker does with batches: one that its own code fails on, more than a chunk may hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.clickhouse.client import MAX_ROWS
from pipeline.errors import Halted
from pipeline.facts.interface import Facts, Head, Log, parsed
from pipeline.facts.python_facts import PythonFacts, own
from pipeline.protocol.chunks import Lease, Plan, Source
from pipeline.protocol.fetched import Fetched, cut
from pipeline.protocol.partition import Chunk, Partition, Size
from pipeline.settings import load
from pipeline.worker import pressure
from pipeline.worker import work as module
from pipeline.worker.folding import Folding
from pipeline.worker.pressure import INSERT
from pipeline.worker.rounds import Rounds
from pipeline.worker.takeover import Taken
from pipeline.worker.work import Work

SOURCE = Source("usage.requests", 0)


class Broken:
    """A reader with a bug."""

    head = Head("requests_in", ())

    def facts(self) -> PythonFacts:
        return PythonFacts(self.head)

    def read(self, log: Log, into: Facts) -> None:
        raise ZeroDivisionError

    def remember(self, log: Log) -> None:
        raise NotImplementedError

    def continue_after(self, end: int) -> None:
        raise NotImplementedError


class Batches(Broken):
    """A reader of records that hold as many events as bytes."""

    head = Head("things_in", ())

    def read(self, log: Log, into: Facts) -> None:
        own(into).received += sum(len(record.value or b"") for record in parsed(log))


class SlowFlusher:
    """Keeps each round of chunks under way until it is let go."""

    commit_is_out = False

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.may_end = asyncio.Event()

    async def flush(self, chunks: Sequence[Chunk], *_: object) -> Sequence[Chunk]:
        self.chunks += chunks
        await self.may_end.wait()
        return chunks

    def close(self) -> None:
        pass


def work(
    failures: list[BaseException],
    flusher: object = None,
    rebuild: object = None,
    **environment: str,
) -> Work:
    anything = cast("Any", SimpleNamespace)
    nothing = cast("Any", None)
    return Work(
        load(environment),
        flusher=cast("Any", flusher),
        takeover=nothing,
        rebuild=cast("Any", rebuild),
        folding=Folding(),
        ledger=anything(shard=lambda _: 0),
        live=anything(
            advance=_nothing, keep=_nothing, counted=_nothing, is_restored=lambda _: True
        ),
        instruments=anything(chunk_counted=_nothing, rebalanced=_nothing),
        new_reader=nothing,
        batches=lambda: anything(log_end=lambda _: 0, close_gates=_at_once),
        fail=failures.append,
    )


def _nothing(*_: object) -> None:
    pass


async def _at_once() -> None:
    pass


async def fold(working: Work, taken: Fetched) -> None:
    """Do as the agents do."""
    async for chunk, piece in working.pieces(taken):
        await working.fold(chunk, piece)


def batch(start: int, *sizes: int) -> Fetched:
    records: list[Any] = [
        SimpleNamespace(offset=start + n, value=bytes(size)) for n, size in enumerate(sizes)
    ]
    return Fetched(SOURCE, 0, start, start + len(sizes), records)


def test_a_damaged_batch_ends_the_worker_behind_what_came_before_it() -> None:
    failures: list[BaseException] = []
    working, damage = work(failures), Halted("damaged")
    asyncio.run(working.run(Fetched(SOURCE, 0, 2, 2, [], damage), partial(fold, working)))
    assert failures == [], "it is another's by now"
    partition = Partition(SOURCE, "incarnation", Batches(), Plan(0))
    working.partitions[SOURCE] = partition
    for one in (batch(0, 1, 1), Fetched(SOURCE, 0, 2, 2, [], damage)):
        asyncio.run(working.run(one, partial(fold, working)))
    assert failures == [damage]
    assert working.partitions[SOURCE].position == 2


def test_a_worker_that_stops_takes_up_nothing_more() -> None:
    async def assigned_while_stopping(working: Work) -> None:
        await working.stop(0)
        await working.on_assigned(Lease(1, "member"), [SOURCE])
        await asyncio.sleep(0)

    failures: list[BaseException] = []
    asyncio.run(assigned_while_stopping(work(failures, SlowFlusher())))
    assert failures == []


def test_an_exception_while_folding_ends_the_worker_instead_of_passing_the_batch_by() -> None:
    failures: list[BaseException] = []
    working = work(failures)
    partition = Partition(SOURCE, "incarnation", Broken(), Plan(0))
    working.partitions[SOURCE] = partition
    asyncio.run(working.run(batch(0, 1), partial(fold, working)))
    assert [type(error) for error in failures] == [ZeroDivisionError]
    assert working.partitions == {}  # half a batch in the open chunk is not flushed on the way out


def test_a_batch_is_cut_by_bytes_between_records() -> None:
    whole = batch(10, 3, 4, 9, 0, 5)._replace(start=8, end=20)
    assert list(cut(whole, 100)) == [whole]
    pieces = list(cut(whole, 7))
    spans = [(p.start, p.end, [record.offset for record in cast("Any", p.log)]) for p in pieces]
    assert spans == [(8, 12, [10, 11]), (12, 13, [12]), (13, 20, [13, 14])]
    assert list(cut(Fetched(SOURCE, 0, 5, 9, []), 7)) == [Fetched(SOURCE, 0, 5, 9, [])]


def test_no_chunk_is_larger_than_an_insert_however_much_may_be_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chunk is under way for long, and the buffer has room for far more than one insert."""
    monkeypatch.setattr(pressure, "INSERT", Size(100, 1 << 30))
    monkeypatch.setattr(module, "PIECE_BYTES", 20)
    failures: list[BaseException] = []

    async def count() -> list[Chunk]:
        flusher = SlowFlusher()
        working = work(failures, flusher, USAGE_CHUNK_EVENTS="50")
        working.partitions[SOURCE] = Partition(SOURCE, "incarnation", Batches(), Plan(0))
        working._lease = Lease(1, "me")
        flushing = asyncio.create_task(working.flush_forever())
        adding = asyncio.create_task(_add_all(working))
        async with asyncio.timeout(60):
            while working.partitions[SOURCE].facts.received < 100:  # noqa: ASYNC110
                await asyncio.sleep(0)
            for _ in range(100):  # it would take more now
                await asyncio.sleep(0)
            flusher.may_end.set()
            await adding
        await working.stop(5)
        flushing.cancel()
        return flusher.chunks

    async def _add_all(working: Work) -> None:
        for start in range(0, 1000, 50):
            await working.run(batch(start, *[10] * 50), partial(fold, working))

    chunks = asyncio.run(count())
    assert failures == []
    assert max(chunk.facts.received for chunk in chunks) < 100 + 20
    assert sum(chunk.facts.received for chunk in chunks) == 10_000
    bounds = [0, *(chunk.range.b for chunk in chunks)]
    assert bounds == [*(chunk.range.a for chunk in chunks), 1000]


def test_what_a_chunk_may_come_to_fits_into_one_insert() -> None:
    smallest = (
        b'{"specversion":"1.0","id":"1","source":"a","type":"usage.event.v1","subject":"t",'
        b'"data":{"name":"x"}},'
    )
    most = INSERT.events + module.PIECE_BYTES // len(smallest)
    rows_of_one = 2  # in `partitions_1m`, where it arrived in another minute than it happened in
    assert rows_of_one * most <= MAX_ROWS


def test_what_is_held_of_a_partition_that_waits_for_its_group_is_not_counted() -> None:
    """It came back with an open chunk that begins where a range of a group is open by now."""
    other = Source(SOURCE.topic, 1)

    async def sealed() -> list[Chunk]:
        working = work([], rebuild=_Opened())
        for source in (SOURCE, other):
            working.partitions[source] = Partition(source, "incarnation", Batches(), Plan(0))
        await fold(working, batch(0, 1))

        async def take(*_: object) -> tuple[list[Taken], list[Source]]:
            return [Taken(other, "incarnation", Plan(0), 0)], [SOURCE]

        working._takeover = cast("Any", SimpleNamespace(take=take))
        assert await working._begin_with(Lease(1, "me"), [SOURCE, other]) == [SOURCE]
        return await working._sealed()

    assert asyncio.run(sealed()) == []


class _Opened:
    async def run(self, *_: object) -> None:
        pass


def test_what_waits_for_others_is_taken_up_while_a_window_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 0)
    other, failures, begun = Source(SOURCE.topic, 1), list[BaseException](), list[Source]()
    decided = [([other], [SOURCE]), ([SOURCE], list[Source]())]

    async def take(*_: object) -> tuple[list[Taken], list[Source]]:
        found, waiting = decided.pop(0)
        return [Taken(one, "incarnation", Plan(0), 0) for one in found], waiting

    async def run(partitions: Sequence[Partition], *_: object) -> None:
        begun.extend(one.source for one in partitions)
        await asyncio.Event().wait()

    async def taken_up() -> None:
        rebuild = SimpleNamespace(run=run, first=lambda _: 0)
        working = work(failures, SlowFlusher(), rebuild)
        working._takeover = cast("Any", SimpleNamespace(take=take))
        working._new_reader = lambda _: Batches()
        working._live = cast(
            "Any", SimpleNamespace(keep=_nothing, forget=_nothing, is_restored=bool)
        )
        await working.on_assigned(Lease(1, "me"), [SOURCE, other])
        async with asyncio.timeout(5):
            while len(begun) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await working.stop(0)
        assert not working._taking_up

    asyncio.run(taken_up())
    assert begun == [other, SOURCE]
    assert failures == []


def test_who_loses_its_partitions_waits_for_others() -> None:
    async def revoked() -> Work:
        working = work([], SlowFlusher())
        working.standing.assigned_at = 1.0
        await working.on_revoked()
        return working

    standing = asyncio.run(revoked()).standing
    assert standing.assigned_at is None
    assert standing.unassigned_at is not None


@pytest.mark.parametrize("turns", range(12))
def test_who_is_cancelled_while_a_batch_is_missing_opens_nothing(turns: int) -> None:
    failures: list[BaseException] = []
    opened: list[object] = []

    async def open_(_: Lease, starts: object) -> None:
        opened.append(starts)

    async def go() -> bool:
        working = work(failures)
        working._consumer = lambda: cast("Any", SimpleNamespace(open=open_))
        working._lease = Lease(1, "me")
        working.partitions[SOURCE] = Partition(SOURCE, "incarnation", Batches(), Plan(0))
        taking = asyncio.create_task(working.run(batch(5, 1), partial(fold, working)))
        for _ in range(turns):
            await asyncio.sleep(0)
        taking.cancel()
        await asyncio.wait([taking])
        return taking.cancelled()

    assert asyncio.run(go()) is not bool(opened)
    assert failures == []


def test_a_round_of_what_waited_to_be_taken_up_is_not_put_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    class Looked(Rounds):
        def is_due(self, now: float, *, is_little: bool) -> bool:
            asked.append(is_little)
            return True

    async def opened(*_: object) -> None:
        pass

    async def count() -> None:
        flusher = SlowFlusher()
        working = work([], flusher, USAGE_FLUSH_SECONDS="0.05")
        working._consumer = lambda: cast(
            "Any", SimpleNamespace(open=opened, close_gates=_at_once, log_end=lambda _: 0)
        )
        partition = working.partitions[SOURCE] = Partition(SOURCE, "id", Batches(), Plan(0))
        working._lease = Lease(1, "me")
        await working._open([partition])
        flushing = asyncio.create_task(working.flush_forever())
        async with asyncio.timeout(60):
            while len(asked) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert not any(asked), "nothing has come yet"
            await fold(working, batch(0, 1)._replace(epoch=partition.epoch))
            flusher.may_end.set()
            while not asked[-1]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        flushing.cancel()
        assert [chunk.range.b for chunk in flusher.chunks] == [1]

    monkeypatch.setattr(module, "Rounds", Looked)
    asyncio.run(count())


def test_a_worker_says_how_long_its_rounds_may_take() -> None:
    """The longest since the last progress: what is being flushed has waited for it."""

    async def said() -> list[float]:
        flusher = SlowFlusher()
        working = work([], flusher, USAGE_FLUSH_SECONDS="300", USAGE_INSERTS_PER_SECOND="0.1")
        working.group_partitions = 100  # so that its own inserts are 1,000 s apart
        working._lease = Lease(1, "me")
        working.partitions[SOURCE] = Partition(SOURCE, "incarnation", Batches(), Plan(0))
        await fold(working, batch(0, 50_000))
        flushing = asyncio.create_task(working.flush_forever())
        async with asyncio.timeout(60):
            while not flusher.chunks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            during = working.standing.round_seconds
            flusher.may_end.set()
            while working.standing.round_seconds == during:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        flushing.cancel()
        return [during, working.standing.round_seconds]

    assert asyncio.run(said()) == [600.0, 1300.0]
