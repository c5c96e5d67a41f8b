"""Rows of requests that have one key as one row, before they are sent: the store's rows, divided.

In catch-up a chunk has a third to two thirds as many keys as events, and each row that is not sent
is one less to parse, to sort and to write, in every table. They are in the order of tenants and
minutes, as the finest tables are, which halves what is left for the store to sort. What a row comes
to in the tables is the same; the block is a function of the columns alone, for whichever reader
made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.columns import Arrays, Column, Numbers, Texts
from pipeline.facts.heads import REQUESTS
from pipeline.facts.interface import Head
from pipeline.facts.latency import BUCKETS, MOST_OF_ONE, buckets

Named = Sequence[tuple[str, str]]
"""Name and ClickHouse type of each column."""

_TIME, _TENANT = "minute", "tenant"
_KEY = tuple(name for name, kind in REQUESTS.columns if "String" in kind)
_SUMS = tuple(name for name, _ in REQUESTS.columns if name not in (_TIME, *_KEY))
_KINDS = {name: "Int64" if kind == "Int64" else "UInt64" for name, kind in REQUESTS.columns}
COUNT = ("requests", "UInt64")
"""The column of how many a row stands for: a block that has it has each key once."""
SENT: Named = (
    (_TIME, "DateTime('UTC')"),
    *((name, kind) for name, kind in REQUESTS.columns if name in _KEY),
    *((name, _KINDS[name]) for name in _SUMS),
    COUNT,
    ("latency", "Array(UInt16)"),
)
"""The columns of `requests_in`, whose rows may stand for many requests."""

_LARGEST_KEY = 2**63 // BUCKETS


class _Order(NamedTuple):
    """Rows in the order of their keys and buckets."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    """Where in them each key begins."""
    entries: NDArray[np.int64]
    """Where in them each bucket of a key begins."""
    buckets: NDArray[np.int64]
    """Which bucket that is."""


def added_up(head: Head, columns: Sequence[Column]) -> tuple[Named, Sequence[Column | Arrays]]:
    """The columns to send for these: rows of one key are one row, if they are requests.

    They are sent as they are where a sum might not fit its column, and of other types.
    """
    if head.table != REQUESTS.table or not len(columns[0]):
        return head.columns, columns
    named: dict[str, Any] = {
        name: column for (name, _), column in zip(head.columns, columns, strict=True)
    }
    order = _ordered(named, buckets(named["duration_us"].numpy()))
    most = int(np.diff(order.starts, append=len(order.rows)).max())
    values = {name: named[name].numpy() for name in _SUMS}
    if any(_may_overflow(values[name], most, _KINDS[name]) for name in _SUMS):
        return head.columns, columns
    return SENT, _made(named, values, order)


def _ordered(named: Mapping[str, Any], of_row: NDArray[np.int64]) -> _Order:
    key = _key(named) * BUCKETS + of_row
    rows = np.argsort(key, kind="stable")
    in_order = key[rows]
    entries = np.flatnonzero(np.diff(in_order, prepend=-1))
    keys, of_entry = np.divmod(in_order[entries], BUCKETS)
    return _Order(rows, entries[np.flatnonzero(np.diff(keys, prepend=-1))], entries, of_entry)


def _key(named: Mapping[str, Any]) -> NDArray[np.int64]:
    """One number for each row, the same for the same key, below `_LARGEST_KEY`.

    By the bytes of the tenant, then the minute, then the codes of the other names.
    """
    key, size = np.zeros(len(named[_TIME]), np.int64), 1
    for digits, count in _digits(named):
        if size * count >= _LARGEST_KEY:
            _, key = np.unique(key, return_inverse=True)
            size = int(key.max()) + 1
        key = key * count + digits
        size *= count
    return key


def _digits(named: Mapping[str, Any]) -> Iterator[tuple[NDArray[Any], int]]:
    """What rows are ordered by: numbers from 0 on, and how many there may be."""
    tenants: Texts = named[_TENANT]
    yield _ranks(list(tenants.numbers))[tenants.numpy()], len(tenants.numbers)
    minutes = named[_TIME].numpy().astype(np.int64) // 60
    minutes -= minutes.min()
    yield minutes, int(minutes.max()) + 1
    for name in _KEY:
        if name != _TENANT:
            yield named[name].numpy(), len(named[name].numbers)


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """The place of each among them in order: that of code points, which is that of their bytes."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _may_overflow(values: NDArray[Any], most: int, kind: str) -> bool:
    """Whether so many of them might add up to more than the column of the sum holds."""
    largest = max(int(values.max()), -int(values.min()))
    return largest * most > int(np.iinfo(np.int64 if kind == "Int64" else np.uint64).max)


def _made(
    named: Mapping[str, Any], values: Mapping[str, NDArray[Any]], order: _Order
) -> list[Column | Arrays]:
    firsts = order.rows[order.starts]
    made: list[Column | Arrays] = [_numbers("DateTime('UTC')", named[_TIME].numpy()[firsts])]
    made += (named[name].with_codes(named[name].numpy()[firsts]) for name in _KEY)
    for name in _SUMS:
        kind = np.int64 if _KINDS[name] == "Int64" else np.uint64
        in_order = values[name][order.rows]
        made.append(_numbers(_KINDS[name], np.add.reduceat(in_order, order.starts, dtype=kind)))
    requests = np.diff(order.starts, append=len(order.rows))
    made.append(_numbers("UInt64", requests))
    made.append(_latency(order))
    return made


def _numbers(kind: str, values: NDArray[Any]) -> Numbers:
    column = Numbers(kind)
    column.extend(values)
    return column


def _latency(order: _Order) -> Arrays:
    """Each key's buckets; one that is met often is several elements, all but the last full."""
    met = np.diff(order.entries, append=len(order.rows))
    elements = -(-met // MOST_OF_ONE)
    all_ = np.repeat(order.buckets + (MOST_OF_ONE - 1) * BUCKETS, elements)
    all_[np.cumsum(elements) - 1] = order.buckets + (met - 1) % MOST_OF_ONE * BUCKETS
    firsts = np.searchsorted(order.entries, order.starts)
    counts = np.add.reduceat(elements, firsts)
    return Arrays(np.cumsum(counts).astype(np.uint64), all_.astype(np.uint16))
