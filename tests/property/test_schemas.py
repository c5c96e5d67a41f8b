"""The JSON Schemas against the code that decides: they agree on every event, as far as they can."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.facts import Rules, reader
from pipeline.facts.exact import reasons
from schemas import TYPES, Envelope, EventType, encoding
from schemas.encoding import InvalidEvent
from schemas.generate import json_schema
from schemas.metric_definition import CALCULATIONS, OPERATORS
from tests.property import facts_strategies as make
from tests.support.harness import golden

VALIDATORS = {name: Draft202012Validator(json_schema.of_event(k)) for name, k in TYPES.items()}
ALSO_WRONG = [
    "1\n",
    "0.5\n",
    "2026-03-01T12:34:56Z\n",
    "Europe/Nowhere",
    1,
    31,
    32,
    "tenant",
    "call",
]
DROPPED = object()
UNSAID_OF_METRICS = (
    "expected no escapes but",
    "not a regular expression of RE2",
    "expected an instant by RFC 3339",
    "expected two numbers, or two dates",
    "expected the lower one first",
    "kept as sums",
    "are kept by",
    "is kept by",
    "of requests.",
    "of actions.",
    "costs of different currencies",
)
UNTIMELY = (reasons.TOO_EARLY, reasons.TOO_LATE)


every = pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.name)


class Rec(NamedTuple):
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 7
    timestamp: int = make.NOW


nested = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), make.words),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(make.words, inner, max_size=2)
    ),
    max_leaves=6,
)
chains = st.integers(1, 10).map(lambda levels: make.Raw('{"a":[' * levels + "]}" * levels))
product_data = st.fixed_dictionaries(
    {"name": make.ids},
    optional={
        "user_id": make.optional_ids,
        "properties": st.one_of(
            st.none(),
            st.dictionaries(make.words, nested, max_size=3),
            st.dictionaries(make.words, chains, min_size=1, max_size=2),
        ),
    },
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "name": make.optional_ids,
        "timezone": st.sampled_from(["Europe/Berlin", None, "", 5, "UTC"]),
        "billing_anchor_day": st.sampled_from([1, 31, None, 0, 32, "1", make.Raw("1.0"), True]),
        "status": st.one_of(make.words, nested),
    },
)
entity_data = st.fixed_dictionaries(
    {
        "entity": st.sampled_from(["tenant", "user", "app", "model", "recipe", "Tenant"]),
        "entity_id": st.sampled_from(["t1", "*"]),
    },
    optional={
        "deleted": st.sampled_from([True, False, None]),
        "attributes": st.one_of(st.none(), attributes),
    },
)


dates = st.sampled_from(["2026-05-01T00:00:00Z", "2026-05-01", 5]).map(lambda at: {"date": at})
operands = st.one_of(make.words, st.booleans(), st.integers(-5, 5), dates, st.just("x" * 1025))
filters = st.fixed_dictionaries(
    {
        "property": st.sampled_from(["", "a.b", "$user_id", "p" * 257, "model", 5, "\\"]),
        "operator": st.sampled_from([*OPERATORS, "exact", "in", "equals"]),
    },
    optional={
        "value": st.one_of(operands, st.lists(operands, max_size=3), st.sampled_from(["(", None]))
    },
)
metric_data = st.fixed_dictionaries(
    {
        "metric_id": st.sampled_from(["a", "b-_1", "a" * 64, "a" * 65, "A", "é"]),
        "name": make.ids.filter(lambda name: len(name) < 90),
        "interval_days": st.sampled_from([7, 30, 90, 90, 8]),
        "match": st.one_of(st.lists(make.ids, min_size=1, max_size=3), st.just([])),
    },
    optional={
        "format": st.sampled_from(["currency", "numeric", None]),
        "currency": st.sampled_from(["EUR", "usd", 5, None]),
        "display": st.sampled_from(["number", "sparkline", None, "pie"]),
        "calculation": st.sampled_from([*CALCULATIONS, None]),
        "property": st.sampled_from(["a", "a.b", "", "tasks", "p" * 257, 5, None]),
        "filters": st.one_of(st.none(), st.lists(filters, max_size=2)),
        "source": st.sampled_from(["events", "events", "requests", "actions", None]),
        "retired": st.sampled_from([True, False, None]),
    },
)
DATA = {"usage.entities": entity_data, "usage.metric-definitions": metric_data}
SUBJECTS = {
    "usage.entities": st.sampled_from(["t1", "*"]),
    "usage.metric-definitions": st.sampled_from(["*", "*", "*", "t1"]),
}


def events(kind: EventType) -> st.SearchStrategy[dict[str, Any]]:
    if kind.topic in {"usage.requests", "usage.recipe-actions"}:
        return make.events(kind.topic)
    return st.fixed_dictionaries(
        {
            "specversion": st.just("1.0"),
            "id": make.ids,
            "source": make.ids,
            "type": st.just(kind.name),
            "subject": SUBJECTS.get(kind.topic, make.ids),
            "time": make.times(),
            "data": DATA.get(kind.topic, product_data),
        }
    )


@st.composite
def mutated(draw: st.DrawFn, kind: EventType) -> dict[str, Any]:
    event = draw(events(kind))
    target = draw(st.sampled_from([event, event["data"], event["data"]]))
    name = draw(st.sampled_from(sorted(target)))
    match draw(st.sampled_from(["as it is", "replace", "replace", "replace", "drop"])):
        case "replace":
            target[name] = draw(st.sampled_from(make.WRONG))
        case "drop":
            del target[name]
    return event


@every
def test_they_agree_on_every_wrong_value_in_every_field(kind: EventType) -> None:
    (full,) = [p for p in golden.payloads() if p.kind is kind and p.name == "full"]
    for place in ((), ("data",), ("data", "attributes")):
        for name in inside(json.loads(full.value), place):
            for wrong in [*make.WRONG, *ALSO_WRONG, DROPPED]:
                event = json.loads(full.value)
                target = inside(event, place)
                target[name] = wrong
                if wrong is DROPPED:
                    del target[name]
                agree(kind, event)


def inside(event: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    for name in place:
        event = event.get(name, {})
    return event


@every
def test_what_python_encodes_counts_and_what_it_refuses_does_not(kind: EventType) -> None:
    """Events built with every wrong value in every field; only a zone's name is not looked up."""
    (full,) = [p for p in golden.payloads() if p.kind is kind and p.name == "full"]
    for place in ((), ("data",), ("data", "attributes")):
        for name in inside(json.loads(full.value), place):
            for wrong in [*make.WRONG, *ALSO_WRONG]:
                event = json.loads(full.value)
                inside(event, place)[name] = json.loads(make.dumps(wrong), parse_int=integer)
                value = encoded(kind, event)
                inside(event, place)[name] = wrong
                reason, message = verdict(kind, value or make.dumps(event).encode())
                assert is_as_it_should_be(name, reason, value), (event, reason, message)


