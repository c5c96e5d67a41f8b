"""The members of all objects in many JSON texts at once, by position, without parsing one of them.

The texts are well formed and hold no backslash, so a quote always begins or ends a string, and what
is a mark outside of strings is told from all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets = NDArray[np.uint8]

QUOTE, OPEN, CLOSE, ARRAY, ARRAY_END, COLON, COMMA = range(1, 8)
"""The marks of JSON, as numbers."""

_MARKS = bytes(max(0, b'_"{}[]:,'.find(octet)) for octet in range(256))


class Members(NamedTuple):
    """The members, in order; one item each. Positions are in all texts, joined."""

    event: Places
    """Which text each is of."""
    key: Places
    """Where its key begins, behind the quote."""
    key_end: Places
    start: Places
    """Where its value begins: a string's behind the quote, an object's behind the brace."""
    end: Places
    """Behind its value, a string's without the quote; an object's value ends where it begins."""
    mark: Octets
    """The mark that the value begins with; a scalar has none of QUOTE, OPEN, ARRAY."""
    depth: Octets
    """1 in the text's own object."""
    above: Places
    """The member whose value is the object that it is in; -1 for those of the text itself."""
    is_empty: Mask
    """Whether its value is an object without members."""


def members(text: bytes, sizes: Sequence[int]) -> Members:
    """Find the members of texts of these sizes, which are joined to one."""
    at, marks, array_ends = _outside_arrays(*_outside_strings(text))
    colons = np.flatnonzero(marks == COLON)
    # An object's last mark is its brace, so that two more follow on each colon's, but at the end.
    after, second = colons + 1, np.minimum(colons + 2, len(at) - 1)
    mark = marks[after]
    start, end = at[colons] + 1, at[after]
    is_text, is_array, is_object = mark == QUOTE, mark == ARRAY, mark == OPEN
    start = np.where(is_text | is_object, end + 1, start)
    end = np.where(is_text, at[second], end)
    end[is_object] += 1
    if is_array.any():
        start[is_array] = at[after[is_array]]
        end[is_array] = array_ends + 1
    depth, above = _depths(marks, colons)
    ends = np.searchsorted(at[colons], np.cumsum(sizes))
    return Members(
        event=np.repeat(np.arange(len(sizes)), np.diff(ends, prepend=0)),
        key=at[colons - 2] + 1,
        key_end=at[colons - 1],
        start=start,
        end=end,
        mark=mark,
        depth=depth,
        above=above,
        is_empty=is_object & (marks[second] == CLOSE),
    )


def _outside_strings(text: bytes) -> tuple[Places, Octets]:
    """The positions of all marks, those within strings left out, and which they are."""
    every = np.frombuffer(text.translate(_MARKS), np.uint8)
    at = np.flatnonzero(every != 0)  # of flags it is five times as fast as of numbers
    marks = every[at]
    quotes = marks == QUOTE
    outside = np.flatnonzero(quotes | ~np.logical_xor.accumulate(quotes))
    return at[outside], marks[outside]


def _outside_arrays(at: Places, marks: Octets) -> tuple[Places, Octets, Places]:
    """The marks without those inside of arrays; where these end is told apart."""
    begins, ends = marks == ARRAY, marks == ARRAY_END
    if not begins.any():
        return at, marks, at[:0]
    depth = np.cumsum(begins.astype(np.int8) - ends.astype(np.int8), dtype=np.int16)
    kept = np.flatnonzero((depth == 0) & ~ends | (depth == 1) & begins)
    return at[kept], marks[kept], at[ends & (depth == 0)]


def _depths(marks: Octets, colons: Places) -> tuple[Octets, Places]:
    """The depth of each colon, from 1; and the number of that whose object it is in, or -1.

    All that counts are braces and colons.
    """
    above = np.full(len(colons), -1)
    places = np.flatnonzero((marks == OPEN) | (marks == CLOSE) | (marks == COLON))
    found = marks[places]
    opens, is_colon = found == OPEN, found == COLON
    depth = np.cumsum(opens.view(np.int8) - (found == CLOSE).view(np.int8), dtype=np.int8)
    depths = depth[is_colon].view(np.uint8)
    deepest = int(depths.max(initial=1))
    # How many colons there are before an opening brace; the last of them is the member's above.
    before = np.cumsum(is_colon, dtype=np.int64) if deepest > 1 else above
    for level in range(2, deepest + 1):
        opened = np.where(opens & (depth == level), before, 0)
        inner = depths == level
        above[inner] = np.maximum.accumulate(opened)[is_colon][inner] - 1
    return depths, above
