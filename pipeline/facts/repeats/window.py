"""Which events are duplicates: a window of hashes in compact arrays, read and filled in batches.

A cuckoo table: each identity has two buckets of eight places and stands in one of them. A place is
the 64-bit hash (8 bytes) and a mark of the last event that had it (8 bytes): its offset, and below
it the hash of its content. What falls out of the window leaves its place by its offset alone, so
nothing is ever swept. The table grows when it takes too long to find places
(``docs/decisions/duplicates.md`` has the measurements).
"""

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.contents import Contents
from pipeline.facts.repeats.identities import Hashes

Offsets = NDArray[np.int64]
Marks = NDArray[np.uint64]
"""Offsets from the base in the upper 32 bits, contents in the lower ones: marks order by offset."""
Buckets = NDArray[np.int64]
"""A row of first buckets and a row of second ones, a column per hash."""

_PLACES = 8
_ONES = np.uint64(0x0101010101010101)  # eight booleans, seen as one number
_GROWTH = 1.5
_FEW_BUCKETS = 1000  # 128 KB
_FULL = 0.8
"""What share of the places a window of one event per offset takes in the end."""
_ROUNDS = 24
"""The table grows when a batch has not found places after so many."""
_MOVED_AT_ONCE = 16_384
_REACH = 2**32 - 1
"""Offsets are kept as 32 bits from a base that moves along."""
_HALF = np.uint64(32)


class Repeats(NamedTuple):
    """Which of some events are duplicates, and which of those are conflicts."""

    repeated: NDArray[np.bool_]
    conflicting: NDArray[np.bool_]
    """Duplicates of another content than the last one's."""


