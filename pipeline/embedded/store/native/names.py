"""Types as bytes, to their names: ClickHouse's "Data types binary encoding".

The engine's text forgets the zone of a `DateTime` in revision 0, its bytes do not. A name here is
the one that `toTypeName` gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.native.cursor import Cursor

_PLAIN = {
    **dict(enumerate(("Nothing", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128", "UInt256"))),
    **dict(enumerate(("Int8", "Int16", "Int32", "Int64", "Int128", "Int256"), 0x07)),
    **dict(enumerate(("Float32", "Float64", "Date", "Date32", "DateTime"), 0x0D)),
    0x15: "String",
    0x1D: "UUID",
    **dict(enumerate(("IPv4", "IPv6"), 0x28)),
    0x2D: "Bool",
    **dict(enumerate(("BFloat16", "Time"), 0x31)),
}
_INTERVALS = (
    *("Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"),
    *("Day", "Week", "Month", "Quarter", "Year"),
)
_DYNAMIC_TYPES, _DYNAMIC_PATHS = 32, 1024
_BARE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NEVER_BARE = frozenset(
    {"distinct", "all", "table", "select", "from", "order", "limit", "true", "false", "null"}
)


def read_name(cursor: Cursor) -> str:
    """Read one type.

    Raises:
        Refusal: a type whose values are of no length that can be told, or not known here.
    """
    code = cursor.byte()
    if code in _PLAIN:
        return _PLAIN[code]
    reader = _READERS.get(code)
    if reader is None:
        raise untold(f"the type of code 0x{code:02X}")
    return reader(cursor)


def untold(what: str) -> Refusal:
    """The refusal of a type that is not known here."""
    return Refusal(
        48,
        "NOT_IMPLEMENTED",
        f"The embedded store cannot give {what} in Native of this client_protocol_version: "
        "take another format, or turn the column into another type",
    )


def _several(cursor: Cursor, read: Callable[[Cursor], str]) -> list[str]:
    return [read(cursor) for _ in range(cursor.varint())]


def _within(name: str, parts: Iterable[object]) -> str:
    return f"{name}({', '.join(map(str, parts))})"


def _around(name: str) -> Callable[[Cursor], str]:
    return lambda cursor: _within(name, [read_name(cursor)])


def _enum(name: str, width: int) -> Callable[[Cursor], str]:
    def read(cursor: Cursor) -> str:
        def value() -> int:
            number = cursor.fixed(width)
            return number - (1 << 8 * width) if number >> (8 * width - 1) else number

        return _within(name, _several(cursor, lambda c: f"{quoted(c.string())} = {value()}"))

    return read


def _decimal(cursor: Cursor) -> str:
    return _within("Decimal", [cursor.byte(), cursor.byte()])


def _named(cursor: Cursor) -> str:
    return f"{bare(cursor.string())} {read_name(cursor)}"


def _aggregate(_cursor: Cursor) -> str:
    raise untold("AggregateFunction (finalizeAggregation turns it into a value)")


def _simple_aggregate(cursor: Cursor) -> str:
    function = cursor.string()
    if cursor.varint():
        raise untold("SimpleAggregateFunction of a function with parameters")
    return _within("SimpleAggregateFunction", [function, *_several(cursor, read_name)])


def _dynamic(cursor: Cursor) -> str:
    types = cursor.byte()
    return "Dynamic" if types == _DYNAMIC_TYPES else f"Dynamic(max_types={types})"


def _json(cursor: Cursor) -> str:
    cursor.byte()  # the encoding's version
    paths, types = cursor.varint(), cursor.byte()
    parts = [f"max_dynamic_types={types}"] if types != _DYNAMIC_TYPES else []
    parts += [f"max_dynamic_paths={paths}"] if paths != _DYNAMIC_PATHS else []
    typed = [(cursor.string(), read_name(cursor)) for _ in range(cursor.varint())]
    parts += [f"{bare(path)} {name}" for path, name in sorted(typed)]
    parts += _several(cursor, lambda c: f"SKIP {bare(c.string())}")
    parts += _several(cursor, lambda c: f"SKIP REGEXP {quoted(c.string())}")
    return _within("JSON", parts) if parts else "JSON"


def quoted(text: str) -> str:
    """A string literal, as the engine writes it in a type's name."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    for raw, letter in (("\n", "n"), ("\t", "t"), ("\r", "r"), ("\0", "0")):
        escaped = escaped.replace(raw, f"\\{letter}")
    return f"'{escaped}'"


def bare(name: str) -> str:
    """An identifier, in backquotes where the engine puts them."""
    if _BARE.fullmatch(name) and name.lower() not in _NEVER_BARE:
        return name
    return f"`{quoted(name)[1:-1]}`".replace("\\'", "'")


_READERS: dict[int, Callable[[Cursor], str]] = {
    0x12: lambda c: _within("DateTime", [quoted(c.string())]),
    0x13: lambda c: _within("DateTime64", [c.byte()]),
    0x14: lambda c: _within("DateTime64", [c.byte(), quoted(c.string())]),
    0x16: lambda c: _within("FixedString", [c.varint()]),
    0x17: _enum("Enum8", 1),
    0x18: _enum("Enum16", 2),
    **dict.fromkeys(range(0x19, 0x1D), _decimal),
    0x1E: _around("Array"),
    0x1F: lambda c: _within("Tuple", _several(c, read_name)),
    0x20: lambda c: _within("Tuple", _several(c, _named)),
    0x22: lambda c: f"Interval{_INTERVALS[c.byte()]}",
    0x23: _around("Nullable"),
    0x25: _aggregate,
    0x26: _around("LowCardinality"),
    0x27: lambda c: _within("Map", [read_name(c), read_name(c)]),
    0x2A: lambda c: _within("Variant", _several(c, read_name)),
    0x2B: _dynamic,
    0x2C: lambda c: c.string(),
    0x2E: _simple_aggregate,
    0x2F: lambda c: _within("Nested", _several(c, _named)),
    0x30: _json,
    0x34: lambda c: _within("Time64", [c.byte()]),
    0x36: lambda c: _within("QBit", [read_name(c), c.varint()]),
}
