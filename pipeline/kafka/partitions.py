"""More partitions for a topic, and where the logs of those that it has end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewPartitions

from pipeline.errors import BrokerError
from pipeline.kafka.faults import translate
from pipeline.kafka.topics import described

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from pipeline.settings import Settings

TIMEOUT_SECONDS = 30.0
_OF_OTHER_LEADERS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)
"""Of partitions that were just made, or whose leader has changed."""
_POLL_SECONDS = 0.05


def ends(
    client: AdminClient, settings: Settings, topic: str, *, committed: bool = False
) -> tuple[int, ...]:
    """Where the log of each partition of a topic (full name) ends.

    With ``committed`` as far as it can be read by those who read no open transaction.

    Raises:
        BrokerError: Kafka does not answer, or has no such topic.
    """
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    due = time.monotonic() + TIMEOUT_SECONDS
    while True:
        numbers = sorted(described(client, settings, topic, TIMEOUT_SECONDS).partitions)
        try:
            found = _latest(client, [TopicPartition(topic, number) for number in numbers], level)
        except KafkaException as error:
            if error.args[0].code() not in _OF_OTHER_LEADERS or time.monotonic() > due:
                raise translate(error, settings, f"the ends of {topic} cannot be read") from error
            time.sleep(_POLL_SECONDS)
        else:
            return tuple(found[number] for number in numbers)


def add(client: AdminClient, settings: Settings, topic: str, partitions: int) -> None:
    """Give a topic (full name) so many partitions; returns when the broker asked serves them all.

    Raises:
        BrokerError: Kafka refuses, or does not answer.
    """
    _create(client, settings, topic, partitions, try_only=False)
    due = time.monotonic() + TIMEOUT_SECONDS
    while not _serves(client, settings, topic, partitions):
        if time.monotonic() > due:
            raise BrokerError(
                f"Kafka gave topic {topic} {partitions} partitions, but does not serve them"
            )
        time.sleep(_POLL_SECONDS)
    ends(client, settings, topic)  # which only their leaders can say


def may_add(client: AdminClient, settings: Settings, topic: str, partitions: int) -> None:
    """Ask the controller whether it would: it has not given the topic as many already, say.

    Raises:
        BrokerError: it would not; or it does not answer.
    """
    _create(client, settings, topic, partitions, try_only=True)


def _latest(
    client: AdminClient, asked: list[TopicPartition], level: IsolationLevel
) -> dict[int, int]:
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    found = client.list_offsets(
        dict.fromkeys(asked, latest), isolation_level=level, request_timeout=TIMEOUT_SECONDS
    )
    return {one.partition: int(future.result().offset) for one, future in found.items()}


def _create(
    client: AdminClient, settings: Settings, topic: str, partitions: int, *, try_only: bool
) -> None:
    try:
        asked = client.create_partitions(
            [NewPartitions(topic, partitions)],
            operation_timeout=TIMEOUT_SECONDS,
            request_timeout=TIMEOUT_SECONDS,
            validate_only=try_only,
        )
        asked[topic].result()
    except KafkaException as error:
        what = f"Kafka does not give topic {topic} {partitions} partitions"
        raise translate(error, settings, what) from error


def _serves(client: AdminClient, settings: Settings, topic: str, partitions: int) -> bool:
    found = described(client, settings, topic, TIMEOUT_SECONDS).partitions
    return len(found) == partitions and all(one.leader >= 0 for one in found.values())