class Window:
    """The identities of the last ``window`` offsets of a partition.

    The offsets given must not fall, from call to call either, but for `continue_after`.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._base: int | None = None
        self._keys, self._marks = _empty(_first_buckets(window))
        self._scatter = np.uint64(secrets.randbits(64) | 1)
        """Decides where hashes stand, nothing else: nobody can choose ids that crowd a bucket."""

    @property
    def size_bytes(self) -> int:
        """Bytes that the table's arrays take."""
        return int(self._keys.nbytes + self._marks.nbytes)

    def repeats(self, hashes: Hashes, contents: Contents, offsets: Offsets) -> Repeats:
        """Which of these valid events are duplicates; from now on all of them are known.

        One identity's hash, one content's and one offset per event, in the log's order.
        """
        if not len(hashes):
            return NONE
        if len(hashes) > 1 and int(offsets[-1] - offsets[0]) + self._window >= _REACH:
            half = len(hashes) // 2  # never seen: a hole in the log of milliards of offsets
            parts = (slice(half), slice(half, None))
            found = [self.repeats(hashes[p], contents[p], offsets[p]) for p in parts]
            return Repeats(*map(np.concatenate, zip(*found, strict=True)))
        marks = _marks(self._relative(offsets), contents)
        if _are_distinct(hashes):
            return self._compared(marks, self._swap(hashes, marks))
        order, first, last = _in_groups(hashes)
        before = np.empty(len(hashes), np.uint64)
        before[order[1:]] = marks[order[:-1]]
        before[order[first]] = self._swap(hashes[order[first]], marks[order[last]])
        return self._compared(marks, before)

    def continue_after(self, end: int) -> None:
        """Go on in another log, whose offset 0 stands where ``end`` would of the one till now."""
        if self._base is not None:
            self._base -= end

    def _compared(self, marks: Marks, before: Marks) -> Repeats:
        """What events come to by their own marks and those of the last ones of their identities."""
        repeated = (marks >> _HALF) - (before >> _HALF) <= np.uint64(self._window)
        others = marks.astype(np.uint32) != before.astype(np.uint32)
        return Repeats(repeated, repeated & others)

    def _relative(self, offsets: Offsets) -> Offsets:
        """Offsets from the base; never so small that what was never written is in the window."""
        base = int(offsets[0]) - self._window - 1
        if self._base is None:
            self._base = base
        elif int(offsets[-1]) - self._base > _REACH:
            by, self._base = base - self._base, base
            moved = np.uint64(min(by, _REACH)) << _HALF  # what falls below 0 is long past
            self._marks = np.where(self._marks >= moved, self._marks - moved, np.uint64(0))
        return offsets - self._base

    def _swap(self, hashes: Hashes, marks: Marks) -> Marks:
        """The mark that each of these distinct hashes had, a long past one if none; set anew."""
        before = np.zeros(len(hashes), np.uint64)
        buckets = self._buckets(hashes)
        hits = np.flatnonzero(_bytes(self._keys.take(buckets, axis=0) == hashes[:, None]))
        if len(hits):
            which, rows = hits % len(hashes), buckets.ravel()[hits]
            at, places = np.nonzero(self._keys[rows] == hashes[which, None])
            which, rows = which[at], rows[at]
            before[which] = self._marks[rows, places]
            self._marks[rows, places] = marks[which]
            new = np.ones(len(hashes), np.bool_)
            new[which] = False
            hashes, marks, buckets = hashes[new], marks[new], buckets[:, new]
        if len(hashes):
            oldest = (int(marks.max()) >> 32) - self._window  # 1 at least
            self._insert(hashes, marks, buckets, np.uint64(oldest) << _HALF)
        return before

    def _insert(self, hashes: Hashes, marks: Marks, buckets: Buckets, oldest: np.uint64) -> None:
        """Give these unknown, distinct hashes places; all before ``oldest`` have left theirs.

        Each goes into the emptier of its buckets; where both are full, it takes the place of one
        that then looks for another, and so on.
        """
        for turn in range(_ROUNDS):
            taken = _bytes(self._marks.take(buckets, axis=0) >= oldest)
            numbers = np.bitwise_count(taken)
            second = numbers[1] < numbers[0]
            free = _first_free(np.where(second, taken[1], taken[0]))
            places = np.where(second, buckets[1], buckets[0]) * _PLACES + free
            full = np.flatnonzero(free == _PLACES)
            if len(full):
                places[full] = _someones(hashes[full], buckets[:, full], turn)
                driven = self._keys.take(places[full]), self._marks.take(places[full])
            self._keys.reshape(-1)[places] = hashes
            self._marks.reshape(-1)[places] = marks
            lost = self._keys.take(places) != hashes  # to another one of the same batch
            if len(full):
                had = ~lost[full]
                hashes = np.concatenate((hashes[lost], driven[0][had]))
                marks = np.concatenate((marks[lost], driven[1][had]))
            else:
                hashes, marks = hashes[lost], marks[lost]
            if not len(hashes):
                return
            buckets = self._buckets(hashes)
        self._grow(hashes, marks, oldest)

    def _grow(self, hashes: Hashes, marks: Marks, oldest: np.uint64) -> None:
        """Move into a larger table, these too."""
        known = self._marks >= oldest
        hashes = np.concatenate((self._keys[known], hashes))
        kept = np.concatenate((self._marks[known], marks))
        buckets = round(len(self._keys) * _GROWTH) + 1
        self._keys, self._marks = _empty(0)  # before there is a larger one
        self._keys, self._marks = _empty(buckets)
        for first in range(0, len(hashes), _MOVED_AT_ONCE):
            moved = hashes[first : first + _MOVED_AT_ONCE]
            self._insert(moved, kept[first : first + _MOVED_AT_ONCE], self._buckets(moved), oldest)

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


def _empty(buckets: int) -> tuple[NDArray[np.uint64], Marks]:
    """Hashes and marks, a row per bucket."""
    shape = (buckets, _PLACES)
    return np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)


def _marks(offsets: Offsets, contents: Contents) -> Marks:
    """Marks of events: offsets are those from the base."""
    return offsets.astype(np.uint64) << _HALF | contents


def _are_distinct(hashes: Hashes) -> bool:
    """Whether they surely are, by their lower halves: those sort twice as fast."""
    ordered = np.sort(hashes.astype(np.uint32))
    return not (ordered[1:] == ordered[:-1]).any()


NONE = Repeats(np.zeros(0, np.bool_), np.zeros(0, np.bool_))


def _in_groups(hashes: Hashes) -> tuple[NDArray[np.int64], ...]:
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
