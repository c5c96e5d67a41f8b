"""The embedded broker in its own process: topics, groups, records, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from pipeline.facts.interface import parsed
from pipeline.kafka import topics
from pipeline.kafka.group import bounds, committed, set_back
from pipeline.protocol.chunks import Offset, Source
from pipeline.settings import load
from pipeline.simulate.pace import LOOK_SECONDS
from pipeline.worker.transport import Past
from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

TOPIC = "usage.requests"
PARTITIONS = 6


class Broker:
    def __init__(self, folder: Path, partitions: int = PARTITIONS) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.environment = {"USAGE_PARTITIONS": str(partitions), "USAGE_KAFKA": self.address}
        self._folder = folder
        self.process = self.start()

    def start(self) -> Process:
        arguments = ("broker", "--port", str(self.port))
        self.process = usage(
            "broker", *arguments, environment=self.environment, folder=self._folder
        )
        self.process.await_output(f"broker ready: {self.address}")
        return self.process

    def partitions(self) -> dict[str, int]:
        listed = AdminClient({"bootstrap.servers": self.address}).list_topics(timeout=10)
        assert {(str(b.host), b.port) for b in listed.brokers.values()} == {
            ("127.0.0.1", self.port)
        }
        return {name: len(topic.partitions) for name, topic in listed.topics.items()}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.process.kill9()


def test_the_topics_are_there_with_their_partitions(broker: Broker) -> None:
    found = broker.partitions()
    settings = load(broker.environment)
    assert settings.partitions == PARTITIONS
    for spec in topics.ALL:
        assert found[spec.name] == spec.partitions(settings), spec.name
    assert len([name for name in found if name.startswith(topics.RUN_PREFIX)]) == 1


def test_a_new_run_is_another_incarnation(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    settings = load(broker.environment)
    first = topics.incarnations(settings, [TOPIC])[TOPIC]
    assert topics.incarnations(settings, [TOPIC])[TOPIC] == first
    broker.process.kill9()
    broker.start()
    assert topics.incarnations(settings, [TOPIC])[TOPIC] != first
    broker.process.kill9()


def test_a_taken_port_is_refused(broker: Broker, tmp_path: Path) -> None:
    second = usage("second", "broker", "--port", str(broker.port), environment={}, folder=tmp_path)
    assert second.wait() == 75
    assert f"port {broker.port}" in second.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_also_with_clients(tmp_path: Path, number: signal.Signals) -> None:
    broker = Broker(tmp_path)
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    assert admin.list_topics(timeout=10).brokers
    broker.process._signal(number)
    assert broker.process.wait(60) == 0
    assert "Traceback" not in broker.process.output()


@asynccontextmanager
async def member(broker: Broker, group: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=broker.address,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=300,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def fetch(consumer: Any, into: list[bytes]) -> None:
    for records in (await consumer.getmany(timeout_ms=50)).values():
        into.extend(record.value for record in records)


def test_records_and_commits_survive_a_change_of_members(broker: Broker) -> None:
    asyncio.run(asyncio.wait_for(change_of_members(broker), 100))


async def change_of_members(broker: Broker) -> None:
    sent = [b"%d" % n for n in range(3000)]
    async with AsyncExitStack() as stack:
        producer = AIOKafkaProducer(bootstrap_servers=broker.address)
        await producer.start()
        stack.push_async_callback(producer.stop)
        for n, value in enumerate(sent):
            await producer.send(TOPIC, value, partition=n % PARTITIONS)
        await producer.flush()

        first = await stack.enter_async_context(member(broker, "changing"))
        read: list[bytes] = []
        while len(read) < len(sent):
            await fetch(first, read)
        assert sorted(read) == sorted(sent)

        mine = TopicPartition(TOPIC, 0)
        named = OffsetAndMetadata(100, "[100, 200)")
        await first.commit({mine: named})

        async with AsyncExitStack() as second_stack:
            joining = asyncio.ensure_future(
                second_stack.enter_async_context(member(broker, "changing"))
            )
            while not joining.done() or len(first.assignment()) != PARTITIONS // 2:
                await fetch(first, [])
            second = joining.result()
            assert not first.assignment() & second.assignment()
            assert len(second.assignment()) == PARTITIONS // 2
        while len(first.assignment()) != PARTITIONS:
            await fetch(first, [])
        found = await first._coordinator.fetch_committed_offsets([mine])
        assert found == {mine: named}


def test_the_simulator_waits_for_the_group_before_the_broker_drops(tmp_path: Path) -> None:
    broker = Broker(tmp_path, partitions=1)
    settings = load(broker.environment)
    options = ("--rate", "50000", "--for", "1h", "--seed", "3", "--no-announcement")
    sending = usage(
        "simulate", "simulate", *options, environment=broker.environment, folder=tmp_path
    )
    sending.await_output(
        "usage: waiting for the worker: the embedded broker keeps the newest 5 MiB",
        within=120,
    )
    names = [spec.name for spec in topics.COUNTED]
    held = bounds(settings, names)
    assert {each.first for each in held.values()} == {0}, "nothing is dropped"
    assert sum(each.last for each in held.values()) > 1000
    time.sleep(3 * LOOK_SECONDS)
    assert bounds(settings, names) == held

    set_back(settings, {source: Offset(each.last, "") for source, each in held.items()})
    until(
        lambda: (
            sum(each.last for each in bounds(settings, names).values())
            > 1.5 * sum(each.last for each in held.values())
        ),
        within=90,
        what="the stream to go on",
    )
    sending.terminate(60)
    broker.process.kill9()


@pytest.mark.faults
def test_a_worker_says_that_the_broker_dropped_what_it_did_not_count(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    broker = Broker(tmp_path, partitions=1)
    name = "dropped"
    environment = broker.environment | {
        "USAGE_CLICKHOUSE": url_at(store.port, name),
        "USAGE_WEB_PORT": str(free_port()),
    }
    assert usage("migrate", "migrate", environment=environment, folder=tmp_path).wait(60) == 0
    worker = usage("worker", "worker", environment=environment, folder=tmp_path)
    send(broker, [b"{}"])
    settings = load(environment)
    source = Source(TOPIC, 0)
    until(lambda: source in committed(settings, [source]), within=60, what="its first chunk")
    assert worker.terminate(60) == 0
    send(broker, [os.urandom(100_000) for _ in range(80)])
    first = bounds(settings, [TOPIC])[source].first
    assert first > 1
    again = usage("again", "worker", environment=environment, folder=tmp_path)
    again.await_output("the embedded broker dropped [1, ")
    assert "it keeps the newest 5 MiB of a partition, in memory" in again.output()
    assert "retention" not in again.output()
    until(lambda: committed(settings, [source])[source].offset == 81, within=60, what="the rest")
    assert again.terminate(60) == 0
    broker.process.kill9()


def send(broker: Broker, values: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker.address})
    for value in values:
        producer.produce(TOPIC, value, partition=0)
    assert producer.flush(20) == 0


def test_what_lies_before_a_start_can_be_read_again(broker: Broker) -> None:
    """As workers do for the ids of events, beside the group."""
    found = asyncio.run(read_again(broker, Source(TOPIC, 4), 4000))
    assert found == [b"again %d" % n for n in range(4000)]


async def read_again(broker: Broker, source: Source, records: int) -> list[bytes]:
    """Send records; return what the partition holds from the first of them on."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        sent = [
            await producer.send(source.topic, b"again %d" % n, partition=source.partition)
            for n in range(records)
        ]
        first = (await sent[0]).offset
        await producer.flush()
    found: list[bytes] = []
    async with Past(load(broker.environment), {source: first}) as past:
        while len(found) < records:
            for batch in await past.read():
                assert batch.start == first + len(found)
                found += [record.value or b"" for record in parsed(batch.log)]
    return found
