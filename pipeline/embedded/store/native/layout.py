"""How long the values of a type are in Native, by the type's name.

A column's values come after what its type writes once for all of them (`prefix`), nested types'
first; both are read in the order in which ClickHouse's serializations write them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from pipeline.embedded.store.native.cursor import Cursor, Short, string
from pipeline.embedded.store.native.names import read_name, untold

_WIDTHS = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "Time", "IPv4"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("UInt256", "Int256"), 32),
    **dict(
        zip(("Decimal32", "Decimal64", "Decimal128", "Decimal256"), (4, 8, 16, 32), strict=True)
    ),
}
_GEOMETRIES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
    "Geometry": "Variant(LineString, MultiLineString, MultiPolygon, Point, Polygon, Ring)",
}
_QBIT_PLANES = {"BFloat16": 16, "Float32": 32, "Float64": 64}
_PART = re.compile(r"""'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),\ ]|[^'`(),\ ]+""", re.DOTALL)


class Layout(Protocol):
    """How a type's values stand."""

    def prefix(self, cursor: Cursor) -> None:
        """Read past what stands before a column's values."""

    def values(self, cursor: Cursor, rows: int) -> None:
        """Read past so many values of this type."""


class _Fixed:
    def __init__(self, width: int) -> None:
        self._width = width

    def prefix(self, cursor: Cursor) -> None:
        pass

    def values(self, cursor: Cursor, rows: int) -> None:
        cursor.skip(rows * self._width)


class _Strings:
    def prefix(self, cursor: Cursor) -> None:
        pass

    def values(self, cursor: Cursor, rows: int) -> None:
        # Inlined: it is what most of the time goes to.
        data, at = cursor.data, cursor.at
        try:
            for _ in range(rows):
                length = data[at]
                at += 1
                if length > 127:
                    length &= 127
                    shift = 7
                    while (group := data[at]) > 127:
                        length |= (group & 127) << shift
                        shift += 7
                        at += 1
                    length |= group << shift
                    at += 1
                at += length
        except IndexError:
            raise Short from None
        cursor.skip(at - cursor.at)


class _Together:
    """Types side by side: a Tuple, or a Nullable's marks and its values."""

    def __init__(self, *parts: Layout) -> None:
        self.parts = parts

    def prefix(self, cursor: Cursor) -> None:
        for part in self.parts:
            part.prefix(cursor)

    def values(self, cursor: Cursor, rows: int) -> None:
        for part in self.parts:
            part.values(cursor, rows)


class _Array:
    def __init__(self, element: Layout) -> None:
        self._element = element

    def prefix(self, cursor: Cursor) -> None:
        self._element.prefix(cursor)

    def values(self, cursor: Cursor, rows: int) -> None:
        if rows:
            cursor.skip(8 * (rows - 1))
            self._element.values(cursor, cursor.fixed())


class _LowCardinality:
    def __init__(self, keys: Layout) -> None:
        self._keys = keys

    def prefix(self, cursor: Cursor) -> None:
        cursor.skip(8)

    def values(self, cursor: Cursor, rows: int) -> None:
        if rows:
            width = 1 << (cursor.fixed() & 0xFF)
            self._keys.values(cursor, cursor.fixed())
            cursor.skip(cursor.fixed() * width)


class _Variant:
    """Values of several types, each type's together; 255 marks NULL."""

    def __init__(self, members: Sequence[Layout]) -> None:
        self._members = members

    def prefix(self, cursor: Cursor) -> None:
        if cursor.fixed():
            raise untold("compact Variant")
        for member in self._members:
            member.prefix(cursor)

    def values(self, cursor: Cursor, rows: int) -> None:
        start = cursor.at
        cursor.skip(rows)
        counts = Counter(cursor.data[start : cursor.at])
        for number, member in enumerate(self._members):
            member.values(cursor, counts[number])


class _Dynamic:
    """A Variant whose types stand before its values, `SharedVariant` among them in its order."""

    def __init__(self, *, binary: bool) -> None:
        self._binary = binary
        self._variant = _Variant(())

    def prefix(self, cursor: Cursor) -> None:
        if cursor.fixed() != 1:
            raise untold("Dynamic of another serialization")
        cursor.varint()  # how many types it may have
        names = [self._name(cursor) for _ in range(cursor.varint())]
        members = sorted((*names, "SharedVariant"))
        self._variant = _Variant([layout(name, binary=self._binary) for name in members])
        self._variant.prefix(cursor)

    def values(self, cursor: Cursor, rows: int) -> None:
        self._variant.values(cursor, rows)

    def _name(self, cursor: Cursor) -> str:
        if not self._binary:
            return cursor.string()
        start = cursor.at
        name = read_name(cursor)
        cursor.rewrite(start, string(name))
        return name


class _Json:
    """An object: its typed paths, those that were found, and the rest as one map."""

    def __init__(self, typed: Sequence[Layout], *, binary: bool) -> None:
        self._typed = typed
        self._binary = binary
        self._paths: list[_Dynamic] = []

    def prefix(self, cursor: Cursor) -> None:
        if cursor.fixed():
            raise untold("JSON of another serialization")
        cursor.varint()  # how many paths it may have
        found = [cursor.string() for _ in range(cursor.varint())]
        self._paths = [_Dynamic(binary=self._binary) for _ in found]
        for part in (*self._typed, *self._paths):
            part.prefix(cursor)

    def values(self, cursor: Cursor, rows: int) -> None:
        for part in (*self._typed, *self._paths):
            part.values(cursor, rows)
        _Array(_Together(_Strings(), _Strings())).values(cursor, rows)


def layout(name: str, *, binary: bool = False) -> Layout:
    """The layout of a type's values.

    Args:
        name: the type's.
        binary: types within values (of Dynamic and JSON) are bytes too, to be made names.

    Raises:
        Refusal: a type whose values are of no length that can be told, or not known here.
    """
    kind, parts = _parts(name)
    try:
        width = _width(kind, parts)
        if width:
            return _Fixed(width)
        if kind in _GEOMETRIES:
            return layout(_GEOMETRIES[kind], binary=binary)
        if kind in {"String", "SharedVariant"}:
            return _Strings()
        if kind == "Dynamic":
            return _Dynamic(binary=binary)
        if kind == "JSON":
            return _Json([layout(t, binary=binary) for t in _typed(parts)], binary=binary)
        if kind == "SimpleAggregateFunction":
            parts = parts[-1:]
        return _composed(kind, [layout(_bare(part), binary=binary) for part in parts])
    except (LookupError, ValueError):
        raise untold(f"`{name}`") from None


def _width(kind: str, parts: Sequence[str]) -> int:
    """How many bytes each value has; 0 where they have no one width."""
    if kind.startswith("Interval"):
        return 8
    match kind:
        case "FixedString":
            return int(parts[0])
        case "Decimal":
            digits = int(parts[0])
            return next((w for d, w in ((9, 4), (18, 8), (38, 16)) if digits <= d), 32)
        case "QBit":
            return _QBIT_PLANES[parts[0]] * -(-int(parts[1]) // 8)
    return _WIDTHS.get(kind, 0)


def _typed(parts: Sequence[str]) -> list[str]:
    """The types of a JSON's typed paths, in the order of the paths."""
    named = [part for part in parts if _bare(part) != part and not part.startswith("SKIP ")]
    return [_bare(part) for part in sorted(named, key=lambda part: part.replace("`", ""))]


