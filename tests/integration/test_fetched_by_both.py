"""What a real broker serves, fetched raw for the compiled reader and parsed for the reference.

All codecs, transactions that are aborted, LogAppendTime, tombstones, damaged values, positions in
the middle of a batch, what compaction leaves, and batches that are damaged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from pipeline.errors import Halted
from pipeline.facts import Facts, Rules
from pipeline.facts.interface import Raw, offset_and_place
from pipeline.facts.python_facts import PARTS
from pipeline.facts.readers import Readers
from pipeline.kafka.lenient import opened
from pipeline.protocol.chunks import Plan, Source
from pipeline.protocol.lineage import Change, lineage
from pipeline.protocol.partition import Partition
from pipeline.settings import load
from pipeline.worker import rebuild
from pipeline.worker.folding import Folding
from pipeline.worker.rebuild import Rebuild
from pipeline.worker.telemetry.instruments import Instruments
from pipeline.worker.transport import Past, RawFetches, past
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.produce import REQUESTS, Traffic
from tests.support.harness.readers import COMPILED, PYTHON
from tests.support.harness.recount import read_log
from tests.support.harness.waiting import until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RULES = Rules(duplicate_window=300)
_names = count(1)


def new_topic(kafka: KafkaBroker, config: dict[str, str]) -> Source:
    topic = f"both{next(_names)}.{REQUESTS}"
    kafka.create_topics([topic], 1, config)
    return Source(topic, 0)


class Found(NamedTuple):
    """What a range comes to, and the sentence that ended its reading, if one did."""

    facts: Facts
    halted: str


def fetch(kafka: KafkaBroker, source: Source, start: int, end: int, kind: Readers) -> Found:
    """Read a range as a worker does when it looks back, unopened where the reader wants it so."""
    settings = load({"USAGE_KAFKA": kafka.servers, "USAGE_DUPLICATE_WINDOW": "300"})
    raw = RawFetches(kind.library, [source.topic] if kind is COMPILED else ())
    one = kind.reader(REQUESTS, RULES, 0, opened)
    facts = one.facts()

    async def read() -> None:
        position = start
        async with Past(settings, {source: start}, raw) as past:
            while position < end:
                for batch in await past.read():
                    assert batch.start == position
                    assert isinstance(batch.log, Raw) == (kind is COMPILED) or not batch.log
                    one.read(batch.log, facts)
                    position = batch.end

    try:
        asyncio.run(read())
    except Halted as halted:
        return Found(facts, str(halted))
    return Found(facts, "")


def agree(kafka: KafkaBroker, source: Source, starts: tuple[int, ...], halted: str = "") -> Facts:
    """Assert that both readers find the same from each of these offsets on, and how that ends."""
    _, end = kafka.bounds(source.topic)[0]
    for start in reversed(starts):
        (due, said), (found, same) = (
            fetch(kafka, source, start, end, kind) for kind in (PYTHON, COMPILED)
        )
        assert said == same
        assert halted in said if halted else not said
        for name in set(PARTS) - {"rejections"}:
            assert getattr(found, name) == getattr(due, name), (start, name)
        told = [
            [one._replace(headers=tuple(one.headers)) for one in facts.rejections]
            for facts in (found, due)
        ]
        assert told[0] == told[1], start
        assert found.minutes() == due.minutes()
    return due


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_transactions_and_positions(kafka: KafkaBroker, codec: str) -> None:
    append = {"message.timestamp.type": "LogAppendTime"} if codec in ("lz4", "zstd") else {}
    source = new_topic(kafka, append)
    common = {"bootstrap.servers": kafka.servers, "compression.type": codec, "linger.ms": 5}
    plain = Producer(common)
    ours = Producer(common | {"transactional.id": source.topic, "batch.size": 20_000})
    ours.init_transactions()
    traffic, now = Traffic(5, bad=0.05), time.time()
    at = round(now * 1000)
    for turn in range(6):
        ours.begin_transaction()
        for number in range(150):
            tenant, value, headers = traffic.message(REQUESTS, now)
            if number == 70 and value is not None:
                value = value[:-3] + b"\xffz"
            ours.produce(source.topic, value, tenant, headers=headers, timestamp=at)
        ours.flush()
        for _ in range(20):  # between the transaction's batches and its end
            tenant, value, headers = traffic.message(REQUESTS, now)
            plain.produce(source.topic, value, tenant, headers=headers, timestamp=at)
        plain.produce(source.topic, None, b"gone", timestamp=at)
        plain.flush()
        ours.abort_transaction() if turn % 3 == 1 else ours.commit_transaction()
    due = agree(kafka, source, (0, 97, 160, 433))
    assert due.skipped >= 6
    assert due.rejected
    assert due.received > 300


COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "100",
}


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_what_compaction_leaves(kafka: KafkaBroker, codec: str) -> None:
    """Holes, a batch that is empty, tombstones with a deletion horizon, no aborted transaction."""
    source = new_topic(kafka, COMPACTED)
    common = {"bootstrap.servers": kafka.servers, "compression.type": codec, "linger.ms": 20}
    emptied = Producer(common | {"enable.idempotence": True})  # its last batch is kept, empty
    plain = Producer(common)
    ours = Producer(common | {"transactional.id": source.topic})
    ours.init_transactions()
    traffic, now = Traffic(7), time.time()

    def send(producer: Producer, *keys: str) -> None:
        for key in keys:
            _, value, headers = traffic.message(REQUESTS, now)
            producer.produce(source.topic, value, key, headers=headers)
        producer.flush()

    many = [f"k{n}" for n in range(60)]
    send(emptied, *many)
    send(plain, *many[::2], *(f"own{n}" for n in range(40)))
    for end in (ours.abort_transaction, ours.commit_transaction):
        ours.begin_transaction()
        send(ours, *(f"{end.__name__}{n}" for n in range(30)))
        end()
    send(plain, *many, *many[:20])
    for key in many[:5]:
        plain.produce(source.topic, None, key)
    plain.flush()
    _, sent = kafka.bounds(source.topic)[0]

    def left() -> int:
        time.sleep(0.2)  # a record that comes later than `segment.ms` begins another segment
        send(plain, "last")
        part = read_log(kafka, [source.topic])[source.topic, 0]
        return sum(record.offset < sent for record in part.records)

    until(lambda: left() <= 140, within=90, what="compaction", every=0.5)
    due = agree(kafka, source, (0, 30, 61, 110, 250))
    assert due.skipped == 5
    assert due.received <= 200


@pytest.mark.parametrize("codec", CODECS)
def test_batches_that_are_damaged(kafka: KafkaBroker, codec: str) -> None:
    """On the disk, which ends the reading at its beginning; or before they were sent, unnoticed."""
    plain = Producer(
        {"bootstrap.servers": kafka.servers, "compression.type": codec, "linger.ms": 5000}
    )
    traffic, now = Traffic(9), time.time()

    def send(source: Source) -> int:
        for _ in range(50):
            tenant, value, headers = traffic.message(REQUESTS, now)
            plain.produce(source.topic, value, tenant, headers=headers)
        plain.flush()
        return kafka.bounds(source.topic)[0][1]

    for share in (0.1, 0.5, 1.0):
        damaged, sealed = new_topic(kafka, {}), new_topic(kafka, {})
        for source in (damaged, sealed):
            first = send(source)
            send(source)
            kafka.damage_last_batch(source.topic, 0, share, sealed=source is sealed)
            send(source)
        due = agree(kafka, damaged, (0, 20), f"batch of records at offset {first} fails its")
        assert offset_and_place(due.origins[-1])[0] < first
        due = agree(kafka, sealed, (0, 20, 75))
        assert offset_and_place(due.origins[-1])[0] >= 2 * first


def test_a_log_that_ends_before_it_did_is_no_reason_to_wait(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a partition that others go on from: an election may have lost what came last."""
    monkeypatch.setattr(past, "ENDS_SECONDS", 0)
    source = new_topic(kafka, {})
    producer = Producer({"bootstrap.servers": kafka.servers})
    for _ in range(5):
        producer.produce(source.topic, b"", partition=0)
    assert not producer.flush(30)
    settings = {"USAGE_KAFKA": kafka.servers}

    async def read(start: int, end: int, **more: str) -> int:
        async with Past(load(settings | more), {source: start}, ends={source: end}) as one:
            while (position := (await one.read())[0].end) < end:
                pass
            return position

    assert asyncio.run(read(2, 5)) == 5
    for start in (2, 7):
        with pytest.raises(Halted, match="ends at offset 5, but ended at 9 before its topic was"):
            asyncio.run(read(start, 9))
        assert asyncio.run(read(start, 9, USAGE_OVERRIDE_LOST_ENDS="true")) == 9


