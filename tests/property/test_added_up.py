"""Rows of one key as one row: the same sums and latencies as the slow, obvious way."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clickhouse.native import encode
from pipeline.facts import Rules
from pipeline.facts.added_up import added_up
from pipeline.facts.columns import Arrays, Column, column, joined
from pipeline.facts.compiled.facts import CompiledFacts
from pipeline.facts.heads import PRODUCT_EVENTS, REQUESTS
from pipeline.facts.latency import BUCKETS, LONGEST_US, MOST_OF_ONE, buckets
from pipeline.facts.sent import Block, sent
from tests.support.harness.readers import COMPILED

HEAD = REQUESTS.columns
KEY = [name for name, kind in REQUESTS.columns if "String" in kind] + ["minute"]
SUMS = [name for name, _ in REQUESTS.columns if name not in KEY]
MEASURES = [*SUMS, "requests"]

Row = dict[str, Any]


def values(kind: str, largest: int) -> st.SearchStrategy[Any]:
    """Few different keys, so that many rows share one; numbers from the whole of their range."""
    if "String" in kind:
        return st.sampled_from(["", "b", "a", "\uffff", "\U0001f680"])
    if kind == "DateTime('UTC')":
        return st.sampled_from([0, 60, 1_767_225_600, 2**32 - 60 - 2**32 % 60])
    if kind == "UInt8":
        return st.integers(0, 1)
    return st.integers(0, largest) | st.sampled_from([0, 1, 2, largest])


def rows_up_to(largest: int, **lists: Any) -> st.SearchStrategy[list[Row]]:
    row = st.fixed_dictionaries({name: values(kind, largest) for name, kind in REQUESTS.columns})
    return st.lists(row, min_size=1, **lists)


def columns(rows: list[Row]) -> list[Column]:
    made = [column(kind) for _, kind in REQUESTS.columns]
    for (name, _), one in zip(REQUESTS.columns, made, strict=True):
        one.extend([row[name] for row in rows])
    return made


def slowly(rows: list[Row]) -> dict[tuple[Any, ...], tuple[list[int], Counter[int]]]:
    """By key: each sum, and how many requests are in each bucket."""
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(MEASURES))
    latencies: dict[tuple[Any, ...], Counter[int]] = defaultdict(Counter)
    for row in rows:
        key = tuple(row[name] for name in KEY)
        for place, name in enumerate(MEASURES):
            sums[key][place] += row.get(name, 1)
        us = row["duration_us"]
        latencies[key][0 if us == 0 else 1 + math.floor(math.log(us) / math.log(1.04))] += 1
    return {key: (sums[key], latencies[key]) for key in sums}


def taken_apart(named: Any, made: Any) -> dict[tuple[Any, ...], tuple[list[int], Counter[int]]]:
    by_name = {name: list(one) for (name, _), one in zip(named, made, strict=True)}
    found = {}
    for n, elements in enumerate(by_name["latency"]):
        key = tuple(by_name[name][n] for name in KEY)
        assert key not in found, "one row of each key"
        told: Counter[int] = Counter()
        for element in elements:
            told[element % BUCKETS] += element // BUCKETS + 1
        found[key] = ([by_name[name][n] for name in MEASURES], told)
    return found


@given(rows_up_to(LONGEST_US))
def test_sums_and_latencies_are_those_of_all_rows(rows: list[Row]) -> None:
    named, made = added_up(REQUESTS, columns(rows))
    assert taken_apart(named, made) == slowly(rows)


@given(rows_up_to(1000, max_size=5), st.integers(1, 400))
def test_many_requests_of_one_bucket_are_few_elements(rows: list[Row], times: int) -> None:
    named, made = added_up(REQUESTS, columns(rows * times))
    assert taken_apart(named, made) == slowly(rows * times)
    [latency] = [one for one in made if isinstance(one, Arrays)]
    assert len(latency.items) <= len(rows) * math.ceil(times / MOST_OF_ONE) + times * len(rows) / 64


def compiled(rows: list[Row]) -> CompiledFacts:
    """The compiled reader's facts, filled as those of events that the reference decides."""
    facts = COMPILED.reader("usage.requests", Rules()).facts()
    assert isinstance(facts, CompiledFacts)
    for n, row in enumerate(rows):
        facts.chunk.count(tuple(row[name] for name, _ in HEAD), row["minute"] * 1000, 0, n)
    return facts


