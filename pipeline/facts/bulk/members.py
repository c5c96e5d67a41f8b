"""The members of all objects in many JSON texts at once, by position, without parsing one of them.

The texts are well formed and hold no backslash, so a quote always begins or ends a string. Without
white space between them, the first byte of a value says what it is, and where the next key begins
says where a value ends, and how many objects end with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets = NDArray[np.uint8]

QUOTE, OPEN, CLOSE, ARRAY, ARRAY_END, COLON, SPACE = b'"{}[]: '
PADDING = 24
"""Bytes of 0 behind the texts, so that whatever is read of a value's beginning is there."""


class Members(NamedTuple):
    """The members, in order; one item each. Positions are in ``octets``."""

    octets: Octets
    """All texts, joined, without white space outside of strings; ``PADDING`` behind them."""
    event: Places
    """Which text each is of."""
    key: Places
    """Where its key begins, behind the quote."""
    key_end: Places
    start: Places
    """Where its value begins: a string's behind the quote, an object's behind the brace."""
    end: Places
    """Behind its value, a string's without the quote; an object's value ends where it begins."""
    first: Octets
    """The byte that the value begins with: QUOTE, OPEN, ARRAY, or a scalar's."""
    depth: Places
    """1 in the text's own object."""
    above: Places
    """The member whose value is the object that it is in; -1 for those of the text itself."""
    is_empty: Mask
    """Whether its value is an object without members."""


def members(texts: Sequence[bytes]) -> Members:
    """Find the members of texts; one may be empty."""
    octets, quotes, ends = _compact(texts)
    quotes, array_ends = _outside_arrays(octets, quotes)
    closing = quotes[1::2]
    keys = np.flatnonzero(octets[closing + 1] == COLON)
    opening, key_end = quotes[::2][keys], closing[keys]
    start = key_end + 2
    first = octets[start]
    upto = np.searchsorted(opening, ends)
    counts = np.diff(upto, prepend=0)
    # Up to here it may go on: to the comma before the next key, or to the text's end.
    end = np.empty_like(start)
    end[:-1] = opening[1:] - 1
    filled = np.flatnonzero(counts)
    last = upto[filled] - 1
    end[last] = ends[filled]
    room = end.copy()
    is_text, is_object, is_array = first == QUOTE, first == OPEN, first == ARRAY
    start += is_text | is_object
    is_empty = is_object & (octets[start] == CLOSE)
    strings = np.flatnonzero(is_text)
    end[strings] = closing[keys[strings] + 1]
    end[is_object] = start[is_object]
    end[is_array] = array_ends + 1
    scalars = np.flatnonzero(~(is_text | is_object | is_array))
    end[scalars] = _before_braces(octets, end[scalars])
    # -1 for an object that has members: the next one's key begins within it.
    closed = room - end - is_text - is_empty
    closed[last] -= 1
    depth = 1 + closed - np.cumsum(closed)
    return Members(
        octets=octets,
        event=np.repeat(np.arange(len(texts)), counts),
        key=opening + 1,
        key_end=key_end,
        start=start,
        end=end,
        first=first,
        depth=depth,
        above=_above(depth, is_object),
        is_empty=is_empty,
    )


def _compact(texts: Sequence[bytes]) -> tuple[Octets, Places, Places]:
    """The texts as one, without white space; where it has quotes; and where each text ends."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    octets = np.frombuffer(bytearray().join([*texts, bytes(PADDING)]), np.uint8)
    quotes = np.flatnonzero(octets == QUOTE)
    blanks = np.flatnonzero(octets[:-PADDING] <= SPACE)
    blanks = blanks[np.searchsorted(quotes, blanks) & 1 == 0]
    if not len(blanks):
        return octets, quotes, ends
    kept = np.ones(len(octets), np.bool_)
    kept[blanks] = False
    quotes -= np.searchsorted(blanks, quotes)
    return octets[kept], quotes, ends - np.searchsorted(blanks, ends)


def _outside_arrays(octets: Octets, quotes: Places) -> tuple[Places, Places]:
    """The quotes without those inside of arrays; and where the outermost of these end."""
    brackets = np.flatnonzero((octets == ARRAY) | (octets == ARRAY_END))
    brackets = brackets[np.searchsorted(quotes, brackets) & 1 == 0]
    if not len(brackets):
        return quotes, brackets
    begins = octets[brackets] == ARRAY
    depth = np.cumsum(np.where(begins, 1, -1))
    outermost = begins & (depth == 1) | (depth == 0)
    edges = np.append(np.searchsorted(quotes, brackets[outermost]), len(quotes))
    outside = np.ones(len(edges), np.bool_)
    outside[1::2] = False
    kept = quotes[np.repeat(outside, np.diff(edges, prepend=0))]
    return kept, brackets[outermost][1::2]


def _before_braces(octets: Octets, end: Places) -> Places:
    """The ends of scalars, given where the braces behind each end."""
    more = np.flatnonzero(octets[end - 1] == CLOSE)
    while len(more):
        end[more] -= 1
        more = more[octets[end[more] - 1] == CLOSE]
    return end


def _above(depth: Places, is_object: Mask) -> Places:
    """The number of the member whose value each is in, or -1."""
    above = np.full(len(depth), -1)
    for level in range(2, int(depth.max(initial=1)) + 1):
        inner = np.flatnonzero(depth == level)
        objects = np.flatnonzero(is_object & (depth == level - 1))
        above[inner] = objects[np.searchsorted(objects, inner) - 1]
    return above
