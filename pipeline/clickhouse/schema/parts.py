"""Parts of views: SELECTs with a name and parameters, written out wherever a view uses them.

``PART _name AS SELECT … {since:DateTime('UTC')} …`` in a migration makes nothing in the store.
Where a view reads ``FROM _name(since = …)``, the SELECT stands in the view's own text, with the
values in the places of the parameters. A view within a view would do the same, but ClickHouse
analyses a parameterized view twice, and one within it four times
(``docs/decisions/usage-views.md``).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.errors import MigrationError

_DEFINITION = re.compile(r"PART (_\w+) AS\b(.*)", re.DOTALL)
_USE = re.compile(r"\b(FROM|JOIN)(\s+)(_\w+)\b")
_PARAMETER = re.compile(r"\{(\w+):([^{}]*)\}")
_TEXT = re.compile(r"'[^'\\]*'")
_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\{\w+:[^{}]*\}|.", re.DOTALL)


class Part(NamedTuple):
    """A SELECT that views are made of."""

    name: str
    select: str


def defined(statement: str) -> Part | None:
    """The part that a statement defines, if it does."""
    match = _DEFINITION.fullmatch(statement)
    return Part(match[1], match[2].strip()) if match else None


def written_out(statement: str, parts: Mapping[str, str]) -> str:
    """A statement with its parts in their places; other names that begin with ``_`` stay.

    Raises:
        MigrationError: a part is used without a value for one of its parameters.
    """
    done = ""
    while match := _USE.search(statement):
        done += statement[: match.end(2)]
        name, rest = match[3], statement[match.end() :]
        if name in parts:
            values, rest = _values(rest)
            done += f"({written_out(_with_values(Part(name, parts[name]), values), parts)})"
        else:
            done += name
        statement = rest
    return done + statement


def _values(rest: str) -> tuple[dict[str, str], str]:
    """The values in parentheses at the beginning of a text, and what follows them."""
    values: dict[str, str] = {}
    if not rest.startswith("("):
        return values, rest
    depth, one = 0, ""
    for piece in _PIECE.finditer(rest):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if depth == 0 or (depth == 1 and piece[0] == ","):
            name, _, value = one.removeprefix("(").partition("=")
            values[name.strip()] = value.strip()
            one = ""
        else:
            one += piece[0]
        if depth == 0:
            return values, rest[piece.end() :]
    raise MigrationError(f"a parenthesis without its end: {rest[:60]}")


def _with_values(part: Part, values: Mapping[str, str]) -> str:
    def value(parameter: re.Match[str]) -> str:
        name, kind = parameter.groups()
        if name not in values:
            raise MigrationError(f"{part.name} is used without its parameter `{name}`")
        given = values[name]
        if _is_of(kind, given):
            return given
        quoted = kind.replace("'", "\\'")
        return f"CAST({given}, '{quoted}')"

    return _PARAMETER.sub(value, part.select)


def _is_of(kind: str, value: str) -> bool:
    """Whether a value surely has this type: a parameter of it, or a text."""
    parameter = _PARAMETER.fullmatch(value)
    if parameter:
        return parameter[2] == kind
    return kind == "String" and bool(_TEXT.fullmatch(value))