def is_as_it_should_be(name: str, reason: str, value: bytes | None) -> bool:
    if value is not None:
        return not reason or reason in UNTIMELY or name == "timezone"
    return bool(reason)


def encoded(kind: EventType, event: dict[str, Any]) -> bytes | None:
    """An event as a producer's code would build it, without regard for types; None: refused."""
    try:
        data = kind.data(**event["data"])
        return encoding.encode(Envelope(**event | {"data": data}))
    except (InvalidEvent, TypeError):
        return None


@every
def test_they_agree_on_any_event(kind: EventType) -> None:
    counts = {True: 0, False: 0}

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(kind))
    def holds(event: dict[str, Any]) -> None:
        counts[agree(kind, event)] += 1

    holds()
    assert min(counts.values()) > 10, counts


def agree(kind: EventType, event: dict[str, Any]) -> bool:
    """Assert that schema and pipeline decide alike; whether the event is accepted."""
    value = make.dumps(event).encode()
    reason, message = verdict(kind, value)
    if reason == reasons.MALFORMED:
        return False  # of the record, not of the event: too deep
    parsed = json.loads(value, parse_float=Decimal, parse_int=integer)
    accepted = VALIDATORS[kind.name].is_valid(parsed)
    if not (accepted and reason and cannot_be_said(parsed, message, value)):
        assert accepted == (not reason or reason in UNTIMELY), (message, value)
    return not reason


def integer(text: str) -> int:
    """Python reads no integers of more than 4,300 digits; large is large."""
    return int(text[:4000])


def verdict(kind: EventType, value: bytes) -> tuple[str, str]:
    """Why the pipeline rejects an event, and in which words; nothing if it counts."""
    one = reader(kind.topic, Rules())
    facts = one.facts()
    one.read([Rec(value)], facts)
    return (
        (facts.rejections[0].reason, facts.rejections[0].message) if facts.rejections else ("", "")
    )


def cannot_be_said(event: dict[str, Any], message: str, value: bytes) -> bool:
    """Whether it is refused for what ``$comment`` says that the schema leaves out."""
    field = message.partition(":")[0]
    if any(words in message for words in UNSAID_OF_METRICS):
        return True
    data = event["data"]
    if field == "data.cost":
        cost = data["cost"]
        written = isinstance(cost, str) and re.search("[eE]", cost)
        return bool(written) or re.search(rb'"cost":[0-9.]{1025}', value) is not None
    if field == "data.attributes.timezone":
        return isinstance(data["attributes"]["timezone"], str)
    return field == "data.entity_id" and data["entity"] == "tenant"
