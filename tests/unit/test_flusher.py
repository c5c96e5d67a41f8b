"""The order of the protocol's steps, and what ends a flush (`pipeline.worker.flusher`)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, cast

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    UnknownTopicOrPartitionError,
)
from prometheus_client import CollectorRegistry

from pipeline.errors import Halted, StoreRefused, StoreUnavailable
from pipeline.facts.interface import Head
from pipeline.facts.python_facts import PythonFacts
from pipeline.protocol.chunks import Commit, Lease, Offset, Range, Source
from pipeline.protocol.ledger import Insert, Ledger
from pipeline.protocol.partition import Chunk
from pipeline.protocol.rejected import DeadLetters
from pipeline.protocol.sealed import Group
from pipeline.worker.flusher import AssignmentOver, Flusher, GroupLost
from pipeline.worker.set_aside import SetAside
from pipeline.worker.telemetry.instruments import Instruments

LEASE = Lease(1, "me")


def chunk(partition: int = 0, a: int = 10, b: int = 20) -> Chunk:
    source = Source("usage.requests", partition)
    return Chunk(Range(source, "incarnation", a, b), PythonFacts(Head("requests_in", ())), {})


class World:
    """Records what happens, in order; answers as it is told."""

    def __init__(
        self,
        *commits: Commit,
        store_errors: Sequence[Exception] = (),
        send_errors: Sequence[Exception] = (),
    ) -> None:
        self.happened: list[str] = []
        self.offsets: list[Mapping[Source, Offset]] = []
        self._commits = list(commits)
        self._store_errors = list(store_errors)
        self._send_errors = list(send_errors)

    def prepare(self, group: Group) -> list[Insert]:
        return [Insert(step, None, group.token, cast("Any", None)) for step in INSERTS]

    def shard(self, source: Source) -> int:
        return 0

    def insert(self, insert: Insert) -> None:
        self.__getattr__(insert.step)(insert)

    def rehearsed(self, inserts: list[Insert]) -> list[Insert]:
        return inserts

    def __getattr__(self, name: str) -> Any:  # the ledger's other calls
        def call(_: object) -> None:
            if self._store_errors:
                raise self._store_errors.pop(0)
            self.happened.append(name)

        return call

    async def send(self, source: Source, rejections: Sequence[object]) -> None:
        if self._send_errors:
            raise self._send_errors.pop(0)
        self.happened.append("send")

    async def commit_once(
        self, lease: Lease, offsets: Mapping[Source, Offset], timeout_seconds: float
    ) -> Commit:
        self.happened.append("commit")
        self.offsets.append(offsets)
        return self._commits.pop(0) if self._commits else Commit.DONE

    def flusher(self) -> Flusher:
        return Flusher(
            cast("Ledger", self),
            cast("DeadLetters", self),
            "rules",
            cast("SetAside", self),
            Instruments(CollectorRegistry()),
        )

    def flush(self, *chunks: Chunk) -> None:
        asyncio.run(self.flusher().flush(chunks or [chunk()], LEASE, self))


INSERTS = ("insert:facts", "insert:outcomes")
STEPS = [
    "commit",
    "record_intents",
    *INSERTS,
    "send",
    "record_chunks",
    "commit",
]


def test_the_steps_come_in_the_protocols_order() -> None:
    world = World()
    world.flush()
    assert world.happened == STEPS


def test_the_intent_names_the_end_at_the_start_and_the_commit_moves_the_offset() -> None:
    world = World()
    world.flush()
    (intended,), (ended,) = (list(o.values()) for o in world.offsets)
    assert (intended.offset, '"to":20' in intended.metadata) == (10, True)
    assert (ended.offset, '"to"' in ended.metadata) == (20, False)


def test_chunks_sealed_together_share_commits_intents_and_ledger_rows() -> None:
    world = World()
    world.flush(chunk(0), chunk(1), chunk(2))
    assert world.happened.count("commit") == 2
    assert world.happened.count("record_intents") == 1
    assert world.happened.count("record_chunks") == 1
    assert world.happened.count("insert:facts") == 1
    intended, ended = world.offsets
    assert all('"members":[[0,10,20],[1,10,20],[2,10,20]]' in o.metadata for o in intended.values())
    assert not any("members" in offset.metadata for offset in ended.values())


def test_no_commit_is_larger_than_a_batch_of_records_may_be() -> None:
    world = World()
    far = 10**12
    world.flush(*(chunk(partition, far, far + 10**6) for partition in range(1_000)))
    intended = [one for one in world.offsets if '"members"' in next(iter(one.values())).metadata]
    assert len(intended) > 1
    steps = ["commit", "record_intents", "record_chunks", "commit"]
    assert [step for step in world.happened if step in steps] == steps * len(intended)
    for offsets in world.offsets:
        assert sum(len(offset.metadata) + 100 for offset in offsets.values()) < 1_000_000
    assert sorted(source.partition for one in intended for source in one) == list(range(1_000))


def test_who_replays_a_group_commits_for_its_own_partitions_only() -> None:
    world = World()
    group = Group.of([chunk(0), chunk(1)])
    mine = [Source("usage.requests", 0)]
    asyncio.run(world.flusher().flush_groups([group], LEASE, world, mine))
    assert [list(offsets) for offsets in world.offsets] == [mine, mine]


def test_a_flush_that_is_cancelled_within_an_insert_has_noted_its_day() -> None:
    """The thread goes on, and its rows may land behind a settled day."""
    day, begun, may_end = date(2026, 11, 28), threading.Event(), threading.Event()

    class Waiting(World):
        def insert(self, insert: Insert) -> None:
            begun.set()
            may_end.wait(60)

    async def cancelled() -> date | None:
        world = Waiting()
        flusher = world.flusher()
        lease = LEASE._replace(late_before=day)
        flushing = asyncio.create_task(flusher.flush([chunk()], lease, world))
        await asyncio.to_thread(begun.wait, 60)
        flushing.cancel()
        await asyncio.wait([flushing])
        may_end.set()
        return flusher.earliest_day()

    assert asyncio.run(cancelled()) == day


def test_nothing_is_inserted_after_a_fenced_intent() -> None:
    world = World(Commit.FENCED)
    with pytest.raises(AssignmentOver):
        world.flush()
    assert world.happened == ["commit"]


def test_a_commit_of_unknown_result_is_not_tried_again() -> None:
    world = World(Commit.UNKNOWN)
    with pytest.raises(GroupLost):
        world.flush()
    assert world.happened == ["commit"]


def test_a_refused_commit_is_tried_again() -> None:
    world = World(Commit.REFUSED, Commit.REFUSED)
    world.flush()
    assert world.happened == ["commit", "commit", *STEPS]


def test_a_store_that_is_away_is_asked_until_it_answers() -> None:
    world = World(store_errors=[StoreUnavailable("refused"), StoreUnavailable("timed out")])
    world.flush()
    assert world.happened == STEPS


def test_a_store_that_refuses_halts_the_worker() -> None:
    world = World(store_errors=[StoreRefused("unknown table", 60)])
    with pytest.raises(Halted, match="unknown table"):
        world.flush()
    assert world.happened == ["commit"]


@pytest.mark.parametrize(
    "error", [KafkaTimeoutError(), UnknownTopicOrPartitionError(), NotEnoughReplicasError()]
)
def test_dead_letters_wait_for_kafka_and_say_so_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(send_errors=[error] * 3)
    world.flush()
    assert world.happened == STEPS
    [said] = caplog.records
    assert "dead letters of usage.requests[0] [10, 20) wait for Kafka" in said.getMessage()


def test_dead_letters_that_kafka_refuses_halt_the_worker() -> None:
    world = World(send_errors=[MessageSizeTooLargeError("1,048,588")])
    with pytest.raises(Halted, match=r"usage.requests\[0\] \[10, 20\).*usage topics check"):
        world.flush()
    assert world.happened == STEPS[:4]


def test_a_store_that_fails_now_and_then_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    _fail_now_and_then(World().flusher(), times=3)
    assert [line.getMessage().partition(",")[0] for line in caplog.records] == [
        "the store is away",
        "the store answers again",
    ]


def test_a_store_that_stays_away_is_said_however_lately_it_was_before(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.flusher.PATIENCE_SECONDS", 0.0)
    _fail_now_and_then(World().flusher(), times=2)
    assert len(caplog.records) == 2


def _fail_now_and_then(flusher: Flusher, times: int) -> None:
    async def call() -> None:
        for _ in range(times):
            await flusher.in_thread(partial(_raise_first, [StoreUnavailable("too many parts")]))

    asyncio.run(call())


def _raise_first(errors: list[StoreUnavailable]) -> None:
    if errors:
        raise errors.pop()
