"""Events of about 400 bytes for the benchmarks: 200 tenants by Zipf, any number of rows per event.

*Rows per event* counts distinct finest keys (minute, tenant, team, agent, token, user, model,
operation) among 100,000 events that follow each other in one of 8 partitions: what a full chunk
becomes in the store.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Producer

TOPIC = "usage.requests"
Headers = list[tuple[str, str | bytes | None]]
HEADERS: Headers = [("content-type", b"application/cloudevents+json")]
BATCH_HEADERS: Headers = [("content-type", b"application/cloudevents-batch+json")]
EVENTS_PER_SECOND = 50_000
"""How fast event time runs in a preloaded topic."""

_BLOCK = 20_000
_MODELS = ("gpt-4o", "claude-sonnet-4", "llama-3-70b", "text-embedding-3-large")
_OPERATIONS = ("chat", "text_completion", "embeddings")
_NAMES = ("report_exported", "page_viewed", "import_finished")
_PLANS = ("free", "pro", "team")
_COUNTRIES = ("DE", "NO", "US", "JP")
_BROWSERS = ("firefox", "chromium", "safari")
_TEMPLATE = (
    '{"specversion":"1.0","id":"req-%08x%08x","source":"//gateway.example/eu-1",'
    '"type":"usage.request.v1","subject":"tenant-%05d","time":"%s.%03dZ",'
    '"data":{"operation":"%s","model":"%s","status_code":%d,"duration_ms":%.3f,'
    '"token_id":"tok-%06d","user_id":"user-%08d","team_id":"team-%03d","agent_id":"agent-%03d",'
    '"input_tokens":%d,"output_tokens":%d,"cost":%.6f,"currency":"USD"}}'
)
_PRODUCT_EVENT = (
    '{"specversion":"1.0","id":"evt-%08x%08x","source":"//app.example",'
    '"type":"usage.event.v1","subject":"tenant-%05d","time":"%s.%03dZ",'
    '"data":{"name":"%s","user_id":"user-%08d","properties":{"plan":"%s","seats":%d,'
    '"amount":%.2f,"is_trial":%s,"country":"%s","page":"/reports/%d","duration_ms":%.3f,'
    '"browser":"%s","tags":["export","csv"],'
    '"file":{"kind":"csv","bytes":%d,"name":"usage.csv"}}}}'
)


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of stream."""

    name: str
    keys: int | None
    """How many users there are, shared out among the tenants by size; None: each event's own."""
    tenants: int = 200
    topic: str = TOPIC
    """Without its prefix."""
    together: int = 1
    """Events of one record: where there are more than one, they are in batch form."""


WORKLOADS = (
    Workload("0.03", keys=24_000),
    Workload("0.3", keys=252_000),
    Workload("1.0", keys=None),
)
FORMS = (
    Workload("product events, 12 leaves", keys=252_000, topic="usage.events"),
    Workload("requests, 100 a record", keys=252_000, together=100),
)

Message = tuple[str, bytes]
"""Tenant to key by, value."""


