"""The thirteen ways in which exactly-once was seen to break, by their numbers there.

Each test fails when its safeguard is taken out. 5 (Faust's acknowledging channels) and 7 (the
longest poll interval) need no real parts: they are held by unit tests of the app.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalGenerationError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.protocol.chunks import Commit, Offset, Source
from pipeline.worker.transport import commits
from tests.support.harness import compare, hooks
from tests.support.harness.produce import REQUESTS, Traffic
from tests.support.harness.scene import Scene

COMMIT_SECONDS = 10.0

pytestmark = pytest.mark.faults


class Member:
    """A bare member of the group, whose commits the tests make and watch."""

    def __init__(self, scene: Scene) -> None:
        self.source = Source(scene.topic(REQUESTS), 0)
        self._scene = scene
        self.consumer = AIOKafkaConsumer(
            self.source.topic,
            bootstrap_servers=scene.kafka.servers,
            group_id=scene.group,
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=300,
        )

    @property
    def coordinator(self) -> Any:
        return self.consumer._coordinator

    async def joined(self, but: int = -1) -> None:
        """Wait until it is in a generation other than ``but``, with its part assigned."""
        async with asyncio.timeout(30):
            while not self._is_in(but):  # noqa: ASYNC110  # aiokafka has no event for it
                await asyncio.sleep(0.05)

    def _is_in(self, but: int) -> bool:
        assigned = bool(self.consumer.assignment())
        return self.coordinator.generation not in (-1, but) and assigned

    async def commit(self, lease: Any, offset: int) -> Commit:
        """Commit as the worker does."""
        offsets = {self.source: Offset(offset, "ours")}
        return await commits.commit_once(self.coordinator, lease, offsets, COMMIT_SECONDS)

    async def commit_bare(self, offset: int) -> None:
        """Commit as aiokafka would: under whatever generation the coordinator has by now."""
        wanted = {TopicPartition(*self.source): OffsetAndMetadata(offset, "")}
        await self.coordinator._do_commit_offsets(None, wanted)

    async def committed(self) -> int | None:
        """Return the group's offset as the broker has it."""
        found = await asyncio.to_thread(
            self._scene.kafka.committed, self._scene.group, [self.source]
        )
        return found[self.source]


@asynccontextmanager
async def member(scene: Scene) -> AsyncIterator[Member]:
    joining = Member(scene)
    await joining.consumer.start()
    try:
        await joining.joined()
        yield joining
    finally:
        await joining.consumer.stop()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_01_a_commit_is_not_sent_under_a_later_generation(scene: Scene) -> None:
    async def test() -> None:
        async with member(scene) as old:
            lease = commits.current_lease(old.coordinator)
            assert await old.commit(lease, 9) is Commit.DONE
            async with member(scene):
                await old.joined(but=lease.generation)
                assert await old.commit(lease, 2) is Commit.FENCED
                assert await old.committed() == 9
                # The broker would have taken it, whoever owns the partition.
                await old.commit_bare(2)
                assert await old.committed() == 2

    scene.set_up(partitions=2)
    run(test())


def test_02_a_member_that_was_reset_does_not_commit(scene: Scene) -> None:
    async def test() -> None:
        async with member(scene) as zombie:
            lease = commits.current_lease(zombie.coordinator)
            assert await zombie.commit(lease, 9) is Commit.DONE
            zombie.coordinator._coordination_task.cancel()  # it would join again
            await commits.leave_group(zombie.coordinator)
            reset = commits.current_lease(zombie.coordinator)
            assert reset.generation == -1
            for held in (lease, reset):
                assert await zombie.commit(held, 2) is Commit.FENCED
            assert await zombie.committed() == 9
            # The broker would have taken it, into a group without members.
            await zombie.commit_bare(2)
            assert await zombie.committed() == 2

    scene.set_up(partitions=2)
    run(test())


def test_03_a_late_commit_is_refused_once_the_group_was_left(scene: Scene) -> None:
    async def test() -> None:
        async with member(scene) as late:
            lease = commits.current_lease(late.coordinator)
            assert await late.commit(lease, 9) is Commit.DONE
            await late.commit_bare(2)  # within the generation it moves the offset back
            assert await late.committed() == 2
            assert await late.commit(lease, 9) is Commit.DONE
            await commits.leave_group(late.coordinator)
            await late.joined(but=lease.generation)
            late.coordinator.generation, now = lease.generation, late.coordinator.generation
            late.coordinator.member_id, itself = lease.member_id, late.coordinator.member_id
            with pytest.raises((IllegalGenerationError, UnknownMemberIdError)):
                await late.commit_bare(2)
            late.coordinator.generation, late.coordinator.member_id = now, itself
            assert await late.committed() == 9

    scene.set_up(partitions=2)
    run(test())


def test_03_a_commit_without_an_answer_is_unknown(scene: Scene) -> None:
    async def test() -> None:
        async with member(scene) as waiting:
            lease = commits.current_lease(waiting.coordinator)
            offsets = {waiting.source: Offset(9, "")}
            scene.kafka.process.pause()
            try:
                result = await commits.commit_once(waiting.coordinator, lease, offsets, 0.5)
            finally:
                scene.kafka.process.resume()
            assert result is Commit.UNKNOWN

    scene.set_up(partitions=2)
    run(test())


def test_04_a_lost_intent_is_found_in_the_store(scene: Scene) -> None:
    """Rows in one table, no ledger row, no offset: the replay has the same bounds."""
    scene.set_up(partitions=1)
    scene.send(300)
    _die(scene, "after:insert:facts")
    intents = _intents(scene)
    assert intents
    scene.kafka.delete_group(scene.group)
    scene.send(300, seed=2)
    scene.worker()
    scene.check()
    _assert_replayed(scene, intents)


