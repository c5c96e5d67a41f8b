"""Requests whose parts are greater than their whole: they are counted as sent, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.facts.columns import Column
from pipeline.facts.heads import REQUESTS
from pipeline.facts.interface import Head

INCONSISTENT = "inconsistent"

WHOLES = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "output_tokens": ("reasoning_output_tokens",),
}
"""The token counts, and which others are parts of each; no part overlaps another."""


def count(head: Head, rows: Sequence[Column]) -> int:
    """How many of the counted requests have parts that are greater than their whole."""
    if head != REQUESTS or not len(rows[0]):
        return 0
    columns: dict[str, Any] = {
        name: column for (name, _), column in zip(head.columns, rows, strict=True)
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
