"""Golden payloads: what was accepted once is accepted for ever, and comes to the same."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas import TYPES, Envelope, EventType
from schemas.generate import files
from tests.support.harness import golden
from tests.support.harness.golden import Payload

PAYLOADS = list(golden.payloads())
every = pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: f"{p.kind.name}/{p.name}")


def test_every_type_has_one_of_each_sort() -> None:
    sorts = {"minimal", "full", "edge", "batch", "binary"}
    for name in TYPES:
        assert sorts <= {payload.name for payload in PAYLOADS if payload.kind.name == name}, name


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.name)
def test_every_field_is_in_one_of_them(kind: EventType) -> None:
    """A payload that is released does not change: a field that came later has one of its own."""
    events = [event for payload in PAYLOADS if payload.kind is kind for event in payload.events]
    sent = {name for event in events for name in event["data"]}
    assert {field.name for field in msgspec.structs.fields(kind.data)} <= sent


@every
def test_it_comes_to_what_was_recorded(payload: Payload) -> None:
    recorded = payload.facts
    assert recorded, "python -m tests.support.harness.golden records it; look at what it writes"
    facts = golden.read(payload)
    assert [rejection.message for rejection in facts.rejections] == []
    # A column that came later is no change of what the event said.
    found = golden.rows(facts)
    assert len(found) == len(recorded)
    assert [
        {name: row[name] for name in old} for row, old in zip(found, recorded, strict=True)
    ] == recorded


@every
def test_its_json_schema_accepts_it(payload: Payload) -> None:
    schema = json.loads((files.ROOT / "json" / f"{payload.kind.name}.json").read_text())
    for event in payload.events:
        Draft202012Validator(schema).validate(event)


@every
def test_its_python_type_accepts_it(payload: Payload) -> None:
    type_: Any = Envelope[payload.kind.data]  # type: ignore[name-defined]
    if payload.headers:
        data = msgspec.json.decode(payload.value, type=payload.kind.data)
        assert msgspec.to_builtins(data)
    elif payload.name == "batch":
        assert len(msgspec.json.decode(payload.value, type=list[type_])) == len(payload.events)
    else:
        event = msgspec.json.decode(payload.value, type=type_)
        assert (event.type, event.id) == (payload.kind.name, payload.events[0]["id"])
