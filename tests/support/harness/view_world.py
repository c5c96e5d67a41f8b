"""A seeded year of thirteen months for the views: every kind of event, most at awkward instants.

What it sends is not remembered: what it must come to is read from the log (`entries`).
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from confluent_kafka import Producer

from tests.support.contract.events import TYPES
from tests.support.harness.produce import BATCH, STRUCTURED
from tests.support.harness.recount import Log
from tests.support.oracle.log import ENTITIES, EVENTS, RECIPE_ACTIONS, REQUESTS, Entry

ZONES = (
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/New_York",
    "Pacific/Apia",
    "UTC",
)
FIRST, LAST = datetime(2024, 2, 10, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC)
CHANGES = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2024-03-10T07:00:00+00:00",  # New York, and half an hour on St John's: 05:30
        "2024-03-10T05:30:00+00:00",
        "2024-11-03T06:00:00+00:00",
        "2024-11-03T04:30:00+00:00",
        "2025-03-09T07:00:00+00:00",
        "2024-04-06T15:00:00+00:00",  # Lord Howe, by half an hour
        "2024-10-05T15:30:00+00:00",
    )
)
"""When clocks are changed within the thirteen months."""

LONG_AGO = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2020-10-01T00:00:00+00:00",  # the first that is available, and where it begins elsewhere
        "2020-09-30T18:30:00+00:00",
        "2020-09-30T11:00:00+00:00",
        "2020-10-01T04:00:00+00:00",
        "2011-12-30T10:00:00+00:00",  # Apia had no 30 December that year
        "2011-12-29T10:00:00+00:00",
    )
)
TENANTS = ("acme", 'o\'brien "&" söhne\\n', "Zeta", "alpha", "beta", "gamma", "delta", "eps")
ADMIN, UNREGISTERED = "partner", "stranger"
MILLISECOND = timedelta(milliseconds=1)
_OPERATIONS = ("chat", "chat", "text_completion", "generate_content", "embeddings", "rerank")
_COSTS = (None, 0, 0.0125, "0.000123456", "1.5e-7", 3, "12.0000000005", "0.1234567895", "999999999")
_NAMES = ("Ann", "Bob", "Äsa", None, "", "x" * 40, 17, {"first": "A", "last": [1, None]})


@dataclass(frozen=True)
class Message:
    """One record to be sent; its events may be several."""

    topic: str
    partition: int
    timestamp: int
    events: list[dict[str, Any]]


@dataclass
class ViewWorld:
    """Makes messages by a seed."""

    seed: int
    partitions: int = 2
    duplicates: float = 0.0
    first: datetime = FIRST
    last: datetime = LAST
    _random: random.Random = field(init=False)
    _serial: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def messages(self, count: int) -> list[Message]:
        """About so many events, in the order of their records' timestamps."""
        found = [*self._registration(), *self._recommendations()]
        while self._serial < count:
            found.append(self._message())
            if found[-1].topic == ENTITIES and self._random.random() < 0.3:
                found.append(self._rival(found[-1]))
            if self._random.random() < self.duplicates:
                found.append(self._again(self._random.choice(found[-200:])))
        return sorted(found, key=lambda one: one.timestamp)

    def _again(self, message: Message) -> Message:
        """Send the same events once more, to the same partition, up to an hour later."""
        later = message.timestamp + self._random.randrange(3_600_000)
        return Message(message.topic, message.partition, later, message.events)

    def _rival(self, message: Message) -> Message:
        """Another state of the same thing at the same time, in any partition, about as late."""
        [event, *_] = message.events
        at = datetime.fromisoformat(event["time"])
        data = {name: event["data"][name] for name in ("entity", "entity_id")}
        if data["entity"] == "tenant":
            data["attributes"] = self._tenant_is(event["subject"])
        else:
            data["attributes"] = self._attributes(data["entity"])
        rival = self._envelope(ENTITIES, event["subject"], at, data)
        later = message.timestamp + self._random.choice((0, 0, 3000, -3000))
        return Message(ENTITIES, self._random.randrange(self.partitions), later, [rival])

    # Instants --------------------------------------------------------------------------------

    def instant(self) -> datetime:
        """Any, or one within milliseconds of a boundary of some zone."""
        pick = self._random.random()
        if pick < 0.01:
            return self._random.choice(LONG_AGO) + MILLISECOND * self._random.choice((-1, 0))
        if pick < 0.35:
            return self._anywhere()
        if pick < 0.5:
            at = self._random.choice(CHANGES) + timedelta(
                minutes=15 * self._random.randrange(-9, 9)
            )
        elif pick < 0.6:
            at = self._anywhere().replace(minute=0, second=0, microsecond=0)
            at += timedelta(minutes=15 * self._random.randrange(4))
        else:
            at = self._midnight()
        at += MILLISECOND * self._random.choice((-1, 0, 1, -60_000, 59_999, 60_000, -900_000))
        return min(max(at, self.first), self.last)

    def _anywhere(self) -> datetime:
        span = (self.last - self.first) // MILLISECOND
        return self.first + MILLISECOND * self._random.randrange(span)

    def _midnight(self) -> datetime:
        """The beginning of a day, or of a month, in a zone."""
        day = self._anywhere().date()
        if self._random.random() < 0.5:
            day = date(day.year, day.month, 1)
        zone = ZoneInfo(self._random.choice(ZONES))
        return datetime.combine(day, time(), zone).astimezone(UTC)

    # Records ---------------------------------------------------------------------------------

    def _message(self) -> Message:
        pick = self._random.random()
        topic = (
            REQUESTS
            if pick < 0.55
            else RECIPE_ACTIONS
            if pick < 0.82
            else EVENTS
            if pick < 0.88
            else ENTITIES
        )
        at = self.instant()
        tenant = self._tenant()
        events = [self._event(topic, tenant, at)]
        if self._random.random() < 0.04:
            at_again = at if self._random.random() < 0.5 else self.instant()
            events.append(self._event(topic, tenant, at_again))
        return Message(topic, self._partition(tenant), self._arrival(at), events)

    def _tenant(self) -> str:
        pick = self._random.random()
        if pick < 0.3:
            return TENANTS[0]
        if pick < 0.38:
            return self._random.choice((ADMIN, UNREGISTERED))
        return self._random.choice(TENANTS)

    def _partition(self, tenant: str) -> int:
        if self._random.random() < 0.1:
            return self._random.randrange(self.partitions)
        return zlib.crc32(tenant.encode()) % self.partitions

    def _arrival(self, at: datetime) -> int:
        """The record's timestamp: soon, late by up to 400 days, or up to ten minutes before."""
        ms = (at - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
        day = 86_400_000
        delay = self._random.choice(
            (0, 1500, 2000, 3000, 60_000, 3_600_000, 40 * day, 400 * day, 400 * day + 1)
            + (-500, -600_000, -600_001)
            + (700,) * 40
        )
        return ms + delay

    def _event(self, topic: str, tenant: str, at: datetime) -> dict[str, Any]:
        if topic == ENTITIES:
            return self._envelope(topic, tenant, at, self._entity(tenant))
        make = {
            REQUESTS: self._request,
            RECIPE_ACTIONS: self._action,
            EVENTS: self._product_event,
        }
        return self._envelope(topic, tenant, at, make[topic]())

    def _envelope(
        self, topic: str, tenant: str, at: datetime, data: dict[str, Any]
    ) -> dict[str, Any]:
        self._serial += 1
        if topic == ENTITIES and data["entity"] in ("model", "app"):
            tenant = "*"
        return {
            "specversion": "1.0",
            "id": str(self._serial),
            "source": "//test/views",
            "type": TYPES[topic],
            "subject": tenant,
            "time": at.isoformat(timespec="milliseconds"),
            "data": data,
        }

    # What happens ----------------------------------------------------------------------------

    def _request(self) -> dict[str, Any]:
        pick, number = self._random.choice, self._random.randrange
        duration = self._random.lognormvariate(5, 1.5)
        data: dict[str, Any] = {
            "operation": pick(_OPERATIONS),
            "model": f"model-{number(7)}",
            "status_code": pick((200, 200, 200, 302, 399, 400, 429, 500)),
            "duration_ms": pick((round(duration, 3), round(duration, 5), round(duration), 0)),
            "token_id": pick(("", None, *(f"token-{n}" for n in range(6)))),
            "user_id": pick(("", None, *(f"user-{n}" for n in range(25)))),
            "team_id": pick((None, *(f"team-{n}" for n in range(4)))),
            "agent_id": pick((None, *(f"agent-{n}" for n in range(4)))),
            "input_tokens": number(10_000),
            "output_tokens": number(3_000),
            "cache_read_input_tokens": number(500),
            "cost": pick(_COSTS),
        }
        if not number(3):
            data |= {"cache_creation_input_tokens": number(99), "reasoning_output_tokens": 7}
        if not number(4):
            data["currency"] = pick(("EUR", "JPY"))
        if not number(9):
            data["input_tokens"] = data["output_tokens"] = None
        elif not number(9):
            data[pick(("input_tokens", "output_tokens"))] = None
        return {name: value for name, value in data.items() if value is not None or number(2)}

    def _action(self) -> dict[str, Any]:
        pick, number = self._random.choice, self._random.randrange
        return {
            "recipe_id": f"recipe-{number(8)}",
            "job_id": f"job-{number(99)}",
            "step": number(30),
            "kind": pick(("trigger", "control", "action", "action", "call")),
            "outcome": pick(("succeeded", "succeeded", "succeeded", "failed", "skipped")),
            "items": number(1, 200),
            "rerun": not number(20),
        }

    def _product_event(self) -> dict[str, Any]:
        return {
            "name": self._random.choice(("login", "export")),
            "user_id": f"user-{self._random.randrange(9)}",
            "properties": {"n": self._random.randrange(9)},
        }

    # What exists -----------------------------------------------------------------------------

    def _registration(self) -> Iterator[Message]:
        """Most tenants exist from the beginning, so that later events meet something."""
        for n, tenant in enumerate((*TENANTS[:-1], ADMIN)):
            at = self.first + timedelta(days=3 * n)
            data = {"entity": "tenant", "entity_id": tenant, "attributes": self._tenant_is(tenant)}
            event = self._envelope(ENTITIES, tenant, at, data)
            yield Message(ENTITIES, self._partition(tenant), self._arrival_on_time(at), [event])

    def _arrival_on_time(self, at: datetime) -> int:
        return (at - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND

    def _entity(self, tenant: str) -> dict[str, Any]:
        pick, number = self._random.choice, self._random.randrange
        kinds = ("tenant", "user", "team", "agent", "service_account", "app", "token", "model")
        entity = pick((*kinds, "recipe", "connection", "connection", "recipe", "user"))
        if entity == "tenant" and tenant == UNREGISTERED:
            entity = "user"
        many = {"user": 30, "recipe": 10, "connection": 12, "token": 7, "model": 8}.get(entity, 5)
        name = f"{entity}-{number(many)}" if entity != "tenant" else tenant
        if entity in ("recipe", "connection"):
            name = f"{name}" if entity == "connection" else f"recipe-{number(many)}"
        data: dict[str, Any] = {"entity": entity, "entity_id": name}
        if self._random.random() < 0.15:
            data["deleted"] = True
            if self._random.random() < 0.6:
                return data
        attributes = self._tenant_is(tenant) if entity == "tenant" else self._attributes(entity)
        return data | {"attributes": attributes}

    def _tenant_is(self, tenant: str) -> dict[str, Any]:
        pick = self._random.choice
        kind = "admin" if tenant == ADMIN else pick(("customer", "customer", None))
        return {
            "name": pick(_NAMES),
            "kind": kind,
            "external_id": pick((f"ext-{tenant}", None)),
            "subscription": pick(("active", "expired")),
            "timezone": pick((*ZONES, None)),
            "billing_anchor_day": pick((1, 15, 28, 29, 30, 31, None)),
            "more": {"a": [1, 2]},
        }

    def _attributes(self, entity: str) -> dict[str, Any]:
        pick, number = self._random.choice, self._random.randrange
        attributes: dict[str, Any] = {"name": pick(_NAMES)}
        if entity == "user":
            attributes["email"] = pick((f"u{number(99)}@example.com", None))
            attributes |= {"role": "member", "team_id": pick(("team-1", "team-9", None))}
        if entity == "token":
            attributes["owner_user_id"] = pick((f"user-{number(30)}", None))
            attributes["service_account_id"] = pick((f"service_account-{number(6)}", None))
        if entity == "recipe":
            attributes["status"] = pick(("running", "running", "stopped", None))
            attributes["recommended"] = pick((False, None))
            attributes["cloned_from"] = pick((None, *(f"best-{n}" for n in range(8))))
        if entity == "connection":
            attributes = {
                "app": pick((None, *(f"app-{n}" for n in range(6)))),
                "status": pick(("connected", "connected", "connected", "disconnected", None)),
            }
        return attributes

    def _recommendations(self) -> Iterator[Message]:
        """The partner's recipes that customers clone; some stop being recommended."""
        for n in range(8):
            for recommended in (True, True) if n < 6 else (True, False):
                at = self.first + timedelta(days=1 + self._random.randrange(300))
                attributes = {"name": f"Best {n}", "recommended": recommended, "status": "running"}
                data = {"entity": "recipe", "entity_id": f"best-{n}", "attributes": attributes}
                event = self._envelope(ENTITIES, ADMIN, at, data)
                yield Message(ENTITIES, self._partition(ADMIN), self._arrival_on_time(at), [event])


def send(messages: list[Message], servers: str, prefix: str) -> None:
    """Send them, each with its own timestamp, and wait for the broker."""
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
            "log_level": 2,
        }
    )
    for one in messages:
        single = len(one.events) == 1
        producer.produce(
            prefix + one.topic,
            value=json.dumps(one.events[0] if single else one.events, ensure_ascii=False).encode(),
            partition=one.partition,
            headers=STRUCTURED if single else BATCH,
            timestamp=one.timestamp,
        )
        producer.poll(0)
    left = producer.flush(60)
    assert not left, f"{left} records did not reach the broker"


def entries(log: Log, prefix: str) -> Iterator[Entry]:
    """The entries of a log, as the oracle wants them."""
    for (topic, partition), part in sorted(log.items()):
        for record in part.records:
            assert record.value is not None
            value = json.loads(record.value)
            for element, event in enumerate(value if isinstance(value, list) else [value]):
                yield Entry(
                    topic.removeprefix(prefix),
                    partition,
                    record.offset,
                    record.timestamp,
                    event,
                    element,
                )


def rows_in_memory(messages: list[Message]) -> list[Entry]:
    """The log that messages come to, without a broker: each partition's in their order."""
    ends: dict[tuple[str, int], int] = {}
    found = []
    for one in messages:
        offset = ends.get((one.topic, one.partition), 0)
        ends[one.topic, one.partition] = offset + 1
        for element, event in enumerate(one.events):
            found.append(Entry(one.topic, one.partition, offset, one.timestamp, event, element))
    return found
