"""How many rows are in the bytes of an answer, as they pass. Pure."""

from __future__ import annotations


class Lines:
    """Rows of text formats: ends of lines, outside of quotes where the format has them."""

    def __init__(self, *, quoted: bool) -> None:
        self._quoted = quoted
        self._inside = False
        self.rows = 0

    def add(self, piece: bytes) -> None:
        """Take note of a piece."""
        if not self._quoted:
            self.rows += piece.count(b"\n")
            return
        # Every quote begins or ends a quoted part; a doubled one does both.
        parts = piece.split(b'"')
        self.rows += sum(part.count(b"\n") for part in parts[self._inside :: 2])
        self._inside ^= not len(parts) % 2


def parquet_rows(footer: bytes) -> int:
    """The number of rows that a Parquet file's metadata tells.

    ``footer``: `FileMetaData`, in Thrift's compact protocol (Parquet's format, parquet.thrift);
    ``num_rows`` is its field 3.
    """
    place, field = 0, 0
    while True:
        head = footer[place]
        place += 1
        kind = head & 15
        if not kind:
            raise ValueError("the metadata has no number of rows")
        if head >> 4:
            field += head >> 4
        else:
            field, place = _zigzag(footer, place)
        if field == 3:
            return _zigzag(footer, place)[0]
        place = _behind(footer, place, kind)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _zigzag(data: bytes, place: int) -> tuple[int, int]:
    value, place = _varint(data, place)
    return (value >> 1) ^ -(value & 1), place


_BOOLEANS = (1, 2)
_INTEGERS = (4, 5, 6)
_BYTE, _DOUBLE, _BINARY, _STRUCT = 3, 7, 8, 12
_LISTS = (9, 10)


def _behind(data: bytes, place: int, kind: int, *, in_list: bool = False) -> int:
    """The place behind a value of a compact type."""
    if kind in _BOOLEANS:
        return place + in_list
    if kind in _INTEGERS:
        return _varint(data, place)[1]
    if kind == _BINARY:
        size, place = _varint(data, place)
        return place + size
    if kind in _LISTS:
        return _behind_list(data, place)
    if kind == _STRUCT:
        return _behind_struct(data, place)
    if kind == _DOUBLE:
        return place + 8
    if kind == _BYTE:
        return place + 1
    raise ValueError(f"the metadata has a value of the compact type {kind}")


def _behind_list(data: bytes, place: int) -> int:
    head = data[place]
    size, place = head >> 4, place + 1
    if size == 15:
        size, place = _varint(data, place)
    for _ in range(size):
        place = _behind(data, place, head & 15, in_list=True)
    return place


def _behind_struct(data: bytes, place: int) -> int:
    while True:
        head = data[place]
        place += 1
        if not head & 15:
            return place
        if not head >> 4:
            place = _zigzag(data, place)[1]
        place = _behind(data, place, head & 15)
