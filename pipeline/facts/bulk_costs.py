"""Many costs at a time, exactly: digits weighted by their place, in 64-bit integers.

A plain decimal (``0.001234``, up to 9 digits on either side of the point) is the sum of its digits
times powers of ten. Everything else (exponents, more digits, strings) goes one by one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.facts.requests import COST_DIGITS, COST_PLACES, cost_nanos

_COMMA, _POINT, _ZERO, _QUOTE = b',.0"'
_REACH = 32
"""Places beyond this many from the point are treated alike."""

_DECODER = msgspec.json.Decoder(str)
_ABSENT = frozenset({b"", b"null"})


def _weights() -> NDArray[np.int64]:
    """By place relative to the point, shifted by ``_REACH``: what a one there is in nano-units."""
    weights = np.full(2 * _REACH + 1, -1, np.int64)
    weights[_REACH] = 0
    for place in range(1, COST_DIGITS + 1):
        weights[_REACH - place] = 10 ** (COST_PLACES + place - 1)
    for place in range(1, COST_PLACES + 1):
        weights[_REACH + place] = 10 ** (COST_PLACES - place)
    return weights


_WEIGHTS = _weights()


class Costs(NamedTuple):
    """Of many requests."""

    nanos: list[int]
    """0 where there is no cost."""
    unpriced: list[int]
    """The places without one."""
    invalid: list[int]
    """The places that hold no valid cost."""


def costs(raws: Sequence[msgspec.Raw]) -> Costs:
    """The costs in nano-units; each raw is one valid JSON value, or empty where it is absent."""
    line = b",".join(raws) + b","
    text = np.frombuffer(line, np.uint8)
    ends = np.flatnonzero(text == _COMMA)
    if len(ends) != len(raws):  # a string with a comma in it
        return _one_by_one(raws, [0] * len(raws), range(len(raws)))
    nanos, odd = _plain(text, ends)
    return _one_by_one(raws, nanos, odd)


def _plain(text: NDArray[np.uint8], ends: NDArray[np.int64]) -> tuple[list[int], Sequence[int]]:
    """Nano-units of the plain ones, and the places of the others, empty ones included."""
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    lengths = ends - starts
    points = np.flatnonzero(text == _POINT)
    tokens = np.searchsorted(ends, points)
    point = ends.copy()
    point[tokens] = points
    relative = np.arange(len(text)) - np.repeat(point, lengths + 1)
    weights = _WEIGHTS[np.clip(relative, -_REACH, _REACH) + _REACH]
    digits = text - np.uint8(_ZERO)
    digits[points] = digits[ends] = 0
    strange = (digits > 9) | (weights < 0)
    nanos: list[int] = np.add.reduceat(digits * weights, starts).tolist()
    odd = lengths == 0
    if strange.any():
        odd |= np.add.reduceat(strange, starts, dtype=np.int64) > 0
    return nanos, np.flatnonzero(odd).tolist()


def _one_by_one(raws: Sequence[msgspec.Raw], nanos: list[int], places: Sequence[int]) -> Costs:
    unpriced, invalid = [], []
    for place in places:
        token = bytes(raws[place])
        if token in _ABSENT:
            nanos[place] = 0
            unpriced.append(place)
            continue
        found = cost_nanos(_DECODER.decode(token) if token[0] == _QUOTE else token.decode())
        if found is None:
            invalid.append(place)
        else:
            nanos[place] = found
    return Costs(nanos, unpriced, invalid)
