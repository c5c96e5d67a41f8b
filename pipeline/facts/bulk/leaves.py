"""The leaves of many events' properties at a time, a pass over all their bytes for each step.

Before every value there are two bytes at least that say nothing any more (the key's last quote and
a colon). Its size and tag are written there, and what stands between values is left out: that is
the column. Gives exactly what `exact.leaves` gives, or leaves an event to it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.bulk.distinct import distinct
from pipeline.facts.bulk.members import (
    ARRAY,
    OPEN,
    PADDING,
    QUOTE,
    Mask,
    Members,
    Octets,
    Places,
    members,
)
from pipeline.facts.columns import Maps, Texts
from pipeline.facts.exact.json_values import decode
from pipeline.facts.exact.leaves import MAX_FRACTION, escaped, leaf_of, leaves_of
from schemas.product_event import MAX_PROPERTIES_DEPTH

_PLAIN_ARRAY = re.compile(
    rb'\[(?:(?:"[^"]*"|-?[1-9][0-9]{0,17}|0|true|false|null)(?:,(?!\])|(?=\])))*\]'
)
"""An array that would be written as it is: without white space, of plain items."""

_WORD = 8
_LONGEST = PADDING
_LONGEST_DECIMAL = len("0.") + MAX_FRACTION
"""In characters; of a number that has no longer text, the digits are not too many."""
_ONE_BYTE, _TWO_BYTES = 1 << 7, 1 << 14
"""Sizes below are written in so many bytes."""
_WITHIN = np.array([(1 << 8 * n) - 1 for n in range(_WORD + 1)], np.uint64)
_ONES, _TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_MINUS, _POINT, _ZERO, _NINE = b"-.09"
_MANY = 1 << 22
_AT_ONCE_BYTES = 1 << 20
"""Some ten numbers are held for each mark, at the worst one of each byte."""


def leaves(properties: Sequence[bytes]) -> Maps:
    """The leaves of each event; ``properties`` are well-formed objects of JSON, or empty.

    They are in UTF-8 and nest no deeper than properties may.
    """
    column = Maps()
    first = held = 0
    for n, text in enumerate(properties):
        held += len(text)
        if held >= _AT_ONCE_BYTES:
            column.extend(_leaves(properties[first : n + 1]))
            first, held = n + 1, 0
    if not first:
        return _leaves(properties)
    column.extend(_leaves(properties[first:]))
    return column


def _leaves(properties: Sequence[bytes]) -> Maps:
    escaping = {n for n, text in enumerate(properties) if b"\\" in text}
    texts = properties
    if escaping:
        texts = [b"" if n in escaping else text for n, text in enumerate(properties)]
    together = _Together(texts)
    column = together.column()
    alone = escaping | together.unclear
    if not alone:
        return column
    places = sorted(alone)
    for n in places:
        column.append(leaves_of(decode(properties[n], MAX_PROPERTIES_DEPTH)))
    order = np.arange(len(texts))
    order[places] = np.arange(len(texts), len(column))
    return column.taken(order)


class _Together:
    """Texts of which no key and no string has a backslash."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._count = len(texts)
        found = members(texts)
        self._members, self._octets = found, found.octets
        self._paths, self._path = _paths(found)
        wrong = _repeated(self._count, len(self._paths), found.event, self._path)
        self._start, self._end = found.start, found.end
        is_text = found.first == QUOTE
        self._tag = np.where(is_text, np.uint8(ord("s")), np.uint8(ord("o")))
        self._is_leaf = (found.first != OPEN) | found.is_empty
        wrong.append(self._read_arrays())
        wrong.append(self._read_scalars())
        size = self._end - self._start + 1
        wrong.append(np.flatnonzero(size >= np.where(is_text, _TWO_BYTES, _ONE_BYTE)))
        unclear = found.event[np.concatenate(wrong)]
        self.unclear = set(unclear.tolist())
        """The texts that are to be read alone."""
        if self.unclear:
            is_unclear = np.zeros(self._count, np.bool_)
            is_unclear[unclear] = True
            self._is_leaf &= ~is_unclear[found.event]

    def _read_arrays(self) -> Places:
        """Tag arrays, and write them canonically; returns those that become longer by it."""
        arrays = np.flatnonzero(self._members.first == ARRAY)
        self._tag[arrays] = ord("a")
        text, unclear = self._octets.data, []
        for n in arrays.tolist():
            start, end = int(self._start[n]), int(self._end[n])
            if end - start < _ONE_BYTE and not _PLAIN_ARRAY.fullmatch(text, start, end):
                sent = bytes(text[start:end])
                leaf = leaf_of(decode(sent, MAX_PROPERTIES_DEPTH)).encode()[1:]
                if len(leaf) > len(sent):
                    unclear.append(n)
                else:
                    self._end[n] = start + len(leaf)
                    self._octets[start : start + len(leaf)] = np.frombuffer(leaf, np.uint8)
        return np.array(unclear, np.int64)

    def _read_scalars(self) -> Places:
        """Tag numbers, booleans and nulls, numbers canonically; returns those that are unclear."""
        octets, first = self._octets, self._members.first
        numbers = np.flatnonzero((first <= _NINE) & (first != QUOTE))
        self._tag[numbers] = ord("n")
        start, end, unclear = _canonical(octets, self._start[numbers], self._end[numbers])
        self._start[numbers], self._end[numbers] = start, end
        named = np.flatnonzero((first > _NINE) & (first != ARRAY) & (first != OPEN))
        word, start = first[named], self._start[named]
        self._is_leaf[named[word == ord("n")]] = False
        self._tag[named] = ord("b")
        octets[start] = np.where(word == ord("t"), np.uint8(ord("1")), np.uint8(ord("0")))
        self._end[named] = start + 1
        return numbers[unclear]

    def column(self) -> Maps:
        """The column; of a text that is empty or unclear, an empty row."""
        octets, leaf = self._octets, np.flatnonzero(self._is_leaf)
        start, end = self._start[leaf], self._end[leaf]
        size = end - start + 1
        octets[start - 1] = self._tag[leaf]
        octets[start - 2] = size
        long = size >= _ONE_BYTE
        begin = start - 2 - long
        if long.any():
            octets[start[long] - 3] = size[long] & 127 | 128
            octets[start[long] - 2] = size[long] >> 7
        edges = np.empty(2 * len(begin) + 1, np.int64)
        edges[:-1:2], edges[1::2], edges[-1] = begin, end, len(octets)
        inside = np.zeros(len(edges), np.bool_)
        inside[1::2] = True
        values = octets[np.repeat(inside, np.diff(edges, prepend=0))]
        counts = np.bincount(self._members.event[leaf], minlength=self._count)
        upto = np.append(0, np.cumsum(end - begin))[np.append(0, np.cumsum(counts))]
        return _column(self._paths, self._path[leaf], counts, values, np.diff(upto))


