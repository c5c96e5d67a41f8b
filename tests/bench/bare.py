"""The least that could be done: aiokafka, msgspec and a dict of groups. A process of its own.

``python -m tests.bench.bare SERVERS TOPIC PARTITIONS EVENTS`` prints CPU seconds between the first
event and the last. It commits nothing, checks nothing, stores nothing; the dict is emptied at each
100,000 events, as if it had been stored.
"""

from __future__ import annotations

import asyncio
import resource
import sys

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

GROUPS_EVENTS = 100_000


class Data(msgspec.Struct, gc=False):
    operation: str
    model: str
    status_code: int
    duration_ms: float
    token_id: str = ""
    user_id: str = ""
    team_id: str = ""
    agent_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Event(msgspec.Struct, gc=False):
    subject: str
    time: str
    data: Data


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(servers: str, topic: str, partitions: int, events: int) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1_048_576,
        fetch_min_bytes=65_536,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, n) for n in range(partitions)])
    began, seen, kept = cpu_seconds(), 0, 0
    decode = msgspec.json.Decoder(Event).decode
    groups: dict[tuple[str, ...], list[float]] = {}
    while seen < events:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=4096)).values():
            for record in records:
                fold(groups, decode(record.value))
            seen += len(records)
        if seen - kept >= GROUPS_EVENTS:
            groups.clear()
            kept = seen
    print(f"cpu {cpu_seconds() - began:.3f}", flush=True)
    await consumer.stop()


def fold(groups: dict[tuple[str, ...], list[float]], event: Event) -> None:
    data = event.data
    key = (
        event.time[:16],
        event.subject,
        data.team_id,
        data.agent_id,
        data.token_id,
        data.user_id,
        data.model,
        data.operation,
    )
    sums = groups.get(key)
    if sums is None:
        groups[key] = [1, data.input_tokens, data.output_tokens, data.cost, data.duration_ms]
    else:
        sums[0] += 1
        sums[1] += data.input_tokens
        sums[2] += data.output_tokens
        sums[3] += data.cost
        sums[4] += data.duration_ms


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
