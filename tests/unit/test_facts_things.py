"""The contract of product events and entities, rule by rule, each with a readable example."""

from __future__ import annotations

import json
from itertools import count
from typing import Any, NamedTuple

import pytest

from pipeline.facts import Facts, Rejection, Rules, reader
from pipeline.facts.exact import entities, product_events
from pipeline.facts.zones import names

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
MINUTE = 1_772_368_440
EVENTS, ENTITIES = "usage.events", "usage.entities"
PARTITION = 3
_ids = count()


class Rec(NamedTuple):
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 7
    timestamp: int = NOW + 1000


def event(type_: str, data: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{next(_ids)}",
        "source": "/product",
        "type": type_,
        "subject": "acme",
        "time": "2026-03-01T12:34:56.789Z",
        "data": data,
    } | attributes


def product(**data: Any) -> dict[str, Any]:
    return event("usage.event.v1", {"name": "opened"} | data)


def entity(entity: Any = "user", subject: str = "acme", **data: Any) -> dict[str, Any]:
    fields = {"entity": entity, "entity_id": "acme" if entity == "tenant" else "e"}
    return event("usage.entity.v1", fields | data, subject=subject)


def tenant(**attributes: Any) -> dict[str, Any]:
    return entity("tenant", attributes=attributes)


def read(topic: str, *records: Any) -> Facts:
    one = reader(topic, Rules(), PARTITION)
    facts = one.facts()
    made = [r if isinstance(r, Rec) else Rec(json.dumps(r).encode()) for r in records]
    one.read([r._replace(offset=7 + n) for n, r in enumerate(made)], facts)
    return facts


def rows(facts: Facts) -> list[dict[str, Any]]:
    assert [r.message for r in facts.rejections] == []
    names = [name for name, _ in facts.head.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*facts.columns, strict=True)]


def row(topic: str, record: Any) -> dict[str, Any]:
    (only,) = rows(read(topic, record))
    return only


def refused(topic: str, record: Any) -> Rejection:
    (rejection,) = read(topic, record).rejections
    return rejection


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth > 1 else {}


# Product events ------------------------------------------------------------------------------


@pytest.mark.parametrize(("user", "kept"), [("u", "u"), ("", ""), (None, "")])
def test_a_product_event_becomes_a_row(user: str | None, kept: str) -> None:
    found = row(EVENTS, product(user_id=user, properties={"plan": "pro"}))
    assert found == {
        "minute": MINUTE,
        "tenant": "acme",
        "user_id": kept,
        "name": "opened",
        "time": NOW,
        "properties": {"plan": "spro"},
    }


@pytest.mark.parametrize(
    "properties", [None, {}, nested(8), {"many": [{}] * 50}, {"x": "[[[[{{{{"}]
)
def test_properties_nest_8_deep(properties: Any) -> None:
    assert row(EVENTS, product(properties=properties))["name"] == "opened"


@pytest.mark.parametrize(
    ("data", "field", "found"),
    [
        ({"properties": nested(9)}, "properties", "an object that nests 9 deep"),
        ({"properties": {"a": [[[[[[[[]]]]]]]]}}, "properties", "an object that nests 9 deep"),
        ({"properties": []}, "properties", "an array"),
        ({"properties": "{}"}, "properties", "the string '{}'"),
        ({"name": ""}, "name", "the string ''"),
        ({"name": None}, "name", "null"),
        ({"name": "x" * 1025}, "name", "(1025 characters)"),
        ({"user_id": 5}, "user_id", "the number 5"),
    ],
)
def test_what_a_product_event_must_not_be(data: dict[str, Any], field: str, found: str) -> None:
    rejection = refused(EVENTS, product(**data))
    assert (rejection.reason, rejection.tenant) == ("invalid_data", "acme")
    assert rejection.message.startswith(f"data.{field}: found ")
    assert found in rejection.message
    assert "expected" in rejection.message


def test_of_repeated_properties_only_the_last_is_one() -> None:
    deep = json.dumps(nested(9))
    text = json.dumps(product(properties=1))
    last = text.replace('"properties": 1', f'"properties": {deep}, "properties": {{}}')
    assert row(EVENTS, Rec(last.encode()))["name"] == "opened"
    inside = text.replace('"properties": 1', f'"properties": {{"a": {deep}, "a": 1}}')
    assert row(EVENTS, Rec(inside.encode()))["name"] == "opened"


