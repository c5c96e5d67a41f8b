"""One attempt, under the assignment's lease: breakages 1, 2 and 3 of ``docs/exactly-once.md``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import errors

from pipeline.protocol.chunks import Commit, Lease, Offset, Source
from pipeline.worker.transport.commits import commit_once

LEASE = Lease(7, "me")
OFFSETS = {Source("usage.requests", 0): Offset(42, "")}
TWO = OFFSETS | {Source("usage.requests", 1): Offset(7, "")}


class Coordinator:
    """What of aiokafka's group coordinator a commit touches."""

    def __init__(self, generation: int = 7, member_id: str = "me", error: Any = None) -> None:
        self._commit_lock = asyncio.Lock()
        self.generation = generation
        self.member_id = member_id
        self.coordinator_id: int | None = 1
        self.error = error
        self.sent: list[tuple[int, str]] = []

    async def _do_commit_offsets(self, assignment: None, offsets: dict[Any, Any]) -> None:
        self.sent.append((self.generation, self.member_id))
        if self.error == "hang":
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


def commit(coordinator: Coordinator, offsets: dict[Source, Offset] = OFFSETS) -> Commit:
    return asyncio.run(commit_once(coordinator, LEASE, offsets, timeout_seconds=0.05))


def test_a_commit_under_the_lease_is_sent_once() -> None:
    coordinator = Coordinator()
    assert commit(coordinator) is Commit.DONE
    assert coordinator.sent == [(7, "me")]


@pytest.mark.parametrize(("generation", "member"), [(8, "me"), (7, "you"), (-1, ""), (-1, "me")])
def test_under_another_generation_or_member_nothing_is_sent(generation: int, member: str) -> None:
    coordinator = Coordinator(generation, member)
    assert commit(coordinator) is Commit.FENCED
    assert coordinator.sent == []


def test_a_lease_without_a_generation_never_holds() -> None:
    # The broker takes a commit of generation -1 into an empty group without any check.
    assert not Lease(-1, "").holds(-1, "")


@pytest.mark.parametrize(
    "error", ["hang", errors.RequestTimedOutError(), errors.KafkaConnectionError()]
)
def test_a_commit_that_times_out_is_not_tried_again_by_itself(error: Any) -> None:
    coordinator = Coordinator(error=error)
    assert commit(coordinator) is Commit.UNKNOWN
    assert len(coordinator.sent) == 1


def test_the_lease_is_looked_at_when_the_commit_is_sent_not_before() -> None:
    async def scenario() -> tuple[Commit, Coordinator]:
        coordinator = Coordinator()
        async with coordinator._commit_lock:  # another commit is under way; meanwhile a rebalance
            waiting = asyncio.create_task(commit_once(coordinator, LEASE, OFFSETS, 1.0))
            await asyncio.sleep(0)
            coordinator.generation = 8
        return await waiting, coordinator

    result, coordinator = asyncio.run(scenario())
    assert result is Commit.FENCED
    assert coordinator.sent == []


@pytest.mark.parametrize(
    "error",
    [
        errors.UnknownMemberIdError(),
        errors.IllegalGenerationError(),
        errors.RebalanceInProgressError(),
    ],
)
def test_a_commit_that_the_broker_fences_is_not_ours_any_more(error: Any) -> None:
    assert commit(Coordinator(error=error)) is Commit.FENCED


def test_a_moving_coordinator_refuses_without_writing() -> None:
    assert commit(Coordinator(error=errors.NotCoordinatorForGroupError())) is Commit.REFUSED


def test_of_several_partitions_one_error_says_nothing_of_the_others() -> None:
    coordinator = Coordinator(error=errors.NotCoordinatorForGroupError())
    assert commit(coordinator, TWO) is Commit.UNKNOWN


def test_without_a_known_coordinator_nothing_is_sent() -> None:
    coordinator = Coordinator()
    coordinator.coordinator_id = None
    assert commit(coordinator) is Commit.REFUSED
    assert coordinator.sent == []


def test_what_an_operator_must_mend_is_raised() -> None:
    with pytest.raises(errors.OffsetMetadataTooLargeError):
        commit(Coordinator(error=errors.OffsetMetadataTooLargeError()))
