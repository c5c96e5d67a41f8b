"""Columns as they grow, batch by batch: numbers in typed arrays, strings as codes of a dictionary.

A string is looked up once and let go: an event takes 4 bytes per string column instead of a string
of its own, a block is encoded by copying, and sums by tenant are sums by code.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, count, islice
from operator import itemgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

ARRAY_TYPES = {
    "UInt8": "B",
    "UInt32": "I",
    "UInt64": "Q",
    "Int64": "q",
    "DateTime('UTC')": "I",
    "DateTime64(3, 'UTC')": "q",
}
"""`array` type code by ClickHouse type: an instant is epoch seconds, or milliseconds."""

TEXT_TYPES = ("String", "LowCardinality(String)")

MAP_TYPE = "Map(LowCardinality(String), String)"

_CODES = "I"

NAME_BYTES = 200
"""What a distinct key of a map takes in memory, if it is short: a string, and its place in a
dictionary. How long a long one is, is among the bytes of its record."""


class Numbers:
    """A column of integers of one ClickHouse type."""

    __slots__ = ("items",)

    def __init__(self, kind: str) -> None:
        self.items: array[int] = array(ARRAY_TYPES[kind])

    def extend(self, values: Sequence[int] | NDArray[Any] | Numbers) -> None:
        """Add a batch. Raises OverflowError for a list's number that the type does not hold."""
        if isinstance(values, Numbers):
            self.items.extend(values.items)
        elif isinstance(values, np.ndarray):
            self.items.frombytes(values.astype(self.items.typecode, copy=False).tobytes())
        elif isinstance(values, list):
            self.items.fromlist(values)  # 4 ns each instead of 10
        else:
            self.items.extend(values)

    def append(self, value: int) -> None:
        """Add one value."""
        self.items.append(value)

    def chosen(self, keep: NDArray[np.bool_]) -> Numbers:
        """Return a column of only those rows."""
        column = Numbers.__new__(Numbers)
        column.items = array(self.items.typecode, self.numpy()[keep].tobytes())
        return column

    def numpy(self, since: int = 0) -> NDArray[Any]:
        """Return a copy of the rows from ``since`` on: the column may go on growing."""
        return np.asarray(self.items[since:])

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]  # it grows