# Entities ------------------------------------------------------------------------------------


def test_an_entity_becomes_a_row() -> None:
    attributes = {"name": "Ada", "email": "a@example.com", "shoe_size": 5.0, "team_id": None}
    found = row(ENTITIES, entity(attributes=attributes))
    filled = {name: value for name, value in found.items() if value not in ("", 0)}
    assert filled == {
        "tenant": "acme",
        "entity": "user",
        "entity_id": "e",
        "time": NOW,
        "arrival": NOW + 1000,
        "partition": PARTITION,
        "offset": 7,
        "attributes": '{"name":"Ada","email":"a@example.com","shoe_size":5.0}',
        "name": "Ada",
        "email": "a@example.com",
    }


def test_a_row_says_where_its_event_stood() -> None:
    batch = Rec(json.dumps([entity(), 5, entity()]).encode())
    facts = read(ENTITIES, entity(), batch)
    places = zip(*(facts.columns[n] for n in (5, 6, 7)), strict=True)
    assert list(places) == [(PARTITION, 7, 0), (PARTITION, 8, 0), (PARTITION, 8, 2)]


def test_a_tenant_has_a_zone_and_a_billing_anchor() -> None:
    given = {"timezone": "Asia/Kathmandu", "billing_anchor_day": 31, "kind": "admin"}
    found = row(ENTITIES, tenant(**given))
    assert {name: found[name] for name in given} == given


def test_a_deletion_needs_no_attributes() -> None:
    found = row(ENTITIES, entity(deleted=True))
    assert (found["deleted"], found["attributes"]) == (1, "{}")


def test_known_attributes_are_taken_as_they_are() -> None:
    odd = '{"name":["é",1e400,{"a":12345678901234567890123}],"status":5,"recommended":"yes"}'
    text = json.dumps(entity("recipe", attributes={})).replace('"attributes": {}', "@@")
    found = row(ENTITIES, Rec(text.replace("@@", f'"attributes": {odd}').encode()))
    assert found["attributes"] == odd
    assert found["name"] == '["é",1e400,{"a":12345678901234567890123}]'
    assert (found["status"], found["recommended"]) == ("5", 0)
    assert row(ENTITIES, entity("recipe", attributes={"recommended": True}))["recommended"] == 1


def test_attributes_of_another_entity_are_unknown_ones() -> None:
    found = row(ENTITIES, entity("user", attributes={"timezone": "Mars", "billing_anchor_day": 99}))
    assert (found["timezone"], found["billing_anchor_day"]) == ("", 0)
    assert found["attributes"] == '{"timezone":"Mars","billing_anchor_day":99}'


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (entity("person"), "data.entity: found the string 'person'"),
        (entity(["user"]), "data.entity: found an array"),
        (entity(entity_id=""), "data.entity_id: found the string ''"),
        (entity(entity_id="x" * 1025), "data.entity_id: found"),
        (entity(deleted="yes"), "data.deleted: found the string 'yes'"),
        (entity(attributes=[]), "data.attributes: found an array"),
        (entity("tenant", entity_id="other"), "data.entity_id: found the string 'other'"),
        (tenant(timezone="asia/kathmandu"), "data.attributes.timezone: found"),
        (tenant(timezone="Europe/Atlantis"), "data.attributes.timezone: found"),
        (tenant(timezone=""), "data.attributes.timezone: found the string ''"),
        (tenant(timezone=1), "data.attributes.timezone: found the number 1"),
        (tenant(timezone=["UTC"]), "data.attributes.timezone: found an array"),
        (tenant(billing_anchor_day=0), "data.attributes.billing_anchor_day: found the number 0"),
        (tenant(billing_anchor_day=32), "data.attributes.billing_anchor_day: found the number 32"),
        (tenant(billing_anchor_day=1.0), "data.attributes.billing_anchor_day: found the number"),
        (tenant(billing_anchor_day="1"), "data.attributes.billing_anchor_day: found the string"),
        (tenant(billing_anchor_day=True), "data.attributes.billing_anchor_day: found true"),
        (entity("model"), "subject: found the string 'acme', expected *, of a model"),
        (entity("user", "*"), "subject: found the string '*', expected the tenant, of a user"),
        (entity("tenant", "*", entity_id="*"), "subject: found the string '*'"),
    ],
)
def test_what_an_entity_must_not_be(event: dict[str, Any], message: str) -> None:
    rejection = refused(ENTITIES, event)
    assert (rejection.reason, rejection.type) == ("invalid_data", "usage.entity.v1")
    assert rejection.tenant == event["subject"]
    assert rejection.message.startswith(message)
    assert "expected" in rejection.message