def _column(paths: list[str], path: Places, counts: Places, values: Octets, sizes: Places) -> Maps:
    column = Maps()
    column.keys = Texts.of(paths, path)
    column.counts = array("I", counts.astype(np.uint32).tobytes())
    column.values += values.data
    column.sizes = array("I", sizes.astype(np.uint32).tobytes())
    return column


def _paths(found: Members) -> tuple[list[str], Places]:
    """The distinct paths, and which is each member's."""
    first, key = _keys(found.octets, found.key, found.key_end)
    slices = zip(found.key[first].tolist(), found.key_end[first].tolist(), strict=True)
    names = [escaped(bytes(found.octets.data[a:b]).decode()) for a, b in slices]
    deepest = int(found.depth.max(initial=1))
    if deepest == 1:
        return names, key
    paths, path = list(names), key.copy()
    for level in range(2, deepest + 1):
        inner = np.flatnonzero(found.depth == level)
        above, last = path[found.above[inner]], key[inner]
        first, number = distinct(above.astype(np.uint64), last.astype(np.uint64))
        path[inner] = number + len(paths)
        pairs = zip(above[first].tolist(), last[first].tolist(), strict=True)
        paths += [f"{paths[up]}.{names[name]}" for up, name in pairs]
    return paths, path


def _keys(octets: Octets, start: Places, end: Places) -> tuple[Places, Places]:
    """The places of the distinct keys, one each; and which of these is each member's."""
    words = np.ndarray((len(octets) - _WORD + 1,), "<u8", octets, strides=(1,))
    size = end - start
    head = words[start] & _WITHIN[np.minimum(size, _WORD)]
    tail = words[np.minimum(start + _WORD, len(words) - 1)]
    tail &= _WITHIN[np.clip(size - _WORD, 0, _WORD)]
    long = np.flatnonzero(size > 2 * _WORD)
    if len(long):
        # No key has a byte of 0 to 31: so no short one is like these.
        known: dict[bytes, int] = {}
        slices = zip(start[long].tolist(), end[long].tolist(), strict=True)
        tail[long] = [known.setdefault(bytes(octets.data[a:b]), len(known)) for a, b in slices]
        head[long] = 1
    return distinct(head, tail)


def _repeated(events: int, paths: int, event: Places, path: Places) -> list[Places]:
    """Members of which there is another of the same path in the same text."""
    if events * paths <= _MANY:
        times = np.bincount(event * paths + path)
        return [np.flatnonzero(times[event * paths + path] > 1)] if times.max(initial=0) > 1 else []
    _, first, times = np.unique(event * paths + path, return_index=True, return_counts=True)
    return [first[times > 1]]


def _canonical(octets: Octets, start: Places, end: Places) -> tuple[Places, Places, Mask]:
    """Numbers without needless zeros: where they begin and end; and which are unclear."""
    is_long = end - start > _LONGEST
    has_point, has_exponent = _have(octets, start, np.where(is_long, start, end))
    end = end.copy()
    trailing = has_point & (octets[end - 1] == _ZERO)
    while trailing.any():
        end -= trailing
        trailing &= octets[end - 1] == _ZERO
    end -= has_point & (octets[end - 1] == _POINT)
    is_negative_zero = (end - start == 2) & (octets[start] == _MINUS) & (octets[end - 1] == _ZERO)
    is_long |= has_point & (end - start > _LONGEST_DECIMAL)
    return start + is_negative_zero, end, is_long | has_exponent


def _have(octets: Octets, start: Places, end: Places) -> tuple[Mask, Mask]:
    """Whether numbers have a point, and an exponent."""
    words = np.ndarray((len(octets) - _WORD + 1,), "<u8", octets, strides=(1,))
    point = exponent = np.zeros(len(start), np.bool_)
    for at in range(0, _LONGEST, _WORD):
        within = np.clip(end - start - at, 0, _WORD)
        if at and not within.any():
            break
        word = words[start + at] & _WITHIN[within]
        point = point | _has(word, ord("."))
        exponent = exponent | _has(word | _ONES * np.uint64(0x20), ord("e"))
    return point, exponent


def _has(words: NDArray[np.uint64], octet: int) -> Mask:
    """Whether one of a word's eight octets is this one."""
    other = words ^ (_ONES * np.uint64(octet))
    found: Mask = ((other - _ONES) & ~other & _TOPS) != 0
    return found
