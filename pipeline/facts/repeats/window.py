"""Which events are duplicates: a window of hashes in compact arrays, read and filled in batches.

A cuckoo table: each identity has two buckets of eight places and stands in one of them. A place is
the 64-bit hash (8 bytes) and the offset of the last event that had it (4 bytes). What falls out of
the window leaves its place by its offset alone, so nothing is ever swept. The table grows when it
takes too long to find places (``docs/decisions/duplicates.md`` has the measurements).
"""

import secrets

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.repeats.identities import Hashes

Offsets = NDArray[np.int64]
Buckets = NDArray[np.int64]
"""A row of first buckets and a row of second ones, a column per hash."""

_PLACES = 8
_ONES = np.uint64(0x0101010101010101)  # eight booleans, seen as one number
_GROWTH = 1.5
_FEW_BUCKETS = 1000  # 96 KB
_FULL = 0.8
"""What share of the places a window of one event per offset takes in the end."""
_ROUNDS = 24
"""The table grows when a batch has not found places after so many."""
_MOVED_AT_ONCE = 16_384
_REACH = 2**32 - 1
"""Offsets are kept as 32 bits from a base that moves along."""


class Window:
    """The identities of the last ``window`` offsets of a partition.

    The offsets given must not fall, from call to call either.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._base: int | None = None
        self._keys, self._lasts = _empty(_first_buckets(window))
        self._scatter = np.uint64(secrets.randbits(64) | 1)
        """Decides where hashes stand, nothing else: nobody can choose ids that crowd a bucket."""

    @property
    def size_bytes(self) -> int:
        """The bytes that the window's arrays take."""
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
        if _are_distinct(hashes):
            return lasts - self._swap(hashes, lasts) <= self._window
        order, first, last = _repeats(hashes)
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
            by, self._base = base - self._base, base
            self._lasts = np.maximum(self._lasts.astype(np.int64) - by, 0).astype(np.uint32)
        return offsets - self._base

    def _swap(self, hashes: Hashes, lasts: Offsets) -> Offsets:
        """The offset that each of these distinct hashes had, a long past one if none; set anew."""
        before = np.full(len(hashes), -self._window - 1, np.int64)
        buckets = self._buckets(hashes)
        hits = np.flatnonzero(_bytes(self._keys.take(buckets, axis=0) == hashes[:, None]))
        if len(hits):
            which, rows = hits % len(hashes), buckets.ravel()[hits]
            at, places = np.nonzero(self._keys[rows] == hashes[which, None])
            which, rows = which[at], rows[at]
            before[which] = self._lasts[rows, places]
            self._lasts[rows, places] = lasts[which]
            new = np.ones(len(hashes), np.bool_)
            new[which] = False
            hashes, lasts, buckets = hashes[new], lasts[new], buckets[:, new]
        if len(hashes):
            self._insert(hashes, lasts, buckets, max(int(lasts.max()) - self._window, 1))
        return before

    def _insert(self, hashes: Hashes, lasts: Offsets, buckets: Buckets, oldest: int) -> None:
        """Give these unknown, distinct hashes places; all before ``oldest`` have left theirs.

        Each goes into the emptier of its buckets; where both are full, it takes the place of one
        that then looks for another, and so on.
        """
        for turn in range(_ROUNDS):
            taken = _bytes(self._lasts.take(buckets, axis=0) >= oldest)
            numbers = np.bitwise_count(taken)
            second = numbers[1] < numbers[0]
            free = _first_free(np.where(second, taken[1], taken[0]))
            places = np.where(second, buckets[1], buckets[0]) * _PLACES + free
            full = np.flatnonzero(free == _PLACES)
            if len(full):
                places[full] = _someones(hashes[full], buckets[:, full], turn)
                driven = self._keys.take(places[full]), self._lasts.take(places[full])
            self._keys.reshape(-1)[places] = hashes
            self._lasts.reshape(-1)[places] = lasts
            lost = self._keys.take(places) != hashes  # to another one of the same batch
            if len(full):
                had = ~lost[full]
                hashes = np.concatenate((hashes[lost], driven[0][had]))
                lasts = np.concatenate((lasts[lost], driven[1][had].astype(np.int64)))
            else:
                hashes, lasts = hashes[lost], lasts[lost]
            if not len(hashes):
                return
            buckets = self._buckets(hashes)
        self._grow(hashes, lasts, oldest)

    def _grow(self, hashes: Hashes, lasts: Offsets, oldest: int) -> None:
        """Move into a larger table, these too."""
        known = self._lasts >= oldest
        hashes = np.concatenate((self._keys[known], hashes))
        kept = np.concatenate((self._lasts[known], lasts.astype(np.uint32)))
        buckets = round(len(self._keys) * _GROWTH) + 1
        self._keys, self._lasts = _empty(0)  # before there is a larger one
        self._keys, self._lasts = _empty(buckets)
        for first in range(0, len(hashes), _MOVED_AT_ONCE):
            moved = hashes[first : first + _MOVED_AT_ONCE]
            lasts = kept[first : first + _MOVED_AT_ONCE].astype(np.int64)
            self._insert(moved, lasts, self._buckets(moved), oldest)

    def _buckets(self, hashes: Hashes) -> Buckets:
        """By the upper and by the lower half of each scattered hash."""
        scattered = hashes * self._scatter
        halves = np.empty((2, len(hashes)), np.uint64)
        np.right_shift(scattered, np.uint64(32), out=halves[0])
        np.bitwise_and(scattered, np.uint64(0xFFFFFFFF), out=halves[1])
        halves *= np.uint64(len(self._keys))
        halves >>= np.uint64(32)
        return halves.view(np.int64)


def _first_buckets(window: int) -> int:
    """So few that growth ends at what the window needs."""
    buckets = window / _FULL / _PLACES
    while buckets > _FEW_BUCKETS:
        buckets /= _GROWTH
    return int(buckets) + 1


def _empty(buckets: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Hashes and offsets, a row per bucket."""
    shape = (buckets, _PLACES)
    return np.zeros(shape, np.uint64), np.zeros(shape, np.uint32)


def _are_distinct(hashes: Hashes) -> bool:
    """Whether they surely are, by their lower halves: those sort twice as fast."""
    ordered = np.sort(hashes.astype(np.uint32))
    return not (ordered[1:] == ordered[:-1]).any()


def _repeats(hashes: Hashes) -> tuple[NDArray[np.int64], ...]:
    """Their order, and in it each one's first and last place."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    changes = np.flatnonzero(ordered[1:] != ordered[:-1])
    return (
        order,
        np.concatenate(([0], changes + 1)),
        np.concatenate((changes, [len(hashes) - 1])),
    )


def _bytes(places: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Eight booleans of a bucket as the bytes of one number."""
    return places.view(np.uint64)[..., 0]


def _first_free(taken: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The first of eight places that is not taken; 8 if there is none."""
    free = taken ^ _ONES
    lowest = free & (~free + np.uint64(1))
    places: NDArray[np.int64] = np.bitwise_count(lowest - np.uint64(1)).astype(np.int64) >> 3
    return places


def _someones(hashes: Hashes, buckets: Buckets, turn: int) -> NDArray[np.int64]:
    """A place in one of the two buckets of each, another one in each turn."""
    luck = (hashes >> np.uint64(turn)).astype(np.int64)
    places: NDArray[np.int64] = np.where(luck & 8, buckets[0], buckets[1]) * _PLACES + (luck & 7)
    return places
