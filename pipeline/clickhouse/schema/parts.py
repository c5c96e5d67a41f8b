"""What views are made of: SELECTs and pieces of text with a name, written out where they are used.

``PART _name AS SELECT … {since:DateTime('UTC')} …`` makes nothing in the store. Where a view reads
``FROM _name(since = …)``, the SELECT stands in the view's own text, with the values in the places
of the parameters; a parameter that is not given is the view's own of that name. A view within a
view would do the same, but ClickHouse analyses a parameterized view twice, and one within it four
times (``docs/decisions/usage-views.md``).

``MACRO _name(a, b) AS …`` names a piece of an expression; ``_name(x, y)`` is that piece.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.errors import MigrationError

_MACRO = re.compile(r"MACRO (_\w+)\(([\w, ]*)\) AS\b(.*)", re.DOTALL)
_CALL = re.compile(r"(?<![\w{])(_\w+)\(")
_WORD = re.compile(r"(?<![\w{])[A-Za-z]\w*\b(?!:)")
_DEFINITION = re.compile(r"PART (_\w+) AS\b(.*)", re.DOTALL)
_USE = re.compile(r"\b(FROM|JOIN)(\s+)(_\w+)\b")
_PARAMETER = re.compile(r"\{(\w+):([^{}]*)\}")
_TEXT = re.compile(r"'[^'\\]*'")
_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\{\w+:[^{}]*\}|.", re.DOTALL)


class Part(NamedTuple):
    """A SELECT that views are made of."""

    name: str
    select: str


class Macro(NamedTuple):
    """A piece of an expression that stands in several places."""

    name: str
    arguments: tuple[str, ...]
    text: str


def defined(statement: str) -> Part | None:
    """The part that a statement defines, if it does."""
    match = _DEFINITION.fullmatch(statement)
    return Part(match[1], match[2].strip()) if match else None


def macro(statement: str) -> Macro | None:
    """The macro that a statement defines, if it does."""
    match = _MACRO.fullmatch(statement)
    if not match:
        return None
    arguments = tuple(name.strip() for name in match[2].split(",") if name.strip())
    return Macro(match[1], arguments, match[3].strip())


def with_macros(text: str, macros: Mapping[str, Macro]) -> str:
    """A text with its macros in their places, those within them too.

    Raises:
        MigrationError: a macro is used with more or fewer arguments than it has.
    """
    done = ""
    while match := _CALL.search(text):
        known = macros.get(match[1])
        if known is None:  # a part
            done, text = done + text[: match.end()], text[match.end() :]
            continue
        given, rest = _arguments(text[match.end() - 1 :])
        done, text = done + text[: match.start()], _called(known, given) + rest
    return done + text


def _called(macro: Macro, given: list[str]) -> str:
    if len(given) != len(macro.arguments):
        raise MigrationError(
            f"{macro.name} takes {len(macro.arguments)} arguments, and is used with {len(given)}"
        )
    by_name = dict(zip(macro.arguments, given, strict=True))
    return _WORD.sub(lambda word: by_name.get(word[0], word[0]), macro.text)


def written_out(statement: str, parts: Mapping[str, str]) -> str:
    """A statement with its parts in their places; other names that begin with ``_`` stay."""
    done = ""
    while match := _USE.search(statement):
        done += statement[: match.end(2)]
        name, rest = match[3], statement[match.end() :]
        if name in parts:
            values, rest = _values(rest)
            # First what is within: it may take values that are given here.
            done += f"({_with_values(written_out(parts[name], parts), values)})"
        else:
            done += name
        statement = rest
    return done + statement


def _values(rest: str) -> tuple[dict[str, str], str]:
    """The values in parentheses at the beginning of a text, and what follows them."""
    if not rest.startswith("("):
        return {}, rest
    given, rest = _arguments(rest)
    named = (one.partition("=") for one in given)
    return {name.strip(): value.strip() for name, _, value in named}, rest


def _arguments(rest: str) -> tuple[list[str], str]:
    """The arguments in parentheses at the beginning of a text, and what follows them."""
    given: list[str] = []
    depth, one = 0, ""
    for piece in _PIECE.finditer(rest):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if depth == 0 or (depth == 1 and piece[0] == ","):
            given.append(one.removeprefix("(").strip())
            one = ""
        else:
            one += piece[0]
        if depth == 0:
            return [one for one in given if one], rest[piece.end() :]
    raise MigrationError(f"a parenthesis without its end: {rest[:60]}")


def _with_values(select: str, values: Mapping[str, str]) -> str:
    def value(parameter: re.Match[str]) -> str:
        name, kind = parameter.groups()
        given = values.get(name, parameter[0])
        if _is_of(kind, given):
            return given
        quoted = kind.replace("'", "\\'")
        return f"CAST({given}, '{quoted}')"

    return _PARAMETER.sub(value, select)


def _is_of(kind: str, value: str) -> bool:
    """Whether a value surely has this type: a parameter of it, or a text."""
    parameter = _PARAMETER.fullmatch(value)
    if parameter:
        return parameter[2] == kind
    return kind == "String" and bool(_TEXT.fullmatch(value))
