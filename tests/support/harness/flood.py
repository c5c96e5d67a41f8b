"""Millions of small requests, as fast as one producer can, whose sums are known beforehand.

The sums are worked out from the numbers of the events, by nothing of the program's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from confluent_kafka import Producer

from pipeline.clickhouse.client import Store
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import Scene

TENANTS = 50
TOKENS = 997
"""Event n is of tenant n % `TENANTS` and read n % `TOKENS` tokens; both have no common factor."""
_EVENT = (
    b'{"specversion":"1.0","id":"%d","source":"//flood","type":"usage.request.v1",'
    b'"subject":"tenant-%02d","time":"%s","data":{"operation":"chat","model":"m",'
    b'"status_code":200,"duration_ms":5,"input_tokens":%d,"output_tokens":1}}'
)
_POLL_EVERY = 2000

Sums = dict[str, tuple[int, int, int]]
"""By tenant: requests, input tokens, output tokens."""


class Flood:
    """A stream of events into a scene's requests, numbered from 0 on."""

    def __init__(self, scene: Scene) -> None:
        self.sent = 0
        self._topic = scene.topic(REQUESTS)
        self._partitions = scene.partitions
        self._producer = Producer(
            {
                "bootstrap.servers": scene.kafka.servers,
                "compression.type": "lz4",
                "linger.ms": 20,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 200_000,
                "log_level": 2,
            }
        )

    def send(self, events: int) -> None:
        """Send so many more and wait until the broker has them."""
        self._produce(events)
        left = self._producer.flush(120)
        assert not left, f"{left} records did not reach the broker"

    def send_at(self, events_per_second: int, until: float) -> None:
        """Send at a steady rate until an instant of the monotonic clock."""
        begun, before = time.monotonic(), self.sent
        while (now := time.monotonic()) < until:
            due = int((now - begun) * events_per_second) - (self.sent - before)
            self._produce(max(0, due))
            self._producer.poll(0.05)
        self.send(0)

    def _produce(self, events: int) -> None:
        topic, partitions, produce = self._topic, self._partitions, self._producer.produce
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        for n in range(self.sent, self.sent + events):
            if not n % _POLL_EVERY:
                self._make_room()
            value = _EVENT % (n, n % TENANTS, at, n % TOKENS)
            produce(topic, value, partition=n // _POLL_EVERY % partitions)
        self.sent += events

    def _make_room(self) -> None:
        while len(self._producer) > 100_000:
            self._producer.poll(0.1)
        self._producer.poll(0)

    def sums(self) -> Sums:
        """Return what the events sent so far must come to."""
        tokens = [0] * TENANTS
        counts = [0] * TENANTS
        cycle = TENANTS * TOKENS
        for n in range(min(cycle, self.sent)):
            times = (self.sent - n - 1) // cycle + 1  # how many events have this n modulo cycle
            counts[n % TENANTS] += times
            tokens[n % TENANTS] += times * (n % TOKENS)
        return {
            f"tenant-{t:02d}": (counts[t], tokens[t], counts[t])
            for t in range(TENANTS)
            if counts[t]
        }


def stored(store: Store, table: str = "requests_15m") -> Sums:
    """Return what is stored, by tenant."""
    rows = store.query(
        "SELECT tenant, sum(requests), sum(input_tokens), sum(output_tokens) "
        f"FROM {table} GROUP BY tenant"
    )
    return {str(tenant): (int(n), int(read), int(written)) for tenant, n, read, written in rows}


def differences(scene: Scene, flood: Flood) -> Iterator[str]:
    """Yield a line for each sum in the store that is not as the flood was, and for the log."""
    in_log = sum(end for _, end in scene.kafka.bounds(scene.topic(REQUESTS)).values())
    if in_log != flood.sent:
        yield f"the log holds {in_log} records, {flood.sent} were sent"
    due = flood.sums()
    with scene.connect() as store:
        for table in ("requests_15m", "requests_1m"):
            found = stored(store, table)
            wrong = sorted(t for t in {**due, **found} if due.get(t) != found.get(t))
            yield from (f"{table} {t}: due {due.get(t)}, found {found.get(t)}" for t in wrong[:5])


def check(scene: Scene, flood: Flood, within: float = 120) -> None:
    """Wait until all is counted, then compare every sum."""
    scene.await_received(flood.sent, within=within)
    assert scene.received() == flood.sent
    lines = list(differences(scene, flood))
    assert not lines, "\n".join(["not as it was sent:", *lines, scene.tails()])
