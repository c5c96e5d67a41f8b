"""Kafka seen from outside, without joining anything: logs, and the group's offsets and members.

Reads what is committed; never commits, but for `set_back`. The in-process broker knows nothing of
members, and has no word for "all partitions" (:mod:`pipeline.kafka.topics` has its other ways).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, get_args

import confluent_kafka
from aiokafka import structs
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from pipeline.facts.readers import Kind
from pipeline.kafka import topics
from pipeline.kafka.clients import aiokafka_config, confluent_config
from pipeline.kafka.entry import admin, require
from pipeline.kafka.faults import translate
from pipeline.protocol.chunks import Offset, Source

if TYPE_CHECKING:
    from pipeline.settings import Settings

TIMEOUT_SECONDS = 15.0
NOT_TOLD = "not told by this broker"


def client_id(group: str, reader: Kind) -> str:
    """The client id of a worker of a group, which tells Kafka, and whoever asks it, its reader."""
    return f"usage-{group}-{reader}"


def _reader(group: str, of_member: str) -> str:
    """The reader in the client id of a group's member; ``''`` where there is none."""
    return next((kind for kind in get_args(Kind) if client_id(group, kind) == of_member), "")


class Bounds(NamedTuple):
    """A log's first offset, and the one that its next record gets."""

    first: int
    last: int


class Member(NamedTuple):
    """A member of the consumer group: its id, its host, what is assigned to it, its reader."""

    id: str
    host: str
    sources: frozenset[Source]
    reader: str = ""
    """Which reader it reads with, as its client id says; ``''`` where that does not."""


@dataclass(frozen=True, slots=True)
class Group:
    """The group's state (``stable``, ``empty``, ``dead`` …, or `NOT_TOLD`) and its members."""

    state: str
    members: tuple[Member, ...]
    is_of_new_protocol: bool = False
    """Whether a member has joined by ``group.protocol=consumer`` (KIP-848)."""

    @property
    def is_told(self) -> bool:
        """Whether the broker tells who is in the group; the in-process one does not."""
        return self.state != NOT_TOLD

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in it, and that is known."""
        return self.state in ("empty", "dead")


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
    client = AIOKafkaAdminClient(
        **aiokafka_config(settings), request_timeout_ms=int(TIMEOUT_SECONDS * 1000)
    )
    try:
        await client.start()
        # All are named: the in-process broker does not know what "all of them" means.
        found = await client.list_consumer_group_offsets(
            settings.group, partitions=[structs.TopicPartition(*source) for source in sources]
        )
    finally:
        await client.close()
    return {
        Source(tp.topic, tp.partition): Offset(at.offset, at.metadata or "")
        for tp, at in found.items()
        if at.offset >= 0
    }


def set_back(settings: Settings, offsets: Mapping[Source, Offset]) -> None:
    """Set the group's offsets, which must have no members. Raises BrokerError."""
    if not offsets:
        return
    wanted = [
        TopicPartition(*source, at.offset, metadata=at.metadata) for source, at in offsets.items()
    ]
    request = ConsumerGroupTopicPartitions(settings.group, wanted)
    what = f"the offsets of group {settings.group} cannot be set"
    client = admin(settings)  # held: without it, its futures are never done
    try:
        altered = client.alter_consumer_group_offsets([request], request_timeout=TIMEOUT_SECONDS)
        found = altered[settings.group].result().topic_partitions
    except KafkaException as error:
        raise translate(error, settings, what) from error
    refused = next((one.error for one in found if one.error is not None), None)
    if refused is not None:
        raise translate(KafkaException(refused), settings, what)


def bounds(settings: Settings, names: Iterable[str]) -> dict[Source, Bounds]:
    """First and next offset of every partition of these topics (full names). Raises BrokerError."""
    consumer = log_consumer(settings)
    try:
        return {
            source: bounds_of(consumer, settings, source)
            for name in names
            for source in partitions(consumer, settings, name)
        }
    finally:
        consumer.close()


def partitions(consumer: Consumer, settings: Settings, topic: str) -> list[Source]:
    """The partitions of a topic (full name), in order. Raises BrokerError, also where it is not."""
    found = topics.described(consumer, settings, topic, TIMEOUT_SECONDS)
    return [Source(topic, number) for number in sorted(found.partitions)]


def bounds_of(consumer: Consumer, settings: Settings, source: Source) -> Bounds:
    """First and next offset of one partition. Raises BrokerError."""
    try:
        return Bounds(*consumer.get_watermark_offsets(TopicPartition(*source), TIMEOUT_SECONDS))
    except KafkaException as error:
        raise translate(error, settings) from error


def log_consumer(settings: Settings) -> Consumer:
    """A consumer that is asked for topics and their bounds; records are read by `LogReader`.

    Raises:
        BrokerError: Kafka does not let us in.
    """
    require(settings)
    own = {
        "group.id": f"{settings.group}.audit",  # librdkafka wants one; nothing subscribes
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "log_level": 2,
    }
    return Consumer(confluent_config(settings) | own)


def group(settings: Settings) -> Group:
    """The group's members and what is assigned to them. Raises BrokerError."""
    client = admin(settings)  # held: without it, its futures are never done
    try:
        futures = client.describe_consumer_groups([settings.group], request_timeout=TIMEOUT_SECONDS)
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
            _reader(settings.group, member.client_id),
        )
        for member in found.members
    )
    is_new = bool(found.members) and found.type == confluent_kafka.ConsumerGroupType.CONSUMER
    return Group(found.state.name.lower(), tuple(sorted(members)), is_new)