@pytest.mark.parametrize("sort", ["model", "app"])
def test_models_and_apps_belong_to_no_tenant(sort: str) -> None:
    found = row(ENTITIES, entity(sort, "*", attributes={"name": "GPT"}))
    assert (found["tenant"], found["name"]) == ("*", "GPT")


@pytest.mark.parametrize(
    ("topic", "type_", "reason", "tenant"),
    [
        (EVENTS, "usage.event.v1", "invalid_envelope", ""),
        (EVENTS, "usage.entity.v1", "unknown_type", "*"),
        (ENTITIES, "usage.event.v1", "invalid_envelope", ""),
        (ENTITIES, "usage.model.v1", "invalid_envelope", ""),
    ],
)
def test_nobody_is_a_subject_of_entities_only(
    topic: str, type_: str, reason: str, tenant: str
) -> None:
    rejection = refused(topic, event(type_, {"name": "n"}, subject="*"))
    assert (rejection.reason, rejection.tenant) == (reason, tenant)


def test_bad_data_is_told_before_a_bad_time() -> None:
    late = {"time": "2020-01-01T00:00:00Z"}
    assert refused(ENTITIES, entity() | late).reason == "too_late"
    assert refused(ENTITIES, entity("person") | late).reason == "invalid_data"


def test_zones_are_those_of_the_pinned_package() -> None:
    assert {"UTC", "Asia/Kolkata", "America/New_York", "US/Pacific"} <= names()
    assert not {"localtime", "utc", "posix/UTC", ""} & names()


@pytest.mark.parametrize(
    ("topic", "module", "good"),
    [(EVENTS, product_events, product), (ENTITIES, entities, entity)],
)
def test_a_record_that_our_code_fails_on_is_set_aside_alone(
    topic: str, module: Any, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = module.fields.required_text

    def broken(data: Any, name: str) -> Any:
        if "bomb" in data.values():
            raise ZeroDivisionError("a bug of ours")
        return sound(data, name)

    monkeypatch.setattr("pipeline.facts.bulk.path.FastPath.read", broken)
    monkeypatch.setattr(module.fields, "required_text", broken)
    escaped = json.dumps(good(note="bomb")).replace('"note"', r'"\u006eote"')
    facts = read(topic, good(), Rec(escaped.encode()), good())  # which the reference reads
    assert (facts.counted, facts.rejected) == (2, 1)
    (rejection,) = facts.rejections
    assert (rejection.reason, rejection.tenant, rejection.offset) == ("internal", "acme", 8)
    assert "a bug of ours" in rejection.message


def test_common_product_events_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decided one by one")

    monkeypatch.setattr("pipeline.facts.exact.decide.Decider.decide", refuse)
    ordinary = [product(), product(user_id="u", properties={"a": {"b": [1, {}]}}), product()]
    assert read(EVENTS, *ordinary).counted == 3


def test_names_of_properties_count_as_memory_where_every_record_has_others() -> None:
    """100,000 leaves in a record of 1 MiB: not more is held than bytes of other records would."""
    one = reader(EVENTS, Rules(duplicate_window=0))
    facts = one.facts()
    for n in range(3):
        properties = {f"{n}{k}": 1 for k in range(80_000)}
        record = Rec(json.dumps(product(properties=properties), separators=(",", ":")).encode())
        one.read([record], facts)
    assert facts.counted == 3
    assert facts.size_bytes < 3 << 20
    assert facts.held_bytes > 240_000 * 200
    common, plain = one.facts(), product(properties={"a": 1})
    one.read([Rec(json.dumps(plain).encode())] * 100, common)
    assert common.held_bytes == common.size_bytes
