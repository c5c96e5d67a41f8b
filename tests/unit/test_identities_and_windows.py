"""Identities are stable, the window is compact, and numbers read as doubles are exact."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import numpy as np
import pytest

from pipeline.facts import REQUESTS, Rules, reader
from pipeline.facts.bulk.costs import costs
from pipeline.facts.exact.requests import cost_nanos
from pipeline.facts.python_facts import PythonFacts
from pipeline.facts.repeats.identities import hashes, identities
from pipeline.facts.repeats.window import Window
from tests.property.facts_model import Rec

NOW = 1_772_368_496_789


def test_an_identity_is_the_same_in_every_process_and_release() -> None:
    found = identities(
        ["acme"] * 4 + ["größe"],
        ["/gateway"] * 3 + ["/gatewäy", "/gateway"],
        ["req-1", "req-12345678", "é" * 99, "req-1", "req-1"],
    )
    assert [f"{one:016x}" for one in found.tolist()] == [
        "c731a223b6650471",
        "2d4f50c97761d943",
        "a2cf6ae9a233b029",
        "3118d397e440fde9",
        "dd139a22861d89e5",
    ]


def test_an_identity_does_not_depend_on_its_neighbours() -> None:
    seeded = random.Random(1)
    texts = ["x" * n + "é" * (n % 3) for n in range(1, 257)] + ["a", "a\0", "a\0\0", "\0a"]
    names = [seeded.choice(["s", "source", "ß"]) for _ in texts]
    tenants = [seeded.choice(["t", "tenant", "ü"]) for _ in texts]
    together = identities(tenants, names, texts).tolist()
    each = zip(tenants, names, texts, strict=True)
    alone = [int(identities([t], [n], [i])[0]) for t, n, i in each]
    assert together == alone
    assert len(set(hashes(texts).tolist())) == len(texts)


def test_tenant_source_and_id_are_not_interchangeable() -> None:
    names = ["a", "b", "ab", "c", "bc"]
    events = list(itertools.product(names, names, names))
    assert len(set(identities(*zip(*events, strict=True)).tolist())) == len(events)


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


def test_a_full_window_takes_21_bytes_an_id_and_stays_so() -> None:
    drawn = np.random.default_rng(3)
    window, sizes = 100_000, []
    one = Window(window)
    for first in range(0, 5 * window, 5000):
        new = drawn.integers(0, 2**64, 5000, dtype=np.uint64)
        said = np.zeros(5000, np.uint32)
        assert not one.repeats(new, said, np.arange(first, first + 5000)).repeated.any()
        sizes.append(one.size_bytes)
    assert sizes[20:] == sizes[20:21] * 80
    assert sizes[-1] < 20.5 * window


@pytest.mark.parametrize("digits", [1022, 1023])
@pytest.mark.parametrize("before", range(0, 130, 3))
def test_costs_of_too_many_characters_are_found_wherever_they_stand(
    digits: int, before: int
) -> None:
    text = "0." + "1" * digits
    data = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1}
    event = {"specversion": "1.0", "id": "1" * (before + 1), "source": "s", "subject": "t"}
    whole = json.dumps(event | {"type": "usage.request.v1", "data": data})
    facts = PythonFacts(REQUESTS)
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
