"""Sums by minute and tenant, made of a chunk's columns in bulk."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.columns import Column, Numbers, Texts
from pipeline.facts.event_type import LiveSums
from pipeline.facts.interface import Head, Minutes
from pipeline.facts.types import live_sums

MEASURES = LiveSums._fields
"""What is summed, in the order of `interface.Sums`."""

_EXACT = 2**53
"""Doubles add integers exactly below this."""


class ChunkMinutes:
    """The sums of one chunk's rows, brought up to date when they are asked for."""

    def __init__(self, head: Head, columns: Sequence[Column]) -> None:
        self._columns: dict[str, Any] = {
            name: column for (name, _), column in zip(head.columns, columns, strict=True)
        }
        self._sources = live_sums(head)
        self._upto = 0
        self._minutes: Minutes = {}

    def minutes(self) -> Minutes:
        """Return the sums of all rows that the chunk has by now; they are not changed later."""
        if self._sources is not None and len(self._columns["minute"]) > self._upto:
            self._minutes = added(self._minutes, self._rows(self._sources))
            self._upto = len(self._columns["minute"])
        return self._minutes

    def _rows(
        self, sources: Sequence[str | int]
    ) -> Iterator[tuple[tuple[int, str], Sequence[int]]]:
        tenants: Texts = self._columns["tenant"]
        groups = _groups(self._columns["minute"].numpy(self._upto), tenants.numpy(self._upto))
        sums = [self._sums(groups, source) for source in sources]
        names = list(tenants.numbers)
        keys = zip(groups.minutes.tolist(), map(names.__getitem__, groups.codes), strict=True)
        return zip(keys, zip(*sums, strict=True), strict=True)

    def _sums(self, groups: _Groups, source: str | int) -> list[int]:
        if isinstance(source, int):
            rows: list[int] = np.bincount(groups.of_row).tolist()
            return [source * n for n in rows]
        column: Numbers = self._columns[source]
        return _sums(groups.of_row, len(groups.codes), column.numpy(self._upto))


class _Groups(NamedTuple):
    """The distinct minutes and tenants of some rows."""

    of_row: NDArray[Any]
    """The number of each row's group."""
    minutes: NDArray[Any]
    """Each group's minute; so for the tenant's code."""
    codes: NDArray[Any]


def _groups(minutes: NDArray[Any], codes: NDArray[Any]) -> _Groups:
    tenants = int(codes.max()) + 1
    keys, of_row = np.unique(minutes.astype(np.int64) // 60 * tenants + codes, return_inverse=True)
    return _Groups(of_row, keys // tenants * 60, keys % tenants)


def _sums(of_row: NDArray[Any], groups: int, values: NDArray[Any]) -> list[int]:
    """Exact, however large the numbers."""
    if int(values.max()) * len(values) < _EXACT:
        sums: list[int] = np.bincount(of_row, values, groups).astype(np.int64).tolist()
        return sums
    large = [0] * groups
    for group, value in zip(of_row.tolist(), values.tolist(), strict=True):
        large[group] += value
    return large


def added(minutes: Minutes, rows: Iterable[tuple[tuple[int, str], Sequence[int]]]) -> Minutes:
    """Return sums with each row's added to those of its minute and tenant."""
    found = minutes.copy()
    for key, sums in rows:
        have = found.get(key)
        found[key] = list(sums) if have is None else [*map(operator.add, have, sums)]
    return found
