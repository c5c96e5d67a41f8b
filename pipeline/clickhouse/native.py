"""Columns to the body of an insert: one block of ClickHouse's Native format.

Deduplication tokens are per block, so a chunk must be one. The driver's own insert splits at about
2 MB; its transform, given the number of rows as the size of a block, does not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.exceptions import DataError
from clickhouse_connect.driver.insert import InsertBlock, InsertContext
from clickhouse_connect.driver.transform import NativeTransform

Columns = Sequence[tuple[str, str]]
"""Name and ClickHouse type of each column."""

Data = Sequence[Sequence[Any]]
"""One list per column, all of one length."""


@lru_cache(maxsize=256)
def _types(names: tuple[str, ...]) -> tuple[ClickHouseType, ...]:
    return tuple(get_from_name(name) for name in names)


def encode(table: str, columns: Columns, data: Data, compression: str | None) -> bytes:
    """Encode all rows as one Native block, compressed as HTTP's Content-Encoding says.

    Raises:
        DataError: a value does not fit its column's type, or columns differ in length.
    """
    rows = len(data[0])
    if len(data) != len(columns) or any(len(column) != rows for column in data):
        raise DataError("the columns' lists differ in number or length")
    names = [name for name, _ in columns]
    types = _types(tuple(kind for _, kind in columns))
    context = _OneBlock(table, names, types, compression=compression)
    context.block = InsertBlock(b"", len(columns), rows, names, types, data)
    return b"".join(NativeTransform.build_insert(context, _fail))


class _OneBlock(InsertContext):
    """Without the INSERT statement that the driver puts in front: ours goes into the URL.

    The block does not come by way of `data`, which would load pandas to see whether it is its.
    """

    block: InsertBlock

    def next_block(self) -> Generator[InsertBlock, None, None]:
        yield self.block


def _fail(error: Exception) -> NoReturn:
    """Raise at once: by default the driver would send a body that the server cannot parse."""
    raise error if isinstance(error, DataError) else DataError(str(error)) from error
