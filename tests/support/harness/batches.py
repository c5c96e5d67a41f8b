"""Record batches that no client library would send, and a way to send them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

NAME = "~!"
"""A header's name that stands for bytes that are none (`with_names`)."""

Headers = Sequence[tuple[str, bytes | None]]


def batch_of(
    values: Sequence[bytes], headers: Headers, timestamp_ms: int = 1000, key: bytes = b"key"
) -> bytes:
    """Build an uncompressed batch, as a producer does."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for n, value in enumerate(values):
        builder.append(n, timestamp_ms, key, value, list(headers))
    return bytes(builder.build())


def with_names(batch: bytes, name: bytes) -> bytes:
    """Replace each name `NAME` by other bytes, and put the checksum right."""
    assert len(name) == len(NAME)
    changed = bytearray(batch.replace(NAME.encode(), name))
    struct.pack_into(">I", changed, 17, calc_crc32c(bytes(changed[21:])))
    return bytes(changed)


def send_batch(servers: str, topic: str, partition: int, batch: bytes, records: int) -> None:
    """Send a batch as it is, and wait until Kafka has it."""

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=servers)
        await producer.start()
        try:
            builder: Any = producer.create_batch()
            for _ in range(records):
                builder.append(timestamp=None, key=None, value=None)
            builder._build()
            builder._buffer = bytearray(batch)
            await (await producer.send_batch(builder, topic, partition=partition))
        finally:
            await producer.stop()

    asyncio.run(send())
