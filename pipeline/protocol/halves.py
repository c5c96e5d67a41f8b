"""Which events of a chunk the store refuses, found by halves. Pure but for what it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST_REFUSED = 1000
"""More than this in one chunk, and it is not about values."""

Refusal = Callable[[Sequence[int]], str | None]
"""The store's sentence on these rows together, by number; None where it takes them."""


class TooManyRefused(Exception):
    """The store refuses so much that it cannot be about single values."""


def refused_rows(rows: int, refusal: Refusal) -> dict[int, str]:
    """Return the rows that must be left out, with what the store says of each.

    In log order, a row stays if the store takes it together with all the rows before it that stay:
    so a sum that only overflows with the third of three rows leaves out the third, whoever asks.
    Asks some 2 · log2(rows) times for each row that is refused.
    """
    kept: list[int] = []
    refused: dict[int, str] = {}

    def look_at(first: int, end: int) -> None:
        sentence = refusal([*kept, *range(first, end)])
        if sentence is None:
            kept.extend(range(first, end))
        elif end - first == 1:
            refused[first] = sentence
            if len(refused) > MOST_REFUSED:
                raise TooManyRefused(sentence)
        else:
            middle = (first + end) // 2
            look_at(first, middle)
            look_at(middle, end)

    if rows:
        look_at(0, rows)
    return refused
