"""From the log to what counts: which events are duplicates or off in time, what the others say.

The events are expected to be valid but for their time: whether one is valid is a question of its
own, which `tests/support/contract/events.py` answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

REQUESTS = "usage.requests"
RECIPE_ACTIONS = "usage.recipe-actions"
EVENTS = "usage.events"
ENTITIES = "usage.entities"
DEFINITIONS = "usage.metric-definitions"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000
TOO_EARLY = 10 * MINUTE
TOO_LATE = 400 * 24 * 60 * MINUTE
WINDOW = 1_000_000
NANO = Decimal("0.000000001")
MICRO = Decimal("0.001")


class Entry(NamedTuple):
    """One event where it stands in the log; of a batch, ``element`` counts from 0."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    event: dict[str, Any]
    element: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    tenant: str
    time: int
    user: str
    team: str
    agent: str
    token: str
    model: str
    operation: str
    failed: bool
    duration_us: int
    input: int
    output: int
    cache_read: int
    cache_creation: int
    reasoning: int
    is_unmetered: bool
    cost: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class Action:
    tenant: str
    time: int
    recipe: str
    is_task: bool
    app: str
    failed: bool


@dataclass(frozen=True, slots=True)
class ProductEvent:
    tenant: str
    time: int
    name: str
    user: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """One accepted definition of a user-defined metric."""

    metric_id: str
    version: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What one event says of one entity."""

    tenant: str
    entity: str
    id: str
    time: int
    arrival: int
    partition: int
    offset: int
    element: int
    deleted: bool
    attributes: dict[str, Any]


class Outcome(NamedTuple):
    """What became of one event."""

    topic: str
    partition: int
    timestamp: int
    tenant: str
    type: str
    outcome: str
    reason: str
    time: int


@dataclass
class Facts:
    """Everything that counts, and what became of each event."""

    requests: list[Request] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    products: list[ProductEvent] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    """The newest of each metric."""
    outcomes: list[Outcome] = field(default_factory=list)


def read(log: Iterable[Entry], window: int = WINDOW) -> Facts:
    """Read a whole log.

    An event is a duplicate if its id stood at most ``window`` offsets before (0: none is).
    """
    facts = Facts()
    seen: dict[tuple[str, int, str, str, str], tuple[int, str]] = {}
    for entry in sorted(log, key=lambda e: (e.topic, e.partition, e.offset, e.element)):
        time = instant(entry.event["time"]) if entry.event.get("time") else entry.timestamp
        outcome, reason = "counted", ""
        if time > entry.timestamp + TOO_EARLY:
            outcome, reason = "rejected", "too_early"
        elif time < entry.timestamp - TOO_LATE:
            outcome, reason = "rejected", "too_late"
        elif window:
            event = entry.event
            names = (event["subject"], event["source"], event["id"])
            key = (entry.topic, entry.partition, *names)
            sent = json.dumps(event["data"], default=str)
            before = seen.get(key)
            seen[key] = entry.offset, sent
            if before is not None and entry.offset - before[0] <= window:
                outcome, reason = "duplicate", "" if before[1] == sent else "conflict"
        tenant, type_ = entry.event["subject"], entry.event["type"]
        source = (entry.topic, entry.partition, entry.timestamp, tenant, type_)
        facts.outcomes.append(Outcome(*source, outcome, reason, time))
        if outcome == "counted":
            _add(facts, entry, time)
    return facts


def instant(text: str) -> int:
    """RFC 3339 to epoch milliseconds; what is finer is cut off."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def _add(facts: Facts, entry: Entry, time: int) -> None:
    tenant, data = entry.event["subject"], entry.event["data"]
    if entry.topic == REQUESTS:
        facts.requests.append(_request(tenant, time, data))
    elif entry.topic == RECIPE_ACTIONS:
        facts.actions.append(_action(tenant, time, data))
    elif entry.topic == EVENTS:
        facts.products.append(
            ProductEvent(
                tenant,
                time,
                data["name"],
                data.get("user_id") or "",
                data.get("properties") or {},
            )
        )
    elif entry.topic == DEFINITIONS:
        before = facts.definitions.get(data["metric_id"])
        version = 1 if before is None else before.version + 1
        facts.definitions[data["metric_id"]] = Definition(data["metric_id"], version, data)
    else:
        facts.changes.append(
            Change(
                tenant,
                data["entity"],
                data["entity_id"],
                time,
                entry.timestamp,
                entry.partition,
                entry.offset,
                entry.element,
                data.get("deleted") or False,
                {k: v for k, v in (data.get("attributes") or {}).items() if v is not None},
            )
        )


def is_task(data: dict[str, Any]) -> bool:
    """Rule set v1: an action, or a call of another recipe, that succeeded; however many items."""
    return data["kind"] in ("action", "call") and data["outcome"] == "succeeded"


def _action(tenant: str, time: int, data: dict[str, Any]) -> Action:
    app, failed = data.get("app") or "", data["outcome"] == "failed"
    return Action(tenant, time, data["recipe_id"], is_task(data), app, failed)


def _request(tenant: str, time: int, data: dict[str, Any]) -> Request:
    cost = data.get("cost")
    duration = Decimal(str(data["duration_ms"])).quantize(MICRO, ROUND_HALF_EVEN)
    return Request(
        tenant=tenant,
        time=time,
        user=data.get("user_id") or "",
        team=data.get("team_id") or "",
        agent=data.get("agent_id") or "",
        token=data.get("token_id") or "",
        model=data["model"],
        operation=data["operation"],
        failed=data["status_code"] >= 400,
        duration_us=int(duration * 1000),
        input=data.get("input_tokens") or 0,
        output=data.get("output_tokens") or 0,
        cache_read=data.get("cache_read_input_tokens") or 0,
        cache_creation=data.get("cache_creation_input_tokens") or 0,
        reasoning=data.get("reasoning_output_tokens") or 0,
        is_unmetered=data.get("input_tokens") is None and data.get("output_tokens") is None,
        cost=None if cost is None else Decimal(str(cost)).quantize(NANO, ROUND_HALF_EVEN),
        currency="" if cost is None else data.get("currency") or "USD",
    )
