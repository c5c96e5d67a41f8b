"""What a real broker serves, fetched raw for the compiled reader and parsed for the reference.

All codecs, transactions that are aborted, LogAppendTime, tombstones, damaged values, positions in
the middle of a batch, and what compaction leaves.
"""

from __future__ import annotations

import asyncio
import json
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
from tests.support.harness.waiting import until

pytestmark = pytest.mark.timeout(300)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RULES = Rules(duplicate_window=300)
NOW = 1_772_368_496
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
    traffic = Traffic(5, bad=0.05)
    for turn in range(6):
        ours.begin_transaction()
        for number in range(150):
            tenant, value, headers = traffic.message(REQUESTS, NOW)
            if number == 70 and value is not None:
                value = value[:-3] + b"\xffz"
            ours.produce(source.topic, value, tenant, headers=headers, timestamp=NOW * 1000)
        ours.flush()
        for _ in range(20):  # between the transaction's batches and its end
            tenant, value, headers = traffic.message(REQUESTS, NOW)
            plain.produce(source.topic, value, tenant, headers=headers, timestamp=NOW * 1000)
        plain.produce(source.topic, None, b"gone", timestamp=NOW * 1000)
        plain.flush()
        ours.abort_transaction() if turn % 3 == 1 else ours.commit_transaction()
    due = agree(kafka, source, (0, 97, 160, 433))
    assert due.skipped == 6
    assert due.rejected
    assert 4 * 150 + 6 * 20 - due.rejected - due.duplicate - due.counted <= 0


def test_what_compaction_leaves(kafka: KafkaBroker) -> None:
    source = new_topic(
        kafka,
        {
            "cleanup.policy": "compact",
            "segment.ms": "200",
            "min.cleanable.dirty.ratio": "0",
            "delete.retention.ms": "0",
            "min.compaction.lag.ms": "0",
        },
    )
    producer = Producer({"bootstrap.servers": kafka.servers, "compression.type": "lz4"})
    ids = count()

    def send(keys: int, records: int) -> None:
        for number in range(records):
            event = {
                "specversion": "1.0",
                "id": str(next(ids)),
                "source": "s",
                "subject": "acme",
                "type": "usage.request.v1",
                "time": "2026-03-01T12:34:00Z",
                "data": {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1},
            }
            value = json.dumps(event).encode()
            producer.produce(source.topic, value, str(number % keys), timestamp=NOW * 1000)
        producer.flush()

    send(keys=40, records=400)
    send(keys=400, records=60)

    def is_compacted() -> bool:
        send(keys=400, records=1)  # so that the segment before is closed
        _, end = kafka.bounds(source.topic)[0]
        return fetch(kafka, source, 0, end, PYTHON).received < 400

    until(is_compacted, within=120, what="the cleaner", every=2)
    due = agree(kafka, source, (0, 5, 395, 401))
    assert 0 < due.counted == due.received
