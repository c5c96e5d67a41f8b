"""Identities are stable, the window is compact, and numbers read as doubles are exact."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from pipeline.facts import REQUESTS, Facts, Rules, reader
from pipeline.facts.bulk.costs import costs
from pipeline.facts.exact.requests import cost_nanos
from pipeline.facts.repeats.identities import hashes, identities
from pipeline.facts.repeats.window import Window
from tests.property.facts_model import Rec

NOW = 1_772_368_496_789


def test_an_identity_is_the_same_in_every_process_and_release() -> None:
    found = identities(
        ["/gateway"] * 3 + ["/gatewäy"], ["req-1", "req-12345678", "é" * 99, "req-1"]
    )
    assert [f"{one:016x}" for one in found.tolist()] == [
        "97dbf93c2bb347f9",
        "32d51d20054b63af",
        "7e4829840321ffa5",
        "12df0627345f442b",
    ]


def test_an_identity_does_not_depend_on_its_neighbours() -> None:
    seeded = random.Random(1)
    texts = ["x" * n + "é" * (n % 3) for n in range(1, 257)] + ["a", "a\0", "a\0\0", "\0a"]
    names = [seeded.choice(["s", "source", "ß"]) for _ in texts]
    together = identities(names, texts).tolist()
    alone = [int(identities([n], [t])[0]) for n, t in zip(names, texts, strict=True)]
    assert together == alone
    assert len(set(hashes(texts).tolist())) == len(texts)


def test_source_and_id_are_not_interchangeable() -> None:
    pairs = [("a", "b"), ("b", "a"), ("ab", "c"), ("a", "bc"), ("a", "a"), ("b", "b")]
    assert len(set(identities(*zip(*pairs, strict=True)).tolist())) == len(pairs)


@pytest.mark.parametrize("pattern", ["{}", "req-{:016x}", "{:08x}-0000-4000-8000-{:012x}"])
def test_ids_that_count_up_spread_like_random_ones(pattern: str) -> None:
    found = hashes([pattern.format(n, n * 7) for n in range(100_000)])
    assert len(np.unique(found)) == 100_000
    for half in (found >> np.uint64(32), found & np.uint64(2**32 - 1)):
        assert len(np.unique(half)) > 100_000 - 15  # 1.2 pairs are expected
    for shift in range(0, 64, 8):
        octets = np.bincount(((found >> np.uint64(shift)) & np.uint64(255)).astype(np.int64))
        assert octets.min() > 270  # of 391 on average, give or take 20
        assert octets.max() < 520


def test_a_full_window_takes_16_bytes_an_id_and_stays_so() -> None:
    drawn = np.random.default_rng(3)
    window, sizes = 100_000, []
    one = Window(window)
    for first in range(0, 5 * window, 5000):
        new = drawn.integers(0, 2**64, 5000, dtype=np.uint64)
        assert not one.repeated(new, np.arange(first, first + 5000)).any()
        sizes.append(one.size_bytes)
    assert sizes[20:] == sizes[20:21] * 80
    assert sizes[-1] < 16 * window


@pytest.mark.parametrize("digits", [1022, 1023])
@pytest.mark.parametrize("before", range(0, 130, 3))
def test_costs_of_too_many_characters_are_found_wherever_they_stand(
    digits: int, before: int
) -> None:
    text = "0." + "1" * digits
    data = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1}
    event = {"specversion": "1.0", "id": "1" * (before + 1), "source": "s", "subject": "t"}
    whole = json.dumps(event | {"type": "usage.request.v1", "data": data})
    facts = Facts(REQUESTS)
    value = whole[:-2].encode() + b',"cost":' + text.encode() + b"}}"
    reader("usage.requests", Rules()).read([Rec(0, NOW, (), value)], facts)
    assert (facts.counted, facts.rejected) == ((1, 0) if len(text) <= 1024 else (0, 1))


def test_costs_read_as_doubles_are_those_of_their_decimals() -> None:
    seeded = random.Random(5)
    texts = ["0.0000000005", "0.0000000015", "0.00000000050000000000000001", "999.9999999995"]
    texts += ["1e-400", "999999.9999999995", "999999999.999999999", "0", "-0.0", "1e-9", "123"]
    for _ in range(20_000):
        digits = "".join(seeded.choices("0123456789", k=seeded.randrange(1, 19)))
        texts.append(f"{seeded.randrange(10 ** seeded.randrange(1, 9))}.{digits}")
        texts.append(f"{seeded.randrange(10**6)}.{seeded.randrange(10**9):09}5")
    found: list[Any] = [float(text) for text in texts]
    nanos, unpriced, odd = costs(found)
    odd_ones = set(odd)
    assert not unpriced
    for place, text in enumerate(texts):
        assert place in odd_ones or nanos[place] == cost_nanos(text), text
    assert odd_ones >= {0, 1, 2, 3, 5, 6, 8}
    ordinary = [float(f"{seeded.randrange(1000)}.{seeded.randrange(10**6):06}") for _ in texts]
    assert costs(ordinary).odd == []
