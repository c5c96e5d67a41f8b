"""Leaves of many events at a time against those of each alone, and against the slow model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.facts.bulk.distinct import distinct
from pipeline.facts.bulk.leaves import leaves
from pipeline.facts.columns import Maps
from pipeline.facts.exact.json_values import decode
from pipeline.facts.exact.leaves import leaves_of
from tests.property.facts_strategies import Raw, decimals, ids, repeating, wide
from tests.property.facts_strategies import dumps as compact
from tests.support.contract.events import parse
from tests.support.contract.leaves import leaves as model
from tests.support.harness.examples import examples

pytestmark = pytest.mark.timeout(600)
MANY = settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))

keys = st.one_of(
    st.sampled_from(["", "a", "b", "a.b", "\\", "plan", "0123456", "01234567", "012345678"]),
    st.sampled_from(["k" * 15, "k" * 16, "k" * 17, "k" * 40, "é" * 8]),
    ids,
)
numbers = st.one_of(
    decimals,
    wide,
    st.integers().map(str),
    st.sampled_from(["-0", "-0.0", "0.10", "-10.500", "1e5", "0.123456789012345678"]),
    st.sampled_from(["0.1234567890123456780", "0.1234567890123456789", "100000000000.000000"]),
).map(Raw)
scalars = st.one_of(
    numbers,
    ids,
    st.booleans(),
    st.none(),
    st.builds("x".__mul__, st.sampled_from([0, 126, 127, 128, 16_382, 16_383, 20_000])),
    st.sampled_from(["{[:,", 'a"b', "\0", "\x7f", "é" * 70]),
)
arrays = st.recursive(
    st.lists(scalars, max_size=3),
    lambda inner: st.lists(st.one_of(inner, scalars, st.dictionaries(keys, scalars, max_size=2))),
    max_leaves=4,
)
values = st.recursive(
    st.one_of(scalars, scalars, arrays, st.just({})),
    lambda inner: st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=6)


def spaced(value: Any) -> str:
    """JSON as other encoders write it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)}: {spaced(v)}" for k, v in value.items())
        return "{ " + inner + "\n}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spaced, value)) + " ]"
    return compact(value)


texts = st.one_of(
    objects.map(compact),
    objects.map(spaced),
    st.lists(st.tuples(keys, values), max_size=5).map(repeating).map(compact),
)


@MANY
@given(st.lists(texts, max_size=12))
@example([])
@example(["{}", "{}"])
@example(['{"a":{"b":1},"a":2}', '{"a":2,"a":{"b":1}}', '{"a":{"b":1},"a":null}'])
@example(['{"a":{"a":{"a":1}},"b":{"a":{"a":2}}}', '{"a":         1          }'])
@example(['{"a":[1e30]}', '{"a":[1.50,{"x":[ ]}],"b":[[]],"c":[1]}', '{"a":[ "]" , "[" ]}'])
def test_together_they_are_what_each_is_alone(found: list[str]) -> None:
    octets = [text.encode() for text in found]
    alone = [leaves_of(decode(one, 64)) for one in octets]
    assert alone == [model(parse(one)) for one in octets]
    together = leaves([b"" if n % 5 == 4 else one for n, one in enumerate(octets)])
    assert list(together) == [{} if n % 5 == 4 else one for n, one in enumerate(alone)]
    assert list(map(list, together)) == [[] if n % 5 == 4 else list(o) for n, o in enumerate(alone)]


@MANY
@given(st.lists(texts, max_size=12), st.lists(texts, max_size=12))
@example(['{"b":{"c":1},"a":2}'], ['{"d":1,"b":{"e":1}}'])
def test_keys_are_numbered_in_order_of_first_use(first: list[str], second: list[str]) -> None:
    column = Maps()
    for found in (first, second):
        column.extend(leaves([text.encode() for text in found]))
    assert list(column.keys.numbers) == list(dict.fromkeys(key for row in column for key in row))


def test_many_bytes_are_read_in_pieces() -> None:
    objects = [{"n": n, "text": "x" * 9_000, f"k{n}": [n, 1.5]} for n in range(400)]
    octets = [json.dumps(one).encode() for one in objects]
    assert list(leaves(octets)) == [leaves_of(decode(one, 8)) for one in octets]


@MANY
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=50))
def test_distinct_pairs_are_told_apart(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[n] for pair in pairs], np.uint64) for n in (0, 1))
    places, number = distinct(first, second)
    assert [pairs[places[n]] for n in number] == pairs
    assert len(places) == len(set(pairs))


def test_pairs_that_share_every_slot_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.facts.bulk.distinct._ROUNDS", 1)
    first = np.arange(200_000, dtype=np.uint64) % 70_001
    places, number = distinct(first, first)
    assert (first[places][number] == first).all()
    assert len(places) == 70_001