class Texts:
    """A column of strings."""

    __slots__ = ("codes", "numbers")

    def __init__(self) -> None:
        self.numbers: defaultdict[str, int] = defaultdict(count().__next__)
        """Each string's code: they count from 0, in order of first sight."""
        self.codes: array[int] = array(_CODES)

    @classmethod
    def of(cls, names: Sequence[str], codes: NDArray[Any]) -> Texts:
        """Return a column of these codes, by names that are all different; only those used."""
        used = np.flatnonzero(np.bincount(codes, minlength=len(names)))
        column = cls()
        number = np.zeros(len(names), np.uint32)
        number[used] = [column.numbers[names[code]] for code in used.tolist()]
        column.codes.frombytes(number[codes].tobytes())
        return column

    def extend(self, values: Iterable[str]) -> None:
        """Add the values of a batch, in its order; of another column, by its dictionary."""
        if isinstance(values, Texts):
            if values.numbers:
                codes = np.fromiter(map(self.numbers.__getitem__, values.numbers), np.uint32)
                self.codes.frombytes(codes[values.numpy()].tobytes())
        elif isinstance(values, list) and len(values) > 1:
            self.codes.fromlist(list(itemgetter(*values)(self.numbers)))  # 31 ns each, not 39
        else:
            self.codes.extend(map(self.numbers.__getitem__, values))

    def append(self, value: str) -> None:
        """Add one value."""
        self.codes.append(self.numbers[value])

    def with_codes(self, codes: NDArray[Any]) -> Texts:
        """Return a column of these codes over the same strings, each of which is among them."""
        column = Texts()
        column.numbers = self.numbers
        column.codes.frombytes(codes.astype(np.uint32).tobytes())
        return column

    def chosen(self, keep: NDArray[np.bool_]) -> Texts:
        """Return a column of only those rows."""
        column = Texts()
        column.extend(list(compress(self, keep)))
        return column

    def numpy(self, since: int = 0) -> NDArray[Any]:
        """Return a copy of the codes of the rows from ``since`` on."""
        return np.asarray(self.codes[since:])

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return map(list(self.numbers).__getitem__, self.codes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it grows


class Maps:
    """A column of maps from strings to strings: keys as in `Texts`, values as they are sent.

    Each value stands after its length in bytes as LEB128, as ClickHouse's Native format has it.
    """

    __slots__ = ("counts", "keys", "sizes", "values")

    def __init__(self) -> None:
        self.keys = Texts()
        """Of all rows, one row's after the other's; so the values."""
        self.counts: array[int] = array(_CODES)
        """How many keys each row has."""
        self.values = bytearray()
        self.sizes: array[int] = array(_CODES)
        """How many bytes of the values are each row's."""

    @property
    def size_bytes(self) -> int:
        """What is held in memory, roughly: never much less."""
        names = NAME_BYTES * len(self.keys.numbers)
        return len(self.values) + 4 * len(self.keys) + 8 * len(self.counts) + names

    def append(self, value: Mapping[str, str]) -> None:
        """Add one row."""
        self.keys.extend(value)
        self.counts.append(len(value))
        before = len(self.values)
        for text in value.values():
            self.values += _sized(text.encode())
        self.sizes.append(len(self.values) - before)

    def extend(self, values: Iterable[Mapping[str, str]] | Maps) -> None:
        """Add the rows of a batch, in its order."""
        if not isinstance(values, Maps):
            for value in values:
                self.append(value)
            return
        if values.keys.numbers:
            used = values.keys.numpy()
            codes = self._codes(list(values.keys.numbers), used)
            self.keys.codes.frombytes(codes[used].tobytes())
        self.counts.extend(values.counts)
        self.values += values.values
        self.sizes.extend(values.sizes)

    def _codes(self, names: Sequence[str], used: NDArray[Any]) -> NDArray[np.uint32]:
        """The codes of a batch's keys in this column, new ones in order of first use.

        How the batch had numbered them must not show in what is sent.
        """
        known = self.keys.numbers
        if all(name in known for name in names):  # as nearly always
            return np.fromiter(map(known.__getitem__, names), np.uint32)
        first = np.full(len(names), len(used))
        first[used[::-1]] = np.arange(len(used))[::-1]  # of repeated places the last one holds
        codes = np.empty(len(names), np.uint32)
        order = np.argsort(first)
        codes[order] = [known[names[n]] for n in order.tolist()]
        return codes

    def chosen(self, keep: NDArray[np.bool_]) -> Maps:
        """Return a column of only those rows."""
        return self.taken(np.flatnonzero(keep))

    def taken(self, rows: NDArray[np.int64]) -> Maps:
        """Return a column of these rows, by number, in this order."""
        column = Maps()
        counts, sizes = np.asarray(self.counts, np.int64), np.asarray(self.sizes, np.int64)
        codes = np.asarray(self.keys.codes)[_runs(counts, rows)]
        column.keys = Texts.of(list(self.keys.numbers), codes)
        column.counts = array(_CODES, counts[rows].astype(np.uint32).tobytes())
        column.values += np.frombuffer(self.values, np.uint8)[_runs(sizes, rows)].data
        column.sizes = array(_CODES, sizes[rows].astype(np.uint32).tobytes())
        return column

    def __getitem__(self, rows: slice) -> Maps:
        return self.taken(np.arange(len(self))[rows])

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[dict[str, str]]:
        keys, values = iter(self.keys), _unsized(bytes(self.values))
        for count_ in self.counts:
            yield dict(zip(islice(keys, count_), islice(values, count_), strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Maps) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it grows


def _runs(lengths: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of what lies in the chosen ones of runs that lie one after the other."""
    starts = np.cumsum(lengths) - lengths
    taken = lengths[chosen]
    shifts = starts[chosen] - (np.cumsum(taken) - taken)
    places: NDArray[np.int64] = np.arange(int(taken.sum())) + np.repeat(shifts, taken)
    return places


def _sized(octets: bytes) -> bytes:
    size, head = len(octets), bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + octets


def _unsized(octets: bytes) -> Iterator[str]:
    at = 0
    while at < len(octets):
        size = shift = 0
        while octets[at] > 127:
            size |= (octets[at] & 127) << shift
            at, shift = at + 1, shift + 7
        size |= octets[at] << shift
        yield octets[at + 1 : at + 1 + size].decode()
        at += 1 + size


class Arrays:
    """A column of arrays of 16-bit numbers, as it is sent."""

    __slots__ = ("ends", "items")

    def __init__(self, ends: NDArray[np.uint64], items: NDArray[np.uint16]) -> None:
        self.ends = ends
        """Where each row's numbers end."""
        self.items = items
        """Those of all rows, one row's after the other's."""

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[list[int]]:
        return (part.tolist() for part in np.split(self.items, self.ends[:-1].astype(np.int64)))


Column = Numbers | Texts | Maps


def joined(columns: Sequence[Column], kind: str) -> Column:
    """Return the rows of columns of one ClickHouse type, one column's after the other's."""
    if len(columns) == 1:
        return columns[0]
    whole: Any = column(kind)
    for one in columns:
        whole.extend(one)
    return cast("Column", whole)


def column(kind: str) -> Column:
    """Return an empty column of a head's ClickHouse type. Raises KeyError."""
    if kind == MAP_TYPE:
        return Maps()
    return Texts() if kind in TEXT_TYPES else Numbers(kind)