def test_a_log_whose_leader_is_lost_delays_only_its_own_window(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told that nobody leads it, until the window behind it is open."""
    monkeypatch.setattr(rebuild, "AT_ONCE_OFFSETS", 1)
    monkeypatch.setattr(rebuild, "SILENT_SECONDS", 1.5)  # it is asked for its end as well
    topic = f"both{next(_names)}.{REQUESTS}"
    kafka.create_topics([topic], 3)
    producer = Producer({"bootstrap.servers": kafka.servers})
    for number in range(3 * 50):
        producer.produce(topic, b"", partition=number % 3)
    assert not producer.flush(30)
    leader, lost = ClusterMetadata.leader_for_partition, {TopicPartition(topic, 0)}

    def told(cluster: ClusterMetadata, tp: TopicPartition) -> int | None:
        return -1 if tp in lost else leader(cluster, tp)

    def partition(number: int, start: int, seen_from: int) -> Partition:
        reader = PYTHON.reader(REQUESTS, RULES, 0, opened)
        before = lineage([Change(1, 3, (50,))], number)
        return Partition(Source(topic, number), "one", reader, Plan(start), seen_from, before)

    order: list[int] = []

    async def open_(partitions: Sequence[Partition]) -> None:
        order.extend(one.source.partition for one in partitions)
        if 1 in order:
            lost.clear()

    monkeypatch.setattr(ClusterMetadata, "leader_for_partition", told)
    settings = load({"USAGE_KAFKA": kafka.servers})
    one = Rebuild(settings, 300, Instruments(CollectorRegistry()), Folding())
    # The last goes on from the first, so that the end of its log is asked for too.
    windows = [partition(0, 50, 20), partition(1, 50, 10), partition(2, 20, -20)]
    asyncio.run(asyncio.wait_for(one.run(windows, open_, lambda: None), 20))
    assert order == [1, 0, 2]
