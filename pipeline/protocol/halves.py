"""Which events of a chunk the store refuses, found by halves. Pure but for what it asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MOST_REFUSED = 1000
"""More than this in one chunk, and it is not about values."""

_ROW = re.compile(r"\bat row (\d+)\b")
"""How ClickHouse names a row of a block, from 1."""

Refusal = Callable[[Sequence[int]], str | None]
"""The store's sentence on these rows together, by number; None where it takes them."""


class TooManyRefused(Exception):
    """The store refuses so much that it cannot be about single values."""


def refused_rows(rows: int, refusal: Refusal, most: int = MOST_REFUSED) -> dict[int, str]:
    """Return the rows that must be left out, with what the store says of each.

    In log order, a row stays if the store takes it together with all the rows before it that stay:
    so a sum that only overflows with the third of three rows leaves out the third, whoever asks.
    Asks twice for each row that the store names, and some 2 · log2(rows) times for any other.
    Raises `TooManyRefused` where they are more than `most`.
    """
    left = list(range(rows))
    refused = _Refused(most)
    _take_named(left, refusal, refused)
    kept: list[int] = []

    def look_at(some: Sequence[int]) -> None:
        sentence = refusal([*kept, *some])
        if sentence is None:
            kept.extend(some)
        elif len(some) == 1:
            refused.add(some[0], sentence)
        else:
            middle = len(some) // 2
            look_at(some[:middle])
            look_at(some[middle:])

    if left:
        look_at(left)
    return refused.rows


def _take_named(left: list[int], refusal: Refusal, refused: _Refused) -> None:
    """Take the rows out of `left` that the store itself names, and refuses alone too.

    Such a row stays in no company: to look for it by halves would find it as well.
    """
    while (named := _ROW.search(refusal(left) or "")) and 0 < int(named[1]) <= len(left):
        row = left[int(named[1]) - 1]
        alone = refusal([row])
        if alone is None:
            break
        refused.add(row, alone)
        left.remove(row)


class _Refused:
    """The rows that are left out, up to so many."""

    def __init__(self, most: int) -> None:
        self.rows: dict[int, str] = {}
        self._most = most

    def add(self, row: int, sentence: str) -> None:
        self.rows[row] = sentence
        if len(self.rows) > self._most:
            raise TooManyRefused(sentence)
