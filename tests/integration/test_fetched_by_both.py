"""What a real broker serves, fetched raw for the compiled reader and parsed for the reference.

All codecs, transactions that are aborted, LogAppendTime, tombstones, damaged values, and positions
in the middle of a batch.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count

import pytest
from confluent_kafka import Producer

from pipeline.facts import Facts, Rules
from pipeline.facts.interface import Raw
from pipeline.facts.python_facts import PARTS
from pipeline.facts.readers import Readers
from pipeline.kafka.lenient import opened
from pipeline.protocol.chunks import Source
from pipeline.settings import load
from pipeline.worker.transport import Past, RawFetches
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.produce import REQUESTS, Traffic
from tests.support.harness.readers import COMPILED, PYTHON

pytestmark = pytest.mark.timeout(300)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RULES = Rules(duplicate_window=300)
_names = count(1)


def new_topic(kafka: KafkaBroker, config: dict[str, str]) -> Source:
    topic = f"both{next(_names)}.{REQUESTS}"
    kafka.create_topics([topic], 1, config)
    return Source(topic, 0)


def fetch(kafka: KafkaBroker, source: Source, start: int, end: int, kind: Readers) -> Facts:
    """Read a range as a worker does when it looks back, unopened where the reader wants it so."""
    settings = load({"USAGE_KAFKA": kafka.servers, "USAGE_DUPLICATE_WINDOW": "300"})
    raw = RawFetches(kind.library, [source.topic])
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

    asyncio.run(read())
    return facts


def agree(kafka: KafkaBroker, source: Source, starts: tuple[int, ...]) -> Facts:
    """Assert that both readers find the same from each of these offsets on."""
    _, end = kafka.bounds(source.topic)[0]
    for start in reversed(starts):
        due, found = (fetch(kafka, source, start, end, kind) for kind in (PYTHON, COMPILED))
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