def agree(*parts: list[Row]) -> None:
    """Assert that the compiled reader's block of these chunks is what their columns come to."""
    by_column = zip(*map(columns, parts), strict=True)
    whole = [joined(some, kind) for some, (_, kind) in zip(by_column, HEAD, strict=True)]
    named, made = added_up(REQUESTS, whole)
    body = encode("", named, made, compression=None)
    assert sent([compiled(rows) for rows in parts]) == Block(named, len(made[0]), body)


@given(st.lists(rows_up_to(2**63 - 1, max_size=30), min_size=1, max_size=3), st.integers(1, 200))
def test_both_readers_send_the_same_bytes(parts: list[list[Row]], times: int) -> None:
    agree(*parts)
    agree(parts[0] * times, *parts)


@given(rows_up_to(LONGEST_US, max_size=20))
def test_the_same_columns_are_the_same_bytes(rows: list[Row]) -> None:
    """A replay sends what was sent, however its reader came to the columns."""
    bodies = {
        encode("requests_in", *added_up(REQUESTS, columns(rows)), compression=None)
        for _ in range(2)
    }
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("name", "value", "times", "fits"),
    [
        ("cost_nanos", 10**18, 9, True),
        ("cost_nanos", 10**18, 10, False),
        ("duration_us", 2**62, 3, True),
        ("duration_us", 2**62, 4, False),
    ],
)
def test_a_sum_that_may_not_fit_is_left_to_the_store(
    name: str, value: int, times: int, fits: bool
) -> None:
    row = {n: "" if "String" in kind else 0 for n, kind in REQUESTS.columns} | {name: value}
    before = columns([row] * times)
    agree([row] * times)
    named, made = added_up(REQUESTS, before)
    if fits:
        assert [len(one) for one in made] == [1] * len(named)
        [total] = [one for (n, _), one in zip(named, made, strict=True) if n == name]
        assert list(total) == [value * times]
    else:
        assert (named, made) == (REQUESTS.columns, before)


def test_keys_of_many_names_are_told_apart() -> None:
    """More combinations of names than a number has: 2,000 of each of eight columns."""
    rows = [
        {n: f"{n}-{r * p % 2003}" if "String" in kind else 0 for p, (n, kind) in enumerate(HEAD, 1)}
        for r in range(2000)
    ] * 2
    named, made = added_up(REQUESTS, columns(rows))
    assert taken_apart(named, made) == slowly(rows)
    agree(rows[:1500], rows[1500:])


def test_other_heads_and_no_rows_are_sent_as_they_are() -> None:
    for head in (REQUESTS, PRODUCT_EVENTS):
        empty = [column(kind) for _, kind in head.columns]
        assert added_up(head, empty) == (head.columns, empty)


def test_buckets_are_those_of_the_formula_on_both_sides_of_each_bound() -> None:
    bounds = {round(1.04**b) + by for b in range(705) for by in (-1, 0, 1)}
    durations = np.array(sorted(us for us in bounds if 0 < us <= LONGEST_US), np.uint64)
    by_formula = [1 + math.floor(math.log(us) / math.log(1.04)) for us in durations.tolist()]
    assert buckets(durations).tolist() == by_formula
    assert buckets(np.array([0], np.uint64)).tolist() == [0]
    assert buckets(np.array([2**64 - 1], np.uint64)) < BUCKETS


@given(rows_up_to(LONGEST_US))
def test_rows_are_in_the_order_of_tenants_and_minutes(rows: list[Row]) -> None:
    """As the finest tables have them, which spares the store the most of its sorting."""
    named, made = added_up(REQUESTS, columns(rows))
    by_name = {name: list(one) for (name, _), one in zip(named, made, strict=True)}
    keys = [
        *zip((str(name).encode() for name in by_name["tenant"]), by_name["minute"], strict=True)
    ]
    assert keys == sorted(keys)
