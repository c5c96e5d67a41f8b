"""The engine's blocks, rewritten as those of a client's revision."""

from __future__ import annotations

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
# A column that did not come whole is read again from its start, so not at each piece.
_OFTEN_BYTES = 4 << 20


class Rewriter:
    """Takes blocks to a revision, piece by piece.

    The engine writes revision 0; from `ZONES` on its types are to be bytes
    (``output_format_native_encode_types_in_binary_format``).
    """

    def __init__(self, revision: int) -> None:
        self._binary = revision >= ZONES
        self._old = revision < _LOW_CARDINALITY
        # Behind each type: whether its values are serialized specially, which none here are.
        self._custom = b"\0" if revision >= _CUSTOM_SERIALIZATION else b""
        self._layouts: dict[str, Layout] = {}
        self._kept = b""
        self._awaited = 0
        self._columns = 0
        self._rows = 0

    @property
    def whole(self) -> bool:
        """Whether what came so far ends with a block's end."""
        return not self._kept and not self._columns

    def add(self, piece: bytes) -> bytes:
        """Take a piece; give what is ready.

        Raises:
            Refusal: a type that cannot be given in this revision.
        """
        self._kept += piece
        return self._ready() if len(self._kept) >= self._awaited else b""

    def end(self) -> bytes:
        """Give what is left and whole; raises as `add` does."""
        return self._ready()

    def _ready(self) -> bytes:
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
        columns, rows = cursor.varint(), cursor.varint()
        cursor.rewrite(start, _INFO + varint(columns) + varint(rows))
        self._columns, self._rows = columns, rows

    def _column(self, cursor: Cursor) -> None:
        cursor.string()
        start = cursor.at
        name = read_name(cursor) if self._binary else cursor.string()
        if self._old and "LowCardinality(" in name:
            raise untold("LowCardinality")
        cursor.rewrite(start, string(name) + self._custom)
        if self._rows:
            known = self._layouts.get(name) or layout(name, binary=self._binary)
            self._layouts[name] = known
            known.prefix(cursor)
            known.values(cursor, self._rows)
        self._columns -= 1
