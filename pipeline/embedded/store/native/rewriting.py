"""Blocks of one revision, rewritten as blocks of another."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.native.cursor import Cursor, Short, string, varint
from pipeline.embedded.store.native.layout import Layout, layout
from pipeline.embedded.store.native.names import read_name, untold

ZONES = 54337
"""From this revision on a `DateTime` has its zone in its name."""

NEWEST = 54472
"""The newest revision that is written here; the next has another Dynamic."""

_LOW_CARDINALITY = 54405
_CUSTOM_SERIALIZATION = 54454
_INFO = bytes([1, 0, 2, 255, 255, 255, 255, 0])  # not overflowing; of no bucket; the end
_INFO_WIDTHS = {1: 1, 2: 4}
# A column that did not come whole is read again from its start, so not at each piece.
_OFTEN_BYTES = 4 << 20


class _Form(NamedTuple):
    """What stands around the columns' values."""

    info: bool = False  # about the block, before it
    binary: bool = False  # types as bytes
    custom: bool = False  # behind each type, whether its values are serialized specially
    old: bool = False  # has no LowCardinality


def _of_revision(revision: int) -> _Form:
    return _Form(
        info=revision > 0,
        custom=revision >= _CUSTOM_SERIALIZATION,
        old=0 < revision < _LOW_CARDINALITY,
    )


class Rewriter:
    """Takes the engine's blocks to a client's revision, piece by piece.

    The engine writes revision 0; from `ZONES` on its types are to be bytes
    (``output_format_native_encode_types_in_binary_format``).
    """

    def __init__(self, revision: int) -> None:
        self._blocks = _Blocks(_Form(binary=revision >= ZONES), _of_revision(revision))

    @property
    def whole(self) -> bool:
        """Whether what came so far ends with a block's end."""
        return self._blocks.whole

    def add(self, piece: bytes) -> bytes:
        """Take a piece; give what is ready.

        Raises:
            Refusal: a type that cannot be given in this revision.
        """
        return self._blocks.add(piece)

    def end(self) -> bytes:
        """Give what is left and whole."""
        return self._blocks.add(b"", last=True)


def downgraded(data: bytes, revision: int) -> bytes:
    """A client's blocks of a revision, as the engine reads them.

    Raises:
        Refusal: they end within a block, or have a column that is serialized specially.
    """
    blocks = _Blocks(_of_revision(revision), _Form())
    done = blocks.add(data, last=True)
    if not blocks.whole:
        raise Refusal(
            33,
            "CANNOT_READ_ALL_DATA",
            f"The data ends within a block of Native, as client_protocol_version={revision} has it",
        )
    return done


class _Blocks:
    def __init__(self, source: _Form, target: _Form) -> None:
        self._source = source
        self._target = target
        self._layouts: dict[str, Layout] = {}
        self._kept = b""
        self._awaited = 0
        self._columns = 0
        self._rows = 0

    @property
    def whole(self) -> bool:
        return not self._kept and not self._columns

    def add(self, piece: bytes, *, last: bool = False) -> bytes:
        self._kept += piece
        if len(self._kept) < self._awaited and not last:
            return b""
        done: list[bytes] = []
        at = 0
        try:
            while at < len(self._kept):
                cursor = Cursor(self._kept, at)
                if self._columns:
                    self._column(cursor)
                else:
                    self._head(cursor)
                done += cursor.written
                at = cursor.at
        except Short:
            pass
        self._kept = self._kept[at:]
        left = len(self._kept)
        self._awaited = left + left // 4 if left > _OFTEN_BYTES else 0
        return b"".join(done)

    def _head(self, cursor: Cursor) -> None:
        start = cursor.at
        if self._source.info:
            while field := cursor.varint():
                if field not in _INFO_WIDTHS:
                    raise untold(f"a block with information of number {field}")
                cursor.skip(_INFO_WIDTHS[field])
        columns, rows = cursor.varint(), cursor.varint()
        info = _INFO if self._target.info else b""
        cursor.rewrite(start, info + varint(columns) + varint(rows))
        self._columns, self._rows = columns, rows

    def _column(self, cursor: Cursor) -> None:
        cursor.string()
        start = cursor.at
        name = read_name(cursor) if self._source.binary else cursor.string()
        if self._source.custom and cursor.byte():
            raise untold(f"a column of `{name}` that is serialized specially")
        if self._target.old and "LowCardinality(" in name:
            raise untold("LowCardinality")
        custom = b"\0" if self._target.custom else b""
        cursor.rewrite(start, string(name) + custom)
        if self._rows:
            known = self._layouts.get(name) or layout(name, binary=self._source.binary)
            self._layouts[name] = known
            known.prefix(cursor)
            known.values(cursor, self._rows)
        self._columns -= 1
