"""Definitions of metrics in the log's order: versions, duplicates, the 101st."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.facts import Facts, Rules, reader
from pipeline.facts.interface import Reader
from pipeline.facts.python_facts import PARTS, PythonFacts
from pipeline.facts.types import TYPES, remembered_offsets
from schemas.metric_definition import MAX_IN_FORCE, TOPIC, TYPE

NOW_MS = 1_772_368_496_789


class Rec(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = NOW_MS
    headers: Sequence[tuple[str, bytes]] = ()


def event(metric: str, event_id: str | None = None, subject: str = "*", **more: Any) -> Any:
    data = {"metric_id": metric, "name": "M", "interval_days": 7, "match": ["e"], **more}
    return {
        "specversion": "1.0",
        "id": event_id or json.dumps(data),
        "source": "test",
        "type": TYPE,
        "subject": subject,
        "data": data,
    }


def records(*values: Any, start: int = 0) -> list[Rec]:
    """A record for each event, or list of them."""
    return [
        Rec(start + place, None if value is None else json.dumps(value).encode())
        for place, value in enumerate(values)
    ]


def read(*values: Any, rules: Rules | None = None) -> Facts:
    one = reader(TOPIC, rules or Rules())
    facts = PythonFacts(one.head)
    one.read(records(*values), facts)
    return facts


def stored(facts: Facts) -> list[tuple[str, int, int]]:
    """Metric, version, retired of each row."""
    rows = [dict(zip(names(facts), row, strict=True)) for row in zip(*facts.columns, strict=True)]
    return [(row["metric_id"], row["version"], row["retired"]) for row in rows]


def names(facts: Facts) -> list[str]:
    return [name for name, _ in facts.head.columns]


def test_each_accepted_definition_of_a_metric_is_its_next_version() -> None:
    first, second = event("a"), event("a", name="N")
    facts = read(first, event("b"), second, first, event("a", retired=True), event("a", name="O"))
    assert stored(facts) == [("a", 1, 0), ("b", 1, 0), ("a", 2, 0), ("a", 3, 1), ("a", 4, 0)]
    assert (facts.received, facts.counted, facts.duplicate) == (6, 5, 1)


def test_what_is_refused_makes_no_version_and_may_be_sent_again_corrected() -> None:
    facts = read(event("a", "1", interval_days=14), event("a", "1"))
    assert stored(facts) == [("a", 1, 0)]
    (refused,) = facts.rejections
    sentence = "data.interval_days: found 14, expected 7, 30 or 90."
    assert (refused.reason, refused.message) == ("invalid_data", sentence)
    assert (refused.tenant, refused.type) == ("*", TYPE)


def test_a_definition_belongs_to_nobody() -> None:
    (refused,) = read(event("a", subject="acme")).rejections
    assert refused.message == (
        "subject: found the string 'acme', expected *, of a metric: every customer has it."
    )


def test_the_hundred_and_first_is_refused_until_one_is_retired() -> None:
    many = [event(f"m{n}") for n in range(MAX_IN_FORCE)]
    facts = read(
        many,
        event("more"),
        event("m7", name="changed"),
        event("unknown", retired=True),
        [event("m3", retired=True), event("more"), event("and_more")],
    )
    message = "101st metric: at most 100 are in force; retire one."
    told = [(one.offset, one.index, one.message) for one in facts.rejections]
    assert told == [(1, None, message), (4, 2, message)]
    assert json.loads(facts.rejections[1].value)["data"]["metric_id"] == "and_more"
    assert stored(facts)[-4:] == [("m7", 2, 0), ("unknown", 1, 1), ("m3", 2, 1), ("more", 1, 0)]


def test_a_conflict_is_told_from_a_repeat() -> None:
    facts = read(event("a", "1"), event("a", "1"), event("a", "1", name="other"), None)
    assert (facts.counted, facts.duplicate, facts.conflicts, facts.skipped) == (1, 2, 1, 1)
    assert sum(facts.outcomes.values()) == 4


def test_without_a_window_every_definition_counts() -> None:
    facts = read(event("a", "1"), event("a", "1"), rules=Rules(duplicate_window=0))
    assert stored(facts) == [("a", 1, 0), ("a", 2, 0)]


some = st.lists(
    st.one_of(
        st.builds(
            event,
            st.sampled_from("abc"),
            st.sampled_from("123456789"),
            retired=st.booleans(),
            interval_days=st.sampled_from([7, 30, 8]),
        ),
        st.none(),
    ),
    max_size=12,
)


@given(some, st.data())
def test_who_remembers_what_stood_before_reads_on_as_if_it_had_read_it(
    values: list[Any], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(values)))
    whole, one = PythonFacts(TYPES[TOPIC].head), reader(TOPIC, Rules())
    one.read(records(*values[:cut]), PythonFacts(one.head))
    one.read(records(*values[cut:], start=cut), whole)
    rest = _after(reader(TOPIC, Rules()), values, cut)
    for name in PARTS:
        assert getattr(rest, name) == getattr(whole, name), name


def _after(one: Reader, values: list[Any], cut: int) -> Facts:
    rest = PythonFacts(one.head)
    one.remember(records(*values[:cut]))
    one.read(records(*values[cut:], start=cut), rest)
    return rest


@pytest.mark.parametrize("topic", TYPES)
def test_a_reader_knows_all_of_a_log_whose_order_matters_and_a_window_of_others(topic: str) -> None:
    assert (remembered_offsets(topic, 5) > 10**15) == (topic == TOPIC)
    assert topic == TOPIC or remembered_offsets(topic, 5) == 5