def test_06_nothing_is_dropped_under_back_pressure(scene: Scene) -> None:
    """A worker that may hold little, before a backlog: it stops fetching, and skips nothing."""
    scene.set_up(partitions=4)
    scene.settings |= {"USAGE_CHUNK_EVENTS": "300", "USAGE_BUFFER_EVENTS": "600"}
    scene.send(15_000)
    worker = scene.worker()
    scene.check()
    assert "reading it again" not in worker.output(), worker.tail()


def test_08_rebalances_in_the_middle_of_chunks(scene: Scene) -> None:
    """Workers come and go, in order and not, while chunks are open and under way."""
    scene.set_up(partitions=4)
    scene.settings["USAGE_FLUSH_SECONDS"] = "1"
    traffic, sender = Traffic(8), scene.sender()
    first = scene.worker()
    for n in range(2):
        sender.send_traffic(traffic, 3000)
        scene.await_received((n + 1) * 1000)
        joining = scene.worker()
        sender.send_traffic(traffic, 3000)
        scene.await_assigned(2)
        leaving = (first, joining)[n % 2]
        scene.stop(leaving)
        first = joining if leaving is first else first
    scene.check()


def test_09_reading_goes_on_where_the_ledger_ends_not_where_the_offset_is(scene: Scene) -> None:
    """A commit that came late has moved the group's offsets back."""
    scene.set_up(partitions=2)
    scene.send(1000)
    worker = scene.worker()
    scene.settle()
    scene.stop(worker)
    scene.kafka.await_empty(scene.group)
    scene.kafka.commit(scene.group, dict.fromkeys(scene.sources, 5))
    scene.send(1000, seed=2)
    worker = scene.worker()
    scene.check()
    assert "is behind the ledger" in worker.output(), worker.tail()


def test_10_aborted_transactions_leave_no_trace(scene: Scene) -> None:
    """Neither their events nor, at the end of a replay, the holes of their markers."""
    scene.set_up(partitions=1)
    sender, traffic = scene.sender(**{"transactional.id": scene.prefix}), Traffic(10)
    sender.producer.init_transactions(30)
    for end in ("commit", "abort", "abort", "commit"):
        sender.producer.begin_transaction()
        sender.send_traffic(traffic, 60)
        if end == "commit":
            sender.producer.commit_transaction(30)
        else:
            sender.producer.abort_transaction(30)
    _die(scene, "before:ledger")
    intents = _intents(scene)
    scene.worker()
    scene.check()
    _assert_replayed(scene, intents)


def test_11_a_jump_of_the_log_is_not_passed_over_in_silence(scene: Scene) -> None:
    scene.set_up(partitions=1)
    scene.send(300)
    first = scene.worker()
    log = scene.settle()
    scene.stop(first)
    scene.send(300, seed=2)
    for source, part in log.items():
        scene.kafka.delete_records(*source, part.last + 10)
    worker = scene.worker()
    scene.settle()
    with scene.connect() as store:
        for source, part in log.items():
            [rows] = compare.spans(store, *source).values()
            assert (part.last, part.last + 10, "lost") in rows
    assert worker.output().count("retention deleted") == len(scene.sources), worker.tail()


def test_12_a_join_moves_no_more_partitions_than_it_must(scene: Scene) -> None:
    scene.set_up(partitions=6)
    for workers in (1, 2):
        scene.worker()
        scene.await_assigned(workers)
    before = scene.kafka.assignment(scene.group)
    scene.worker()
    scene.await_assigned(3)
    after = scene.kafka.assignment(scene.group)
    moved = {
        source
        for name, sources in after.items()
        if name in before
        for source in sources - before[name]
    }
    # Of twelve; round-robin moves four between the two, besides the four that the third must get.
    assert len(moved) <= 2, f"from one old member to the other: {moved}"


def test_13_the_metadata_of_a_commit_is_read_back(scene: Scene) -> None:
    async def test() -> None:
        async with member(scene) as one:
            lease = commits.current_lease(one.coordinator)
            offsets = {one.source: Offset(9, "a" * 4000)}
            done = await commits.commit_once(one.coordinator, lease, offsets, COMMIT_SECONDS)
            assert done is Commit.DONE
            assert await commits.committed(one.coordinator, [one.source]) == offsets

    scene.set_up(partitions=2)
    run(test())


def test_13_an_intent_that_only_the_metadata_names_is_replayed(scene: Scene) -> None:
    scene.set_up(partitions=1)
    scene.send(300)
    _die(scene, "after:intend")
    assert not _intents(scene)
    named = {
        source: (offset, msgspec.json.decode(metadata)["to"])
        for source, (offset, metadata) in scene.kafka.metadata(scene.group).items()
        if metadata
    }
    assert named
    scene.send(300, seed=2)
    scene.worker()
    scene.check()
    _assert_replayed(scene, named)


def _die(scene: Scene, point: str) -> None:
    worker = scene.worker(**hooks.environment(point))
    scene.await_end(worker, -signal.SIGKILL)


def _intents(scene: Scene) -> dict[tuple[str, int], tuple[int, int]]:
    with scene.connect() as store:
        rows = store.query("SELECT topic, partition, from_offset, to_offset FROM intents FINAL")
    return {(topic, partition): (a, b) for topic, partition, a, b in rows}


def _assert_replayed(scene: Scene, intents: dict[tuple[str, int], tuple[int, int]]) -> None:
    with scene.connect() as store:
        for source, (a, b) in intents.items():
            [rows] = compare.spans(store, *source).values()
            assert (a, b, "chunk") in rows, f"{source}: [{a}, {b}) was not replayed: {rows}"