def _composed(kind: str, inner: list[Layout]) -> Layout:
    match kind:
        case "SimpleAggregateFunction":
            return inner[0]
        case "Nullable":
            return _Together(_Fixed(1), *inner)
        case "Array":
            return _Array(*inner)
        case "Tuple":
            return _Together(*inner) if inner else _Fixed(1)
        case "Map" | "Nested":
            return _Array(_Together(*inner))
        case "Variant":
            return _Variant(inner)
        case "LowCardinality":
            # A Nullable's NULL is the first of its keys.
            (keys,) = inner
            return _LowCardinality(keys.parts[1] if isinstance(keys, _Together) else keys)
    raise ValueError(kind)


def _parts(name: str) -> tuple[str, list[str]]:
    """A type's own name, and what stands in its brackets."""
    kind, bracket, _ = name.partition("(")
    parts, depth, start = [], 0, len(kind) + 1
    for piece in _PART.finditer(name, start):
        if piece[0] == "(":
            depth += 1
        elif piece[0] == ")" and depth:
            depth -= 1
        elif piece[0] in {",", ")"} and not depth:
            parts.append(name[start : piece.start()].strip())
            start = piece.end()
    return kind, [part for part in parts if part] if bracket else []


def _bare(part: str) -> str:
    """An element's type without the element's name."""
    depth = 0
    for piece in _PART.finditer(part):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if piece[0] == " " and not depth:
            return part[piece.end() :]
    return part
