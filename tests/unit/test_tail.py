"""What `usage tail` makes of records: whatever they hold, a line for each event."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.facts import Rules
from pipeline.facts.judge import Judge
from pipeline.facts.types import TYPES
from pipeline.operate.tail import screen
from pipeline.operate.tail.passing import Filter, Headers, Passing, SourceRecord, events

JUDGE = Judge(Rules())
NOW_MS = 1_780_315_200_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": st.just("1"),
        "source": st.just("s"),
        "type": st.just("usage.event.v1"),
        "subject": st.sampled_from(["acme", "", "\x1b[31m"]),
        "data": st.just({"name": "\x1b[2J", "properties": {"n": 1.5}}) | JSON,
    }
)
HEADERS = st.sampled_from(
    [
        [],
        [("content-type", b"application/cloudevents+json")],
        [("content-type", b"application/cloudevents-batch+json")],
        [("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", None)],
        [("content-type", b"\xff"), ("\x1b", b"\xff")],
    ]
)
VALUES = (
    st.none()
    | st.binary()
    | (EVENTS | JSON | st.lists(EVENTS, max_size=3)).map(lambda value: json.dumps(value).encode())
)


def shown(event: Passing) -> str:
    out = StringIO()
    Console(file=out, width=200, color_system=None).print(screen.for_people(event), soft_wrap=True)
    return out.getvalue()


@given(st.sampled_from(list(TYPES)), HEADERS, VALUES, st.integers(-1, 2**62))
def test_every_record_can_be_shown_and_moves_no_cursor(
    topic: str, headers: Headers, value: bytes | None, timestamp: int
) -> None:
    record = SourceRecord(topic, 0, 7, timestamp, headers, value)
    for event in events(JUDGE, record):
        assert f"{topic}:0:7" in shown(event)
        assert "\x1b" not in shown(event)
        text = screen.for_programs(event)
        assert "\n" not in text
        line = json.loads(text)
        assert (line["outcome"] == "rejected") == bool(event.reason)
        assert Filter(rejected=True).takes(event) == bool(event.reason)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_batch_is_as_many_events(count: int) -> None:
    element = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "acme"}
    value = json.dumps([element] * count).encode()
    found = list(events(JUDGE, SourceRecord("usage.events", 0, 0, NOW_MS, [], value)))
    assert [event.index for event in found] == list(range(count))
    assert all(json.loads(event.value) == element for event in found)


def test_of_a_long_field_the_start_is_shown() -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "usage.event.v1",
        "subject": "acme",
        "data": {"name": "signed.up", "properties": {"why": "x" * 5000}},
    }
    value = json.dumps(event).encode()
    (found,) = events(JUDGE, SourceRecord("usage.events", 0, 0, NOW_MS, [], value))
    text = shown(found)
    assert 'name=signed.up properties={"why": "xxx' in text
    assert text.endswith("x…\n")
    assert len(text) < screen.SHOWN + 100