class Stream:
    """A seeded stream of one kind of workload."""

    def __init__(self, workload: Workload, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._message = self._request if workload.topic == TOPIC else self._product_event
        self._run = random.Random(time.time_ns()).getrandbits(32)  # ids differ from run to run
        shares = 1 / np.arange(1, workload.tenants + 1)
        shares /= shares.sum()
        self._cumulated = np.cumsum(shares)
        users = workload.keys
        self._users = None if users is None else np.maximum(1, np.rint(users * shares))
        self._serial = 0

    def blocks(self, events: int, first_ms: int) -> Iterator[list[Message]]:
        """Yield events whose times run on from ``first_ms``, EVENTS_PER_SECOND of them a second."""
        while events > 0:
            count = min(events, _BLOCK)
            passed = np.arange(self._serial, self._serial + count) * 1000 // EVENTS_PER_SECOND
            yield self._block((first_ms + passed).tolist())
            events -= count

    def at_once(self, events: int) -> list[Message]:
        """Return events of this moment."""
        return self._block([time.time_ns() // 1_000_000] * events)

    def _block(self, times_ms: list[int]) -> list[Message]:
        draw, count = self._random, len(times_ms)
        tenants = np.searchsorted(self._cumulated, draw.random(count))
        tenants = np.minimum(tenants, len(self._cumulated) - 1)
        serials = np.arange(self._serial, self._serial + count)
        self._serial += count
        users = serials
        if self._users is not None:
            users = (draw.random(count) * self._users[tenants]).astype(np.int64)
        columns = (
            serials,
            tenants,
            users,
            draw.random(count),
            draw.exponential(800, count),
            draw.integers(10, 8000, count),
            draw.integers(1, 2000, count),
            draw.random(count) / 10,
        )
        rows = zip(times_ms, *(column.tolist() for column in columns), strict=True)
        return [self._message(*row) for row in rows]

    def _request(
        self,
        at_ms: int,
        serial: int,
        tenant: int,
        user: int,
        luck: float,
        duration: float,
        read: int,
        written: int,
        cost: float,
    ) -> Message:
        value = _TEMPLATE % (
            self._run,
            serial,
            tenant,
            _second(at_ms // 1000),
            at_ms % 1000,
            _OPERATIONS[user % 3],
            _MODELS[user % 4],
            200 if luck < 0.97 else 429,
            duration,
            user % 5_000,
            user,
            user % 37,
            user % 11,
            read,
            written,
            cost,
        )
        return f"tenant-{tenant:05d}", value.encode()

    def _product_event(
        self,
        at_ms: int,
        serial: int,
        tenant: int,
        user: int,
        luck: float,
        duration: float,
        size: int,
        seats: int,
        amount: float,
    ) -> Message:
        value = _PRODUCT_EVENT % (
            self._run,
            serial,
            tenant,
            _second(at_ms // 1000),
            at_ms % 1000,
            _NAMES[serial % 3],
            user,
            _PLANS[user % 3],
            seats,
            amount * 1000,
            "true" if luck < 0.1 else "false",
            _COUNTRIES[user % 4],
            serial % 300,
            duration,
            _BROWSERS[user % 3],
            size,
        )
        return f"tenant-{tenant:05d}", value.encode()


_seconds: dict[int, str] = {}


def _second(epoch: int) -> str:
    text = _seconds.get(epoch)
    if text is None:
        text = _seconds[epoch] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch))
    return text


def partition_of(tenant: str, partitions: int) -> int:
    """Producers key by tenant, so the partitions are as uneven as the tenants are."""
    return zlib.crc32(tenant.encode()) % partitions


def producer(servers: str, **config: str | int) -> Producer:
    """Return a producer of lz4 batches."""
    return Producer(
        {
            "bootstrap.servers": servers,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "log_level": 2,
        }
        | config
    )


class Sender:
    """Sends messages to a topic, keyed by tenant."""

    def __init__(self, servers: str, topic: str, partitions: int, **config: str | int) -> None:
        self._producer = producer(servers, **config)
        self._topic, self._partitions = topic, partitions
        self.headers = HEADERS

    def send(self, messages: list[Message]) -> None:
        produce, topic, partitions = self._producer.produce, self._topic, self._partitions
        headers = self.headers
        for tenant, value in messages:
            partition = partition_of(tenant, partitions)
            while True:
                try:
                    produce(topic, value, tenant, partition, headers=headers)
                except BufferError:  # the broker is slower than we are
                    self._producer.poll(0.05)
                else:
                    break
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        left = self._producer.flush(120)
        assert not left, f"{left} records did not reach the broker"

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Send within a transaction; what was sent is there to be read behind the block."""
        self._producer.init_transactions(60)
        self._producer.begin_transaction()
        yield
        self.flush()
        self._producer.commit_transaction(60)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A topic that was filled."""

    topic: str
    prefix: str
    partitions: int
    events: int
    bytes_per_event: float
    rows_per_event: float


def load(servers: str, prefix: str, workload: Workload, events: int, partitions: int) -> Loaded:
    """Fill a topic, which must exist."""
    topic, together = prefix + workload.topic, workload.together
    sender = Sender(servers, topic, partitions)
    if together > 1:
        sender.headers = BATCH_HEADERS
    first_ms = time.time_ns() // 1_000_000 - events * 1000 // EVENTS_PER_SECOND
    size, rows = 0, _Rows()
    for block in Stream(workload).blocks(events, first_ms):
        size += sum(len(value) for _, value in block)
        rows.add(block)
        sender.send(block if together == 1 else list(_batches(block, together, partitions)))
    sender.flush()
    return Loaded(topic, prefix, partitions, events, size / events, rows.per_event)


def _batches(block: list[Message], together: int, partitions: int) -> Iterator[Message]:
    """The events of each partition's tenants, so many in each record; fewer in a block's last."""
    by_partition: dict[int, list[Message]] = {}
    for tenant, value in block:
        by_partition.setdefault(partition_of(tenant, partitions), []).append((tenant, value))
    for some in by_partition.values():
        for n in range(0, len(some), together):
            values = [value for _, value in some[n : n + together]]
            yield some[n][0], b"[" + b",".join(values) + b"]"


class _Rows:
    """Counts the distinct keys among the first events of one of 8 partitions."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._events = 0

    def add(self, block: list[Message]) -> None:
        for tenant, value in block:
            if self._events < 100_000 and partition_of(tenant, 8) == 0:
                self._events += 1
                minute = value.split(b'"time":"', 1)[1][:16]
                user = value.split(b'"user_id":"', 1)[1][:13]  # decides all but the tenant
                self._keys.add(tenant.encode() + minute + user)

    @property
    def per_event(self) -> float:
        return len(self._keys) / max(1, self._events)
