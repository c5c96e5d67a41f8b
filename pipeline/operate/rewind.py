"""``usage rewind --to-store``: let the group read again what the store lacks.

For the one case in which workers halt by themselves: the group's offsets are ahead of the ledger,
because the store was restored from a copy, lags behind, or is new.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError as AIOKafkaError
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from pipeline.errors import Halted
from pipeline.kafka import topics
from pipeline.kafka.clients import aiokafka_config, confluent_config
from pipeline.kafka.faults import translate
from pipeline.protocol.chunks import Found, Halt, Offset, Range, Source, commit_metadata, plan
from pipeline.protocol.ledger import Ledger, found_of

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings

TIMEOUT_SECONDS = 15.0


def rewind(settings: Settings, store: Store, names: list[str]) -> list[Range]:
    """Set the group's offsets back to the ledger's ends where they are ahead of them.

    Args:
        settings: of the group.
        store: whose ledger decides.
        names: the source topics, prefix included.

    Returns:
        The ranges that will be counted from Kafka again; none when the offsets are right.

    Raises:
        Halted: workers of the group are running, or something else is wrong as well.
        BrokerError: Kafka does not answer.
    """
    # What goes wrong is raised; librdkafka's own lines on stderr would only say it again.
    admin = AdminClient({**confluent_config(settings), "log_level": 2})
    _require_empty(admin, settings)
    incarnations = topics.incarnations(settings, names)
    try:
        found = _find(settings, store, names, incarnations)
        missing = [
            r for source, what in found.items() if (r := _missing(source, what, incarnations))
        ]
        _set_back(admin, settings.group, missing)
    except (KafkaException, AIOKafkaError, OSError) as error:
        raise translate(error, settings) from error
    return missing


def _require_empty(admin: AdminClient, settings: Settings) -> None:
    group = settings.group
    described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_SECONDS)[group]
    try:
        state = described.result().state
    except KafkaException as error:
        raise translate(error, settings, f"the group {group} cannot be described") from error
    if state not in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD):
        raise Halted(f"the group {group} has running workers; stop them, then rewind again")


def _find(
    settings: Settings, store: Store, names: list[str], incarnations: dict[str, str]
) -> dict[Source, Found]:
    committed = asyncio.run(_committed(settings))
    consumer = Consumer(
        {
            **confluent_config(settings),
            "group.id": settings.group,
            "enable.auto.commit": False,
            "log_level": 2,
        }
    )
    try:
        sources = [
            Source(name, partition)
            for name in names
            for partition in consumer.list_topics(name, TIMEOUT_SECONDS).topics[name].partitions
        ]
        covered = Ledger(store, "rewind", "").covered(sources, incarnations)
        found = {}
        for source, known in zip(sources, covered, strict=True):
            bounds = consumer.get_watermark_offsets(TopicPartition(*source), TIMEOUT_SECONDS)
            found[source] = found_of(known, committed.get(source), *bounds)
        return found
    finally:
        consumer.close()


async def _committed(settings: Settings) -> dict[Source, Offset]:
    # By aiokafka: confluent-kafka reads metadata beyond its end, and gives what lies there.
    admin = AIOKafkaAdminClient(**aiokafka_config(settings))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(settings.group)
    finally:
        await admin.close()
    return {
        Source(*tp): Offset(at.offset, at.metadata or "")
        for tp, at in offsets.items()
        if at.offset >= 0
    }


def _missing(source: Source, found: Found, incarnations: dict[str, str]) -> Range | None:
    incarnation = incarnations[source.topic]
    # The rules of an open intent are the next worker's business, not ours.
    decided = plan(found, incarnation=incarnation, rules="", override_rules=True)
    if not isinstance(decided, Halt):
        return None
    if decided.missing is None:
        raise Halted(f"{source}: {decided.reason}")
    return Range(source, incarnation, *decided.missing)


def _set_back(admin: AdminClient, group: str, missing: list[Range]) -> None:
    if not missing:
        return
    offsets = [
        TopicPartition(*r.source, r.a, metadata=commit_metadata(r.incarnation)) for r in missing
    ]
    wanted = ConsumerGroupTopicPartitions(group, offsets)
    altered = admin.alter_consumer_group_offsets([wanted], request_timeout=TIMEOUT_SECONDS)
    for partition in altered[group].result().topic_partitions:
        if partition.error is not None:
            raise KafkaException(partition.error)
