"""Columns to the body of an insert: one block of ClickHouse's Native format.

Deduplication tokens are per block, so a chunk must be one: the driver's own insert splits at about
2 MB. Columns of facts are copied as they lie; all others the driver's types encode.

Source: https://clickhouse.com/docs/interfaces/formats/Native, and the driver's reader of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import numpy as np
from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.common import write_leb128
from clickhouse_connect.driver.compression import get_compressor
from clickhouse_connect.driver.exceptions import DataError
from clickhouse_connect.driver.insert import InsertContext

from pipeline.facts.columns import MAP_TYPE, Arrays, Maps, Numbers, Texts

Columns = Sequence[tuple[str, str]]
"""Name and ClickHouse type of each column."""


class Constant(NamedTuple):
    """A column that has the same value in each row of a block."""

    name: str
    kind: str
    """Its ClickHouse type, of a fixed size."""
    value: bytes


Data = Sequence[Sequence[Any] | Numbers | Texts | Maps | Arrays]
"""One list, or column of facts, per column; all of one length."""

_DICTIONARY_OF_ITS_OWN = 1 << 9 | 1 << 10
"""Flags of a block's `LowCardinality` column: it brings all its keys, and shares none."""
_CODE_TYPES = (np.uint8, np.uint16, np.uint32)


@lru_cache(maxsize=256)
def _type(name: str) -> ClickHouseType:
    return get_from_name(name)


def encode(
    table: str,
    columns: Columns,
    data: Data,
    compression: str | None,
    constant: Constant | None = None,
) -> bytes:
    """Encode all rows as one Native block, compressed as HTTP's Content-Encoding says.

    Raises:
        DataError: a value does not fit its column's type, or columns differ in length.
    """
    rows = len(data[0])
    if len(data) != len(columns) or any(len(column) != rows for column in data):
        raise DataError("the columns' lists differ in number or length")
    kinds = [_type(kind) for _, kind in columns]
    context = InsertContext(table, [name for name, _ in columns], kinds, compression=compression)
    body = bytearray()
    write_leb128(len(columns), body)
    write_leb128(rows, body)
    for (name, _), kind, column in zip(columns, kinds, data, strict=True):
        for text in (name.encode(), kind.insert_name.encode()):
            write_leb128(len(text), body)
            body += text
        context.start_column(name)
        try:
            _write(column, kind, body, context)
        except MemoryError:
            raise  # of no value's making
        except Exception as error:  # noqa: BLE001 - the driver raises whatever conversion does
            _fail(error)
    if constant is not None:
        body = bytearray(with_constant(body, rows, constant))
    return compressed(body, compression)


def with_constant(body: bytes | bytearray, rows: int, constant: Constant) -> bytes:
    """Return an uncompressed block with one column more, behind its own."""
    columns, begin = _read_leb128(body)
    head, last = bytearray(), bytearray()
    write_leb128(columns + 1, head)
    for text in (constant.name.encode(), constant.kind.encode()):
        write_leb128(len(text), last)
        last += text
    return b"".join((head, memoryview(body)[begin:], last, constant.value * rows))


def _read_leb128(body: bytes | bytearray) -> tuple[int, int]:
    """Return the number at the beginning, and where it ends."""
    value = 0
    for at, byte in enumerate(body):
        value |= (byte & 0x7F) << (7 * at)
        if not byte & 0x80:
            return value, at + 1
    raise DataError("a block without a number of columns")


def compressed(body: bytes | bytearray, compression: str | None) -> bytes:
    """Return a block's bytes as HTTP's Content-Encoding says."""
    if compression is None:
        return bytes(body)  # which are the same bytes, not others, where they are no array
    compressor: Any = get_compressor(compression)
    return b"".join((compressor.compress_block(body), compressor.flush() or b""))


def _write(column: Any, kind: ClickHouseType, body: bytearray, context: InsertContext) -> None:
    if isinstance(column, Numbers):
        body += column.items.tobytes()
    elif isinstance(column, Arrays):
        body += column.ends.tobytes()
        body += column.items.tobytes()
    elif isinstance(column, Texts) and kind.low_card:
        kind.write_column_prefix(body)
        _write_dictionary(column, body, context)
    elif isinstance(column, Maps) and kind.name == MAP_TYPE:
        kind.write_column_prefix(body)
        body += np.cumsum(np.asarray(column.counts), dtype=np.uint64).tobytes()
        _write_dictionary(column.keys, body, context)
        body += column.values
    else:
        kind.write_column(list(column), body, context)


def _write_dictionary(column: Texts, body: bytearray, context: InsertContext) -> None:
    if not len(column):
        return
    keys = list(column.numbers)
    width = (len(keys) > 1 << 8) + (len(keys) > 1 << 16)
    body += (_DICTIONARY_OF_ITS_OWN | width).to_bytes(8, "little")
    body += len(keys).to_bytes(8, "little")
    _type("String").write_column(keys, body, context)
    body += len(column).to_bytes(8, "little")
    body += column.numpy().astype(_CODE_TYPES[width]).tobytes()


def _fail(error: Exception) -> NoReturn:
    raise error if isinstance(error, DataError) else DataError(str(error)) from error
