"""Kafka commits, fenced: one attempt, only while the assignment's lease holds.

aiokafka's own ``commit_offsets`` retries across generations: timed out, it joins again and sends
the same offsets under the new generation, over a new owner's. The broker checks the generation and
the member, not who owns the partition. So nothing here calls it, and nothing here retries.
These run in the consumer's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from aiokafka import errors
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.protocol.chunks import Commit, Lease, Offset, Source

if TYPE_CHECKING:
    from aiokafka.consumer.group_coordinator import GroupCoordinator

log = logging.getLogger(__name__)

_FENCED = (
    errors.UnknownMemberIdError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
)
# The broker, or we before sending, said no before anything was written.
_REFUSED = (
    errors.NotCoordinatorForGroupError,
    errors.GroupLoadInProgressError,
)
_DENIED = (
    errors.GroupAuthorizationFailedError,
    errors.TopicAuthorizationFailedError,
    errors.OffsetMetadataTooLargeError,
    errors.InvalidCommitOffsetSizeError,
)


def current_lease(coordinator: GroupCoordinator, late_before: date | None = None) -> Lease:
    """Return the coordinator's generation and member as they are now."""
    return Lease(coordinator.generation, coordinator.member_id, late_before)


async def commit_once(
    coordinator: GroupCoordinator,
    lease: Lease,
    offsets: Mapping[Source, Offset],
    timeout_seconds: float,
) -> Commit:
    """Make one attempt to commit, if the lease still holds; never raises what a retry may heal.

    Raises `errors.KafkaError` for what needs an operator (not authorized, metadata too large).
    """
    wanted = {
        TopicPartition(*source): OffsetAndMetadata(*offset) for source, offset in offsets.items()
    }
    async with coordinator._commit_lock:
        if not lease.holds(coordinator.generation, coordinator.member_id):
            return Commit.FENCED
        if coordinator.coordinator_id is None:
            return Commit.REFUSED  # nothing was sent; the coordination routine looks for it
        return await _attempt(coordinator, wanted, timeout_seconds)


async def _attempt(
    coordinator: GroupCoordinator, wanted: dict[Any, Any], timeout_seconds: float
) -> Commit:
    # The request takes the generation and member in this very step of the loop: nothing can come
    # between the check above and it.
    try:
        await asyncio.wait_for(coordinator._do_commit_offsets(None, wanted), timeout_seconds)
    except _FENCED:
        return Commit.FENCED
    except _DENIED:
        raise
    except _REFUSED as error:
        # Errors come per partition: with several, another may have been written.
        log.info("Kafka refused a commit for now: %s", type(error).__name__)
        return Commit.REFUSED if len(wanted) == 1 else Commit.UNKNOWN
    except (errors.KafkaError, TimeoutError) as error:
        log.warning("a commit's result is unknown: %s", type(error).__name__)
        return Commit.UNKNOWN
    return Commit.DONE


async def leave_group(coordinator: GroupCoordinator) -> None:
    """Leave the group, to join again as a new member.

    After a commit of unknown result: once the group has moved on without this member, the broker
    refuses that commit however late it arrives. A mere re-join is not enough, for a follower that
    joins again with the same subscription gets the same generation.
    """
    await coordinator._maybe_leave_group()


async def leave_for_good(coordinator: GroupCoordinator) -> None:
    """Leave the group, and join no more; a rebalance that is under way comes to its end first."""
    await coordinator.close()


async def committed(coordinator: GroupCoordinator, sources: list[Source]) -> dict[Source, Offset]:
    """Return the group's committed offsets with their metadata; sources without one are absent."""
    found = await coordinator.fetch_committed_offsets([TopicPartition(*s) for s in sources])
    return {Source(*tp): Offset(at.offset, at.metadata) for tp, at in found.items()}
