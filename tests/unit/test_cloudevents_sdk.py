"""Records made by CloudEvents' own SDK for Python are read as they come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from pipeline.facts import REQUESTS, Facts, Rules, reader
from tests.property.facts_model import Rec

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
DATA = {"operation": "chat", "model": "größe", "status_code": 200, "duration_ms": 12.5}


def made(**attributes: Any) -> CloudEvent:
    known = {
        "specversion": "1.0",
        "id": "1",
        "source": "/sdk",
        "type": "usage.request.v1",
        "subject": "acme",
        "time": datetime.fromtimestamp(NOW / 1000, UTC),
    }
    return CloudEvent(attributes=known | attributes, data=DATA)


def read(*messages: kafka.KafkaMessage) -> Facts:
    one = reader("usage.requests", Rules())
    facts, records = one.facts(), []
    for offset, message in enumerate(messages):
        assert isinstance(message.value, bytes)
        records.append(Rec(offset, NOW, list(message.headers.items()), message.value))
    one.read(records, facts)
    assert [rejection.message for rejection in facts.rejections] == []
    return facts


@pytest.mark.parametrize("extra", [{}, {"datacontenttype": "application/json"}])
def test_both_forms_of_an_event_count_as_one(extra: dict[str, str]) -> None:
    event = made(**extra)
    binary, structured = kafka.to_binary(event, JSONFormat()), kafka.to_structured_event(event)
    assert ("content-type" in binary.headers) == bool(extra), "the SDK sends one only if told"
    facts = read(binary, structured)
    assert (facts.counted, facts.duplicate, facts.conflicts) == (1, 1, 0)
    assert facts.event_time == (NOW, NOW)
    columns = dict(zip([name for name, _ in REQUESTS.columns], facts.columns, strict=True))
    assert (list(columns["tenant"]), list(columns["model"])) == (["acme"], ["größe"])


def test_attributes_of_an_extension_are_ignored() -> None:
    assert read(kafka.to_binary_event(made(traceparent="00-4bf9-00f0-01"))).counted == 1
