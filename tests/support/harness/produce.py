"""Mixed events into the source topics, fast and by a seed.

Nothing that is sent is remembered: what it must come to is read from the log (`recount`).
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Producer

from tests.support.contract.events import TYPES
from tests.support.harness.repeats import Repeats
from tests.support.harness.things import entity, product_event

REQUESTS = "usage.requests"
RECIPE_ACTIONS = "usage.recipe-actions"
EVENTS = "usage.events"
ENTITIES = "usage.entities"
_PAIR = (REQUESTS, REQUESTS, RECIPE_ACTIONS)
MIX = (*_PAIR, EVENTS, *_PAIR, ENTITIES, REQUESTS, RECIPE_ACTIONS)
"""The topics, in turn."""

Event = dict[str, Any]
Headers = list[tuple[str, str | bytes | None]]
Message = tuple[bytes | None, Headers]

STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
BATCH: Headers = [("content-type", b"application/cloudevents-batch+json")]

_OPERATIONS = ("chat", "chat", "text_completion", "generate_content", "embeddings", "rerank")
_MODELS = ("gpt-4o", "claude-sonnet", "llama-3-70b", "text-embedding-3")
_APPS = ("salesforce", "slack", "netsuite", "jira", None)
_KINDS = ("trigger", "control", "action", "action", "action", "call")
_OUTCOMES = ("succeeded", "succeeded", "succeeded", "failed", "skipped")
_COSTS = (None, "0.000123456", 0.0125, "1.5e-7", 3, "12.0000000005", "0.1234567895")


class Traffic:
    """A seeded stream of events: most of them good, a few of every bad kind.

    ``bad`` is the share of records that are rejected or skipped, ``again`` of those whose events
    were sent before (`Repeats`). Event times spread over the hours before now, some days back, so
    that every resolution has many rows.
    """

    def __init__(
        self, seed: int, *, tenants: int = 40, bad: float = 0.02, again: float = 0.06
    ) -> None:
        self._random = random.Random(seed)
        self._tenants = [f"tenant-{n:03d}" for n in range(tenants)]
        self._bad = bad
        self._again = again
        self._repeats: dict[str, Repeats] = defaultdict(lambda: Repeats(self._random))
        self._serial = 0
        self._name = f"//test/{seed}"

    def message(self, kind: str, now: float) -> tuple[str, bytes | None, Headers]:
        """Return (tenant to key by, value, headers) of one record for a topic; ``now`` epoch s."""
        repeats = self._repeats[kind]
        again = repeats.again() if self._random.random() < self._again else None
        tenant = again[0] if again else self._tenant()
        event = again[1] if again else self._event(kind, tenant, now)
        draw = self._random.random()
        if draw < self._bad:
            repeats.refused(tenant, event)
            return tenant, *self._random.choice(_BAD)(self, event)
        repeats.sent(tenant, event)
        if draw < self._bad + 0.05:
            return tenant, *_binary(event)
        if draw < self._bad + 0.06:
            return tenant, repeats.batch(event), BATCH
        if draw < self._bad + 0.08:
            events = [event, *(self._event(kind, self._tenant(), now) for _ in range(2))]
            return tenant, json.dumps(events).encode(), BATCH
        value = json.dumps(event, ensure_ascii=False).encode()
        return tenant, value, STRUCTURED if draw < 0.9 else []

    def _tenant(self) -> str:
        return self._tenants[int(self._random.paretovariate(1.1)) % len(self._tenants)]

    def _event(self, kind: str, tenant: str, now: float) -> Event:
        self._serial += 1
        event: Event = {
            "specversion": "1.0",
            "id": f"{self._serial}",
            "source": self._name,
            "type": TYPES[kind],
            "subject": tenant,
            "data": self._data(kind, tenant),
        }
        if event["data"].get("entity") in ("model", "app"):
            event["subject"] = "*"
        if self._random.random() < 0.97:  # else: the record's timestamp is the event's time
            event["time"] = self._time(now)
        return event

    def _time(self, now: float) -> str:
        late = self._random.random() < 0.05
        back = self._random.uniform(0, 15 * 86400 if late else 3 * 3600)
        zone = self._random.choice(("Z", "+00:00", "+05:45", "-03:30"))
        shift = {"Z": 0, "+00:00": 0, "+05:45": 345, "-03:30": -210}[zone]
        at = datetime.fromtimestamp(now - back, UTC) + timedelta(minutes=shift)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + zone

    def _data(self, kind: str, tenant: str) -> Event:
        if kind == EVENTS:
            return product_event(self._random)
        if kind == ENTITIES:
            return entity(self._random, tenant)
        return self._request() if kind == REQUESTS else self._action()

    def _request(self) -> Event:
        pick, number = self._random.choice, self._random.randrange
        data: Event = {
            "operation": pick(_OPERATIONS),
            "model": pick(_MODELS),
            "status_code": pick((200, 200, 200, 201, 400, 429, 500)),
            "duration_ms": pick((number(1, 90000), number(10**9) / 10**6, 0, 12.0005)),
            "token_id": f"tok-{number(5)}",
            "user_id": pick((f"user-{number(20)}", f"üser-{number(9)}", "", None)),
            "team_id": f"team-{number(4)}",
            "input_tokens": number(10000),
            "output_tokens": number(3000),
            "provider": "any",
        }
        if number(3):
            data |= {"agent_id": f"agent-{number(3)}", "cache_read_input_tokens": number(500)}
        if not number(4):
            data |= {"cache_creation_input_tokens": number(99), "reasoning_output_tokens": 7}
        cost = pick(_COSTS)
        if cost is not None:
            data["cost"] = cost
        if not number(5):
            data["currency"] = pick(("EUR", "JPY"))
        return data

    def _action(self) -> Event:
        pick, number = self._random.choice, self._random.randrange
        return {
            "recipe_id": f"recipe-{number(12)}",
            "job_id": f"job-{number(10**9)}",
            "step": pick((number(30), f"step {number(30)}")),
            "kind": pick(_KINDS),
            "outcome": pick(_OUTCOMES),
            "app": pick(_APPS),
            "items": number(1, 200),
            "rerun": not number(20),
            "duration_ms": number(60000),
        }


def _binary(event: Event) -> Message:
    attributes: Headers = [
        (f"ce_{name}", str(value).encode()) for name, value in event.items() if name != "data"
    ]
    value = json.dumps(event["data"]).encode()
    return value, [("content-type", b"application/json"), *attributes]


def _structured(event: Event) -> Message:
    return json.dumps(event).encode(), STRUCTURED


def _without(event: Event, name: str) -> Event:
    return {k: v for k, v in event.items() if k != name}


def _with_data(event: Event, **data: Any) -> Event:
    return event | {"data": event["data"] | data}


def _batch_with_a_bad_element(_: Traffic, event: Event) -> Message:
    return json.dumps([event, 17, _without(event, "source")]).encode(), BATCH


def _shifted(event: Event, **by: float) -> Event:
    return event | {"time": (datetime.now(UTC) + timedelta(**by)).isoformat()}


_BAD: tuple[Callable[[Traffic, Event], Message], ...] = (
    lambda t, e: (None, []),
    lambda t, e: (b"", []),
    lambda t, e: (b"not json", STRUCTURED),
    lambda t, e: (b'{"id": "\xff\xfe"}', []),
    lambda t, e: (b"[" * 40 + b"]" * 40, []),
    lambda t, e: (b'{"id": NaN}', []),
    lambda t, e: (b"[]", BATCH),
    lambda t, e: (b"{}", BATCH),
    _batch_with_a_bad_element,
    lambda t, e: _structured(_without(e, "id")),
    lambda t, e: _structured(_without(e, "subject")),
    lambda t, e: _structured(_without(e, "data")),
    lambda t, e: _structured(e | {"specversion": "0.3"}),
    lambda t, e: _structured(e | {"source": "s" * 257}),
    lambda t, e: _structured(e | {"time": "2026-02-30T00:00:00Z"}),
    lambda t, e: _structured(e | {"subject": "*"}),
    lambda t, e: _structured(e | {"type": "usage.unheard_of.v1"}),
    lambda t, e: _structured(_with_data(e, duration_ms=-1)),
    lambda t, e: _structured(_with_data(e, duration_ms="5")),
    lambda t, e: _structured(_shifted(e, hours=1)),
    lambda t, e: _structured(_shifted(e, days=-500)),
)


class Sender:
    """Sends messages to one partition or spread by tenant; `flush` waits for the broker."""

    def __init__(self, servers: str, prefix: str, partitions: int, **config: Any) -> None:
        self._prefix = prefix
        self._partitions = partitions
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "compression.type": "lz4",
                "linger.ms": 5,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 500000,
                "message.max.bytes": 2097152,
                "log_level": 2,
            }
            | config
        )

    @property
    def producer(self) -> Producer:
        """The client itself, for transactions."""
        return self._producer

    def send(
        self,
        kind: str,
        tenant: str,
        value: bytes | None,
        headers: Headers = STRUCTURED,
        partition: int | None = None,
    ) -> None:
        """Send one record to a topic (named without prefix)."""
        if partition is None:
            partition = zlib.crc32(tenant.encode()) % self._partitions
        topic = self._prefix + kind
        self._producer.produce(
            topic, value=value, key=tenant.encode(), headers=headers, partition=partition
        )
        self._producer.poll(0)

    def send_traffic(self, traffic: Traffic, records: int) -> None:
        """Send that many records, half of them requests, and wait for the broker."""
        now = time.time()
        for n in range(records):
            kind = MIX[n % len(MIX)]
            self.send(kind, *traffic.message(kind, now))
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything."""
        left = self._producer.flush(60)
        assert not left, f"{left} records did not reach the broker"
