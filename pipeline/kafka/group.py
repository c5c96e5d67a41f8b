"""Reading Kafka's side: the logs' bounds, the topics' ids, the group's offsets and members."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import confluent_kafka
from aiokafka import structs
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.kafka import topics
from pipeline.kafka.clients import aiokafka_config, confluent_config
from pipeline.kafka.faults import translate
from pipeline.protocol.chunks import Offset, Source

if TYPE_CHECKING:
    from pipeline.settings import Settings

TIMEOUT_SECONDS = 15.0
NOT_TOLD = "not told by this broker"


class Bounds(NamedTuple):
    """A log's first offset, and the one that its next record gets."""

    first: int
    last: int


class Member(NamedTuple):
    """A worker, as the group knows it."""

    id: str
    host: str
    sources: frozenset[Source]


@dataclass(frozen=True, slots=True)
class Group:
    """The group's state (``stable``, ``empty``, ``dead`` …) and its members."""

    state: str
    members: tuple[Member, ...]


def incarnations(settings: Settings) -> dict[str, str]:
    """The ids of the counted topics, by full name. Raises BrokerError, Halted."""
    return topics.incarnations(settings, [settings.topic(spec.name) for spec in topics.COUNTED])


def committed(settings: Settings, sources: Iterable[Source]) -> dict[Source, Offset]:
    """The group's offsets with their metadata; sources without one are absent. Raises BrokerError.

    By aiokafka, for confluent-kafka reads metadata beyond their end.
    """
    try:
        return asyncio.run(_committed(settings, list(sources)))
    except (KafkaError, OSError, TimeoutError) as error:
        what = f"the offsets of group {settings.group} cannot be read from Kafka"
        raise translate(error, settings, what) from error


async def _committed(settings: Settings, sources: list[Source]) -> dict[Source, Offset]:
    admin = AIOKafkaAdminClient(
        **aiokafka_config(settings), request_timeout_ms=int(TIMEOUT_SECONDS * 1000)
    )
    try:
        await admin.start()
        # All are named: the in-process broker does not know what "all of them" means.
        found = await admin.list_consumer_group_offsets(
            settings.group, partitions=[structs.TopicPartition(*source) for source in sources]
        )
    finally:
        await admin.close()
    return {
        Source(tp.topic, tp.partition): Offset(at.offset, at.metadata)
        for tp, at in found.items()
        if at.offset >= 0
    }


def bounds(settings: Settings, names: list[str]) -> dict[Source, Bounds]:
    """First and next offset of every partition of these topics (full names). Raises BrokerError."""
    consumer = log_consumer(settings)
    try:
        return {
            Source(name, number): Bounds(
                *consumer.get_watermark_offsets(TopicPartition(name, number), TIMEOUT_SECONDS)
            )
            for name in names
            for number in sorted(
                consumer.list_topics(name, TIMEOUT_SECONDS).topics[name].partitions
            )
        }
    except KafkaException as error:
        raise translate(error, settings) from error
    finally:
        consumer.close()


def log_consumer(settings: Settings, **config: Any) -> Consumer:
    """A consumer that reads what is assigned to it; it never joins the group and never commits."""
    own = {
        "group.id": f"{settings.group}.audit",  # librdkafka wants one; nothing subscribes
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "log_level": 2,
    }
    return Consumer(confluent_config(settings) | own | config)


def group(settings: Settings) -> Group:
    """The group's members and what is assigned to them. Raises BrokerError."""
    admin = AdminClient(confluent_config(settings) | {"log_level": 2})
    try:
        futures = admin.describe_consumer_groups([settings.group], request_timeout=TIMEOUT_SECONDS)
        found = futures[settings.group].result()
    except KafkaException as error:
        if error.args[0].code() == confluent_kafka.KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001
            return Group(NOT_TOLD, ())  # the in-process broker
        what = f"the group {settings.group} cannot be described"
        raise translate(error, settings, what) from error
    members = (
        Member(
            member.member_id,
            member.host.removeprefix("/"),
            frozenset(Source(tp.topic, tp.partition) for tp in member.assignment.topic_partitions),
        )
        for member in found.members
    )
    return Group(found.state.name.lower(), tuple(sorted(members)))
