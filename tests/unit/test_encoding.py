"""What a Python producer builds: right, or refused before it is sent, as the pipeline would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from pipeline.facts import Rules, reader
from schemas import Entity, ProductEvent, RecipeAction, Request, encoding
from schemas.emit.base import Outbox
from schemas.encoding import InvalidEvent
from tests.support.harness.golden import Record

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=45))


def request(**fields: Any) -> Request:
    given: dict[str, Any] = {
        "operation": "chat",
        "model": "m",
        "status_code": 200,
        "duration_ms": 12.5,
    }
    return Request(**given | fields)


def action(**fields: Any) -> RecipeAction:
    given: dict[str, Any] = {
        "recipe_id": "r",
        "job_id": "j",
        "step": 1,
        "kind": "call",
        "outcome": "failed",
    }
    return RecipeAction(**given | fields)


def chain(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


def encoded(data: Any, **attributes: Any) -> bytes:
    given: dict[str, Any] = {"tenant": "acme", "source": "/s", "time": NOON} | attributes
    return encoding.encode(encoding.event(data, **given))


def rejections(topic: str, value: bytes) -> list[str]:
    one = reader(topic, Rules())
    facts = one.facts()
    at = round(NOON.timestamp() * 1000)
    one.read([Record(value, (("content-type", b"application/cloudevents+json"),), 0, at)], facts)
    return [f"{rejection.reason} {rejection.message}" for rejection in facts.rejections]


@pytest.mark.parametrize(
    ("topic", "data", "tenant"),
    [
        ("usage.requests", request(), "acme"),
        ("usage.requests", request(cost=Decimal("1E-7"), currency="EUR", user_id=""), "acme"),
        ("usage.requests", request(cost=Decimal("999999999.999"), input_tokens=10**10), "acme"),
        ("usage.recipe-actions", action(), "acme"),
        ("usage.recipe-actions", action(step="s", items=5, rerun=True, iteration=0), "acme"),
        ("usage.events", ProductEvent(name="n", properties=chain(8)), "acme"),
        ("usage.entities", Entity(entity="tenant", entity_id="acme"), "acme"),
        ("usage.entities", Entity(entity="model", entity_id="m", deleted=True), "*"),
        ("usage.entities", Entity(entity="user", entity_id="u", attributes=chain(30)), "acme"),
    ],
)
def test_what_is_encoded_counts(topic: str, data: Any, tenant: str) -> None:
    assert rejections(topic, encoded(data, tenant=tenant)) == []
    assert encoding.kind_of(data).topic == topic


@pytest.mark.parametrize(
    ("data", "attributes", "said"),
    [
        (request(status_code=600), {}, "data.status_code"),
        (request(model=""), {}, "data.model"),
        (request(model="x" * 1025), {}, "data.model"),
        (request(duration_ms=float("nan")), {}, "data.duration_ms"),
        (request(duration_ms=-1), {}, "data.duration_ms"),
        (request(input_tokens=5.0), {}, "data.input_tokens"),
        (request(output_tokens=10**10 + 1), {}, "data.output_tokens"),
        (request(cost=Decimal("-0.1")), {}, r"data\.cost is -0\.1"),
        (request(cost=Decimal("1e9")), {}, r"data\.cost"),
        (request(cost=Decimal("NaN")), {}, r"data\.cost"),
        (request(cost=Decimal("0." + "1" * 1023)), {}, "data.cost has 1,025 characters"),
        (request(cost="0." + "1" * 1023), {}, "data.cost has 1,025 characters"),
        (request(cost=1, currency="usd"), {}, "data.currency"),
        (request(cost=1, currency="USD\n"), {}, "data.currency"),
        (request(model="\ud800"), {}, "surrogates"),
        (action(kind="loop"), {}, "data.kind"),
        (action(step=None), {}, "data.step"),
        (action(items=0), {}, "data.items"),
        (ProductEvent(name="n", properties=chain(9)), {}, r"data\.properties nests deeper than 8"),
        (ProductEvent(name="n", properties={"x": "y" * 2**20}), {}, "expected up to 1 MiB"),
        (Entity(entity="planet", entity_id="p"), {}, "data.entity"),  # type: ignore[arg-type]
        (Entity(entity="user", entity_id="u", attributes=chain(31)), {}, "deeper than 30"),
        (Entity(entity="tenant", entity_id="globex"), {}, r"data\.entity_id is 'globex'"),
        (Entity(entity="model", entity_id="m"), {}, r"subject is 'acme', expected '\*'"),
        (Entity(entity="user", entity_id="u"), {"tenant": "*"}, "subject is '[*]', expected a"),
        (request(), {"tenant": ""}, "subject"),
        (request(), {"tenant": "t" * 129}, "subject"),
        (request(), {"source": ""}, "source"),
        (request(), {"id": "i" * 257}, "id"),
        (request(), {"time": "2026-02-29T00:00:00Z"}, "time is '2026-02-29"),
        (request(), {"time": "2026-03-01T12:00:00Z\n"}, "time is"),
        (request(), {"time": datetime(2026, 3, 1)}, "without a zone"),  # noqa: DTZ001
        (request(), {"time": 1_772_368_496}, "time is 1772368496, expected a datetime"),
        (request(), {"time": datetime.min.replace(tzinfo=EAST)}, "UTC's calendar lacks"),
        ({"operation": "chat"}, {}, "data is a dict, expected one of Request"),
    ],
)
def test_what_the_pipeline_would_refuse_is_refused_at_once(
    data: Any, attributes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidEvent, match=said):
        encoded(data, **attributes)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"billing_anchor_day": 32}, "billing_anchor_day is 32"),
        ({"billing_anchor_day": True}, "billing_anchor_day is True"),
        ({"timezone": ""}, "timezone is ''"),
    ],
)
def test_a_tenants_attributes_are_checked(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        encoded(Entity(entity="tenant", entity_id="acme", attributes=attributes))


@pytest.mark.parametrize("tenant", [None, 5, b"acme", "\ud800"])
def test_an_emitter_refuses_a_tenant_that_is_no_text(tenant: Any) -> None:
    with pytest.raises(InvalidEvent):
        Outbox("/s", "", None).record(request(), tenant, None, NOON)


def test_what_is_absent_is_not_written_and_a_cost_is_exact() -> None:
    cost = Decimal("0.123456789012345678901234567890")
    event = json.loads(encoded(request(cost=cost), id="7"))
    assert event["data"].keys() == {"operation", "model", "status_code", "duration_ms", "cost"}
    assert event["data"]["cost"] == str(cost)
    assert (event["id"], event["time"]) == ("7", "2026-03-01T12:00:00Z")


def test_times_of_any_zone_are_written_in_utc() -> None:
    event = json.loads(encoded(request(), time=NOON.astimezone(EAST)))
    assert event["time"] == "2026-03-01T12:00:00Z"


def test_ids_are_never_the_same() -> None:
    ids = {encoding.event(request(), tenant="a", source="/s").id for _ in range(1000)}
    assert len(ids) == 1000


def test_data_of_another_type_is_refused() -> None:
    event = encoding.event(request(), tenant="a", source="/s")
    event.data = action()
    with pytest.raises(InvalidEvent, match=r"expected 'usage\.recipe_action\.v1' for its data"):
        encoding.encode(event)
