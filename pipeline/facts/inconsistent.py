"""Requests whose parts are greater than their whole: they are counted as sent, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.facts.heads import REQUESTS
from pipeline.facts.interface import Facts

INCONSISTENT = "inconsistent"

WHOLES = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "output_tokens": ("reasoning_output_tokens",),
}
"""The token counts, and which others are parts of each; no part overlaps another."""


def count(facts: Facts) -> int:
    """How many of the counted requests have parts that are greater than their whole."""
    if facts.head != REQUESTS or not facts.counted:
        return 0
    columns: dict[str, Any] = {
        name: column for (name, _), column in zip(facts.head.columns, facts.columns, strict=True)
    }
    wrong: Any = False
    for whole, parts in WHOLES.items():
        # Unsigned numbers of 2 · 10^10 at most: their sum does not wrap.
        wrong |= sum(columns[part].numpy() for part in parts) > columns[whole].numpy()
    return int(wrong.sum())


def sentences(row: Mapping[str, int]) -> Iterator[str]:
    """What is inconsistent in a request's row (by column): found, and expected at the most."""
    for whole, parts in WHOLES.items():
        found = sum(row[part] for part in parts)
        if found > row[whole]:
            names = " + ".join(f"data.{part}" for part in parts)
            yield f"{names}: found {found}, expected up to {whole}, which is {row[whole]}."
