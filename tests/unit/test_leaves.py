"""Leaves of properties, by the examples that hold for readers in any language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.facts.bulk.leaves import leaves
from pipeline.facts.exact.json_values import decode
from pipeline.facts.exact.leaves import leaves_of, number_leaf

GOLDEN = Path(__file__).parents[1] / "support" / "golden" / "leaves.json"
EXAMPLES = json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["what"])
def test_properties_come_to_their_golden_leaves(example: dict[str, Any]) -> None:
    octets = example["properties"].encode()
    assert leaves_of(decode(octets, 8)) == example["leaves"]
    assert list(leaves([octets, octets])) == [example["leaves"]] * 2


def test_a_number_takes_time_by_its_length_whatever_its_exponent() -> None:
    assert number_leaf("1e" + "9" * 100_000).startswith("x1e999")
    assert number_leaf("0." + "0" * 100_000 + "1e100001") == "n1"


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number of JSON: Infinity"):
        number_leaf("Infinity")
