"""Identities: a stable 64-bit hash of an event's tenant, ``source`` and ``id``, many at a time.

It depends on the strings alone, not on the process as ``hash`` does: whether an event is a
duplicate is then a pure function of the log, collisions included. The UTF-8 bytes are cut into
words of 8; each word is mixed with a constant of its place, and the sum is mixed once more.
"""

from array import array
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_WORD = 8  # bytes
_SCALE = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's finalizer, as its other constant below
_LAST_SCALE = np.uint64(0xC4CEB9FE1A85EC53)
_LONG = 64  # code points
_GOLDEN = 0x9E3779B97F4A7C15
_MANY_BYTES = 4
"""A code point of UTF-8 has at most so many bytes."""


def identities(tenants: Sequence[str], sources: Sequence[str], ids: Sequence[str]) -> Hashes:
    """A hash of each event's three names; at least one event."""
    of_tenant = hashes(tenants[:1] if _are_same(tenants) else tenants)
    return _mixed(hashes(ids) + _of_few(sources) * _SCALE + of_tenant * _LAST_SCALE)


def _are_same(names: Sequence[str]) -> bool:
    return names.count(names[0]) == len(names)


def _of_few(names: Sequence[str]) -> Hashes:
    """A hash of each name, where few are distinct and some are long; one if they are the same."""
    if _are_same(names):
        return hashes(names[:1])
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return hashes(list(numbers))[[numbers[name] for name in names]]


def hashes(texts: Sequence[str]) -> Hashes:
    """A hash of each text; at least one. NUL bytes count, for the length is mixed in."""
    lengths = _lengths(texts)
    is_long = lengths > _LONG
    if not is_long.any() or is_long.all():
        return _hashes(texts, lengths)
    found = np.empty(len(texts), np.uint64)
    for which in (is_long, ~is_long):  # a long one must not make all others as long
        found[which] = _hashes(list(compress(texts, which)), lengths[which])
    return found


def _hashes(texts: Sequence[str], lengths: NDArray[np.uint64]) -> Hashes:
    words, octets = _words(texts, lengths)
    mixed = _mixed(words, _scales(words.shape[1]))
    return _mixed(mixed.sum(axis=1, dtype=np.uint64) + octets * np.uint64(_GOLDEN))


def _words(
    texts: Sequence[str], lengths: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """A row of words per text, filled up with zeros, which add nothing; the lengths in bytes."""
    line = "".join(texts).encode()
    if len(line) != lengths.sum():  # not ASCII
        parts = [text.encode() for text in texts]
        lengths = _lengths(parts)
        width = _whole(int(lengths.max()))
        line = b"".join([part.ljust(width, b"\0") for part in parts])
        return _read(line, width), lengths
    longest = int(lengths.max())
    width = _whole(longest)
    if int(lengths.min()) < longest:
        line = "".join([text.ljust(width, "\0") for text in texts]).encode()
    elif longest < width:
        filled = np.zeros((len(texts), width), np.uint8)
        filled[:, :longest] = np.frombuffer(line, np.uint8).reshape(-1, longest)
        line = filled.tobytes()
    return _read(line, width), lengths


def _lengths(texts: Sequence[str | bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(array("Q", list(map(len, texts))), np.uint64)


def _read(line: bytes, width: int) -> NDArray[np.uint64]:
    return np.frombuffer(line, "<u8").reshape(-1, width // _WORD)


def _whole(length: int) -> int:
    """A length in bytes, rounded up to whole words."""
    return -(-length // _WORD) * _WORD


def _mixed(words: NDArray[np.uint64], scale: NDArray[np.uint64] | np.uint64 = _SCALE) -> Hashes:
    """Each word mixed, one to one; 0 stays 0."""
    words = words ^ (words >> np.uint64(32))
    words *= scale
    words ^= words >> np.uint64(29)
    words *= _LAST_SCALE
    words ^= words >> np.uint64(32)
    return words


def _scales(count: int) -> NDArray[np.uint64]:
    """Odd, a different one for each place."""
    return _SCALES[:count]


_SCALES = np.array(
    [(_GOLDEN * (2 * place + 1)) % 2**64 | 1 for place in range(256 * _MANY_BYTES // _WORD)],
    np.uint64,
)
