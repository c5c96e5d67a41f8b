"""The pace of the group: a sender that never runs out of what the embedded broker keeps.

That broker drops the oldest records of a full partition, counted or not. So a stream into it waits
while the partition with most uncounted bytes could come to half of what is kept, as if nothing
were compressed, and all that is under way went there.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline.kafka import group
from pipeline.kafka.clients import aiokafka_config
from pipeline.kafka.topics import EMBEDDED_KEEPS_BYTES, broker_is_embedded

if TYPE_CHECKING:
    from pipeline.settings import Settings

AHEAD_BYTES = EMBEDDED_KEEPS_BYTES // 2
LOOK_SECONDS = 0.2
RESTS_SECONDS = 10.0
"""Looks are so far apart while half of the room or more is left: each is three questions, and what
was seen says less than there is meanwhile, never more."""
_SAY_AFTER_SECONDS = 5.0


def room(sent: tuple[int, int], ends: Mapping[TopicPartition, int], uncounted: int) -> int:
    """How many bytes more may be sent.

    Args:
        sent: records and bytes so far.
        ends: how far each partition has come since the first of them.
        uncounted: the records of the partition that has most behind the group's offset.
    """
    records, size = sent
    under_way = max(0, records - sum(ends.values()))
    return AHEAD_BYTES - (uncounted + under_way) * size // max(1, records)


class Pace:
    """Tells a sender when the group is too far behind; on a real Kafka it never is.

    It looks in a thread of its own, a few times a second, so that looking holds up nothing.
    """

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._records = self._bytes = 0
        self._limit = sys.maxsize
        self._full_since = 0.0
        if not broker_is_embedded(settings):
            return
        bounds = group.bounds(settings, topics)
        self._begin = {TopicPartition(*source): each.last for source, each in bounds.items()}
        self._limit = AHEAD_BYTES
        threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True).start()

    def sent(self, size: int) -> None:
        """Take note of a record of so many bytes."""
        self._bytes += size
        self._records += 1

    @property
    def is_full(self) -> bool:
        """Whether to wait; says so once when that takes long."""
        if self._bytes < self._limit:
            self._full_since = 0.0
            return False
        now = time.monotonic()
        self._full_since = self._full_since or now
        if 0 < self._full_since < now - _SAY_AFTER_SECONDS:
            self._full_since = -1.0
            print(
                "usage: waiting for the worker: the embedded broker keeps the newest "
                f"{EMBEDDED_KEEPS_BYTES >> 20} MiB of a partition, and would drop what is not "
                "counted yet",
                file=sys.stderr,
                flush=True,
            )
        return True

    async def _watch(self) -> None:
        while True:
            try:
                async with AIOKafkaConsumer(**aiokafka_config(self._settings)) as consumer:
                    admin = AIOKafkaAdminClient(**aiokafka_config(self._settings))
                    await admin.start()
                    try:
                        while True:
                            await self._look(consumer, admin)
                            await self._rest()
                    finally:
                        await admin.close()
            except (KafkaError, OSError, TimeoutError):  # the sender says that the broker is away
                await asyncio.sleep(LOOK_SECONDS)

    async def _rest(self) -> None:
        """Wait until it is time to look again."""
        ends = time.monotonic() + RESTS_SECONDS
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._limit - self._bytes < AHEAD_BYTES // 2 or time.monotonic() >= ends:
                return

    async def _look(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        sent = self._records, self._bytes
        partitions = list(self._begin)
        ends = await consumer.end_offsets(partitions)
        found = await admin.list_consumer_group_offsets(self._settings.group, partitions=partitions)
        uncounted = max(
            (end - max(0, found[tp].offset if tp in found else 0) for tp, end in ends.items()),
            default=0,
        )
        come = {tp: end - self._begin[tp] for tp, end in ends.items()}
        self._limit = sent[1] + room(sent, come, uncounted)
