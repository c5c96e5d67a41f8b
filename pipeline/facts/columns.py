"""Columns as they grow, batch by batch: numbers in typed arrays, strings as codes of a dictionary.

A string is looked up once and let go: an event takes 4 bytes per string column instead of a string
of its own, a block is encoded by copying, and sums by tenant are sums by code.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count
from operator import itemgetter
from typing import Any

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

_CODES = "I"


class Numbers:
    """A column of integers of one ClickHouse type."""

    __slots__ = ("items",)

    def __init__(self, kind: str) -> None:
        self.items: array[int] = array(ARRAY_TYPES[kind])

    def extend(self, values: Sequence[int] | NDArray[Any]) -> None:
        """Add a batch. Raises OverflowError for a list's number that the type does not hold."""
        if isinstance(values, np.ndarray):
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

    def extend(self, values: Iterable[str]) -> None:
        """Add the values of a batch, in its order."""
        if isinstance(values, list) and len(values) > 1:
            self.codes.fromlist(list(itemgetter(*values)(self.numbers)))  # 31 ns each, not 39
        else:
            self.codes.extend(map(self.numbers.__getitem__, values))

    def append(self, value: str) -> None:
        """Add one value."""
        self.codes.append(self.numbers[value])

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


Column = Numbers | Texts


def column(kind: str) -> Column:
    """Return an empty column of a head's ClickHouse type. Raises KeyError."""
    return Texts() if kind in TEXT_TYPES else Numbers(kind)
