"""Which events are duplicates: a window of hashes in compact arrays, read and filled in batches.

Each identity has two buckets of eight places, and stands in the emptier one; a place is the 64-bit
hash (8 bytes) and the offset of the last event that had it (4 bytes). What fell out of the window
leaves its place by its offset alone, so nothing is ever swept. The table grows when identities no
longer find a place (``docs/decisions/duplicates.md`` has the measurements).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.identities import Hashes

Offsets = NDArray[np.int64]

_PLACES = 8
_ONES = np.uint64(0x0101010101010101)  # eight booleans, seen as one number
_FIRST_BUCKETS = 128
_GROWTH = 1.5
_HOMELESS_SHARE = 128
"""The table grows when more than one identity for so many places found none."""
_REACH = 2**32 - 1
"""Offsets are kept as 32 bits from a base that moves along."""


class _Candidates(NamedTuple):
    """Two buckets per hash: all first ones, then all second ones."""

    buckets: NDArray[np.int64]
    keys: NDArray[np.uint64]
    """The hashes in each bucket, eight to a row."""


class Window:
    """The identities of the last ``window`` offsets of a partition.

    The offsets given must not fall, from call to call either.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._base: int | None = None
        self._homeless: dict[int, int] = {}
        """Offsets of hashes that found no place."""
        self._keys, self._lasts = _empty(_FIRST_BUCKETS)

    def __len__(self) -> int:
        """How many places hold something, what fell out of the window included."""
        return int(np.count_nonzero(self._lasts)) + len(self._homeless)

    @property
    def size_bytes(self) -> int:
        """Of the arrays."""
        return int(self._keys.nbytes + self._lasts.nbytes)

    def repeated(self, hashes: Hashes, offsets: Offsets) -> NDArray[np.bool_]:
        """Which of these valid events are duplicates; from now on all of them are known.

        One hash and one offset per event, in the log's order.
        """
        if not len(hashes):
            return np.zeros(0, np.bool_)
        if len(hashes) > 1 and int(offsets[-1] - offsets[0]) + self._window >= _REACH:
            half = len(hashes) // 2  # never seen: a hole in the log of milliards of offsets
            parts = (slice(half), slice(half, None))
            return np.concatenate([self.repeated(hashes[p], offsets[p]) for p in parts])
        lasts = self._relative(offsets)
        repeats = _repeats(hashes)
        if repeats is None:
            before = self._swap(hashes, lasts)
        else:
            order, first, last = repeats
            before = np.empty(len(hashes), np.int64)
            before[order[1:]] = lasts[order[:-1]]
            before[order[first]] = self._swap(hashes[order[first]], lasts[order[last]])
        return lasts - before <= self._window

    def _relative(self, offsets: Offsets) -> Offsets:
        """Offsets from the base; never so small that what was never written is in the window."""
        base = int(offsets[0]) - self._window - 1
        if self._base is None:
            self._base = base
        elif int(offsets[-1]) - self._base > _REACH:
            self._move(base - self._base)
            self._base = base
        return offsets - self._base

    def _move(self, by: int) -> None:
        """Subtract from all offsets; 0 stands for all that fell out of the window."""
        self._lasts = np.maximum(self._lasts.astype(np.int64) - by, 0).astype(np.uint32)
        self._homeless = {hash_: last - by for hash_, last in self._homeless.items() if last > by}

    def _swap(self, hashes: Hashes, lasts: Offsets) -> Offsets:
        """The offset that each of these distinct hashes had, a long past one if none; set anew."""
        found = self._candidates(hashes)
        before = np.full(len(hashes), -self._window - 1, np.int64)
        new = np.ones(len(hashes), np.bool_)
        rows, places = np.nonzero(found.keys == np.tile(hashes, 2)[:, None])
        if len(rows):
            which, buckets = rows % len(hashes), found.buckets[rows]
            before[which] = self._lasts[buckets, places]
            self._lasts[buckets, places] = lasts[which]
            new[which] = False
        if self._homeless:
            self._swap_homeless(hashes, lasts, before, new)
        self._insert(hashes[new], lasts[new], int(lasts.max()) - self._window)
        return before

    def _swap_homeless(
        self, hashes: Hashes, lasts: Offsets, before: Offsets, new: NDArray[np.bool_]
    ) -> None:
        for at, hash_ in enumerate(hashes.tolist()):
            if hash_ in self._homeless:
                before[at] = self._homeless[hash_]
                self._homeless[hash_] = int(lasts[at])
                new[at] = False

    def _candidates(self, hashes: Hashes) -> _Candidates:
        buckets = _buckets(hashes, len(self._keys))
        return _Candidates(buckets, self._keys[buckets])

    def _insert(self, hashes: Hashes, lasts: Offsets, oldest: int) -> None:
        """Give these unknown, distinct hashes places; all before ``oldest`` have left theirs."""
        while len(hashes):
            buckets = _buckets(hashes, len(self._keys))
            taken = (self._lasts[buckets] >= max(oldest, 1)).view(np.uint64)[:, 0]
            first, second = np.bitwise_count(taken).reshape(2, -1)
            emptier = np.arange(len(hashes)) + np.where(first <= second, 0, len(hashes))
            buckets, taken = buckets[emptier], taken[emptier]
            full = taken == _ONES
            if full.any():
                self._leave_homeless(hashes[full], lasts[full])
                fits = ~full
                hashes, lasts, buckets, taken = (
                    hashes[fits],
                    lasts[fits],
                    buckets[fits],
                    taken[fits],
                )
            places = _first_free(taken)
            self._keys[buckets, places] = hashes
            self._lasts[buckets, places] = lasts
            lost = self._keys[buckets, places] != hashes  # to another one of the same batch
            hashes, lasts = hashes[lost], lasts[lost]
        if len(self._homeless) * _HOMELESS_SHARE > self._keys.size:
            self._make_room(oldest)

    def _leave_homeless(self, hashes: Hashes, lasts: Offsets) -> None:
        self._homeless.update(zip(hashes.tolist(), lasts.tolist(), strict=True))

    def _make_room(self, oldest: int) -> None:
        """Forget the homeless that fell out of the window; if it does not do, grow."""
        homeless = {hash_: last for hash_, last in self._homeless.items() if last >= oldest}
        self._homeless = homeless
        if len(homeless) * _HOMELESS_SHARE * 2 <= self._keys.size:
            return
        known = self._lasts >= max(oldest, 1)
        hashes, lasts = self._keys[known], self._lasts[known].astype(np.int64)
        self._homeless = {}
        self._keys, self._lasts = _empty(int(len(self._keys) * _GROWTH) + 1)
        self._insert(
            np.concatenate((hashes, np.array(list(homeless), np.uint64))),
            np.concatenate((lasts, np.array(list(homeless.values()), np.int64))),
            oldest,
        )


def _empty(buckets: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Hashes and offsets, a row per bucket."""
    shape = (buckets, _PLACES)
    return np.zeros(shape, np.uint64), np.zeros(shape, np.uint32)


def _repeats(hashes: Hashes) -> tuple[NDArray[np.int64], ...] | None:
    """None if they are distinct; else their order, and in it each one's first and last place."""
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    order = np.argsort(hashes, kind="stable")
    changes = np.flatnonzero(ordered[1:] != ordered[:-1])
    return (
        order,
        np.concatenate(([0], changes + 1)),
        np.concatenate((changes, [len(hashes) - 1])),
    )


def _buckets(hashes: Hashes, count: int) -> NDArray[np.int64]:
    """All first buckets, then all second ones: of the upper and of the lower half of each hash."""
    halves = np.concatenate((hashes >> np.uint64(32), hashes & np.uint64(0xFFFFFFFF)))
    halves *= np.uint64(count)
    halves >>= np.uint64(32)
    return halves.view(np.int64)


def _first_free(taken: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The first of eight places that is not taken; one at least is not."""
    free = taken ^ _ONES
    lowest = free & (~free + np.uint64(1))
    return (np.bitwise_count(lowest - np.uint64(1)) >> 3).astype(np.int64)
