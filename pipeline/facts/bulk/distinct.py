"""Which of many pairs of numbers are equal, without sorting them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

_SLOTS = 1 << 16
_ROUNDS = 6
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def distinct(first: Numbers, second: Numbers) -> tuple[Places, Places]:
    """The places of the distinct pairs, one each; and which of these the pair at each place is.

    All pairs of a slot are compared with the one that was put there last; those that differ try
    other slots. What is left after some rounds is told by a dictionary, so that it ends whatever
    they are.
    """
    number = np.empty(len(first), np.int64)
    places: list[Places] = []
    count, left = 0, np.arange(len(first))
    table = np.empty(_SLOTS, np.int64)
    for turn in range(_ROUNDS):
        if not len(left):
            break
        mixed = (first[left] ^ np.uint64(turn)) * _FIRST ^ second[left] * _SECOND
        slots = ((mixed ^ mixed >> np.uint64(29)) * _FIRST) >> np.uint64(48)
        table[slots] = left
        like = table[slots]
        mine = left[like == left]
        number[mine] = np.arange(count, count + len(mine))
        places.append(mine)
        count += len(mine)
        same = (first[like] == first[left]) & (second[like] == second[left])
        number[left[same]] = number[like[same]]
        left = left[~same]
    known: dict[tuple[int, int], int] = {}
    pairs = zip(first[left].tolist(), second[left].tolist(), strict=True)
    rest = np.array([known.setdefault(pair, len(known)) for pair in pairs], np.int64)
    number[left] = rest + count
    places.append(left[np.unique(rest, return_index=True)[1]])
    return np.concatenate(places), number
