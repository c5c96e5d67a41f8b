"""One real Kafka broker (KRaft, broker and controller in one) on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import socket
import struct
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.record.util import calc_crc32c
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from tests.support.harness.kafka_jars import kafka_jars, require
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.waiting import until

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=4194304
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=4000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.max.session.timeout.ms=300000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=1000
log.flush.interval.messages=9223372036854775807
"""
"""No fsync: what the operating system has survives a kill -9 of the broker."""

_JAVA = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_OF_OLDER_LEADERS = KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH


class KafkaBroker:
    """A broker whose port and data stay the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.servers = f"127.0.0.1:{self._port}"
        self._properties = folder / "server.properties"
        self._classpath = f"{kafka_jars()}/*"
        self._process: Process | None = None
        self._admin: AdminClient | None = None
        self._format()

    def _format(self) -> None:
        data = self._folder / "kafka-data"
        self._properties.write_text(
            _PROPERTIES.format(port=self._port, controller_port=free_port(), data=data)
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster.startswith("-"):
            cluster = "A" + cluster[1:]  # or it reads as an option
        subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c"),
            check=True,
            capture_output=True,
        )

    def _java(self, main: str, *arguments: str) -> list[str]:
        java = [require("java"), *_JAVA, _LOG_LEVEL, "-cp", self._classpath]
        return [*java, main, *arguments, str(self._properties)]

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = self._java("kafka.Kafka")
        self._process = Process("kafka", command, clean_environment(), self._folder)
        self._admin = None
        until(self._answers, within=60, what="the Kafka broker", explain=self.process.tail)

    def _answers(self) -> bool:
        assert self.process.is_running, self.process.tail()
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return bool(self.admin.list_topics(timeout=5).brokers)
        except (OSError, KafkaException):
            return False

    @property
    def process(self) -> Process:
        """The running (or last) broker process."""
        assert self._process is not None, "the broker was not started"
        return self._process

    def stop(self) -> None:
        """Shut it down in order."""
        if self.process.is_running:
            self.process.terminate(60)

    def kill9(self) -> None:
        """Kill it at once."""
        self.process.kill9()

    @property
    def admin(self) -> AdminClient:
        """The admin client: one for each start of the broker; its futures need it alive."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 2})
        return self._admin

    def create_topics(
        self, names: Iterable[str], partitions: int, config: Mapping[str, str] | None = None
    ) -> None:
        """Create topics and wait until they are there."""
        names = list(names)
        new = [NewTopic(n, partitions, 1, config=dict(config or {})) for n in names]
        for future in self.admin.create_topics(new).values():
            future.result(30)
        until(lambda: self._have_leaders(names), within=30, what=f"leaders of {names}")

    def _have_leaders(self, names: list[str]) -> bool:
        try:
            return all(self.bounds(name) for name in names)
        except KafkaException:
            return False

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until it is gone."""
        for future in self.admin.delete_topics([name]).values():
            future.result(30)
        until(
            lambda: name not in self.admin.list_topics(timeout=10).topics,
            within=30,
            what=f"the end of {name}",
        )

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records before an offset, as retention would."""
        wanted = [TopicPartition(topic, partition, before)]
        for future in self.admin.delete_records(wanted).values():
            future.result(30)

    def damage_last_batch(
        self, topic: str, partition: int, share: float = 1.0, *, sealed: bool = False
    ) -> None:
        """Change a byte of a partition's last batch on the disk, as a bad sector would.

        It stands behind that share of the records' bytes; ``sealed`` puts the checksum right, as
        if the batch had been sent so.
        """
        [log] = (self._folder / "kafka-data" / f"{topic}-{partition}").glob("*.log")
        octets = log.read_bytes()
        end = 0
        while end < len(octets):
            first, end = end, end + 12 + int.from_bytes(octets[end + 8 : end + 12])
        batch = bytearray(octets[first:])
        batch[61 + round(share * (len(batch) - 62))] ^= 1
        if sealed:
            struct.pack_into(">I", batch, 17, calc_crc32c(bytes(batch[21:])))
        with log.open("r+b") as file:
            file.seek(first)
            file.write(batch)

    def partitions(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic; none when it is not there."""
        found = self.admin.list_topics(timeout=10).topics.get(topic)
        return sorted(found.partitions) if found else []

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return, for each partition, the log's first offset and the one its next record gets."""
        what = f"the bounds of {topic}"
        [found] = until(lambda: self._bounds(topic), within=60, what=what)
        return found

    def _bounds(self, topic: str) -> list[dict[int, tuple[int, int]]]:
        """Return them; none while a broker that was killed knows older leaders than its client."""
        numbers = self.partitions(topic)
        try:
            first, last = (
                {
                    asked.partition: int(future.result(30).offset)
                    for asked, future in self.admin.list_offsets(
                        {TopicPartition(topic, n): spec for n in numbers}
                    ).items()
                }
                for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
            )
        except KafkaException as error:
            if error.args[0].code() not in _OF_OLDER_LEADERS:
                raise
            return []
        return [{n: (first[n], last[n]) for n in numbers}]

    def consumer(self, **config: Any) -> Consumer:
        """Return a consumer that commits nothing and sees only committed records."""
        return Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "recount",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
            | config
        )

    def committed(
        self, group: str, sources: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], int | None]:
        """Return the group's committed offsets; None where there is none."""
        asked = [TopicPartition(topic, number) for topic, number in sources]
        futures = self.admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, asked)]
        )
        found = futures[group].result(30).topic_partitions
        return {(f.topic, f.partition): None if f.offset < 0 else int(f.offset) for f in found}

    def metadata(self, group: str) -> dict[tuple[str, int], tuple[int, str]]:
        """Return the group's committed offsets with their metadata.

        By aiokafka, for confluent-kafka's `TopicPartition.metadata` reads beyond its end.
        """

        async def ask() -> dict[Any, Any]:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            await admin.start()
            try:
                return dict(await admin.list_consumer_group_offsets(group))
            finally:
                await admin.close()

        found = asyncio.run(ask())
        return {(tp.topic, tp.partition): (at.offset, at.metadata) for tp, at in found.items()}

    def topic_id(self, topic: str) -> str:
        """Return the id that tells a topic from an earlier one of its name."""
        described = self.admin.describe_topics(TopicCollection([topic]))[topic].result(30)
        return str(described.topic_id)

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set the offsets of a group that has no members, without metadata.

        A broker that has just started takes them once it has loaded its groups; until then it
        refuses each partition by itself, within an answer that is no error.
        """
        wanted = [TopicPartition(t, p, o) for (t, p), o in offsets.items()]
        asked = ConsumerGroupTopicPartitions(group, wanted)

        def refused() -> list[str]:
            answers = self.admin.alter_consumer_group_offsets([asked]).values()
            parts = [part for answer in answers for part in answer.result(30).topic_partitions]
            return [str(part.error) for part in parts if part.error is not None]

        until(lambda: not refused(), within=30, what="offsets", explain=lambda: str(refused()))

    def forget(self, group: str, lost: tuple[str, int]) -> None:
        """Lose one partition's offset, once the group has no members; the others stay as named."""
        self.await_empty(group)
        kept = self.metadata(group)
        assert lost in kept, "it has no offset"
        self.delete_group(group)
        for (topic, number), (offset, metadata) in kept.items():
            if (topic, number) != lost:
                at = TopicPartition(topic, number, offset, metadata=metadata)
                asked = ConsumerGroupTopicPartitions(group, [at])
                self.admin.alter_consumer_group_offsets([asked])[group].result(30)

    def members(self, group: str) -> list[str]:
        """Return the group's members, whatever its state."""
        found = self.admin.describe_consumer_groups([group])[group].result(30)
        return [m.member_id for m in found.members]

    def assignment(self, group: str) -> dict[str, set[tuple[str, int]]]:
        """Return what each member has; empty while the group is not stable, or not known yet."""
        try:
            found = self.admin.describe_consumer_groups([group])[group].result(30)
        except KafkaException:
            return {}
        if found.state.name != "STABLE":
            return {}
        return {
            m.member_id: {(tp.topic, tp.partition) for tp in m.assignment.topic_partitions}
            for m in found.members
        }

    def await_empty(self, group: str) -> None:
        """Wait until the group has no members: until the sessions of dead ones are over."""
        until(lambda: not self.members(group), within=60, what=f"{group} without members")

    def delete_group(self, group: str) -> None:
        """Delete a group and all its offsets, once it has no members."""
        self.await_empty(group)
        for future in self.admin.delete_consumer_groups([group]).values():
            future.result(30)
