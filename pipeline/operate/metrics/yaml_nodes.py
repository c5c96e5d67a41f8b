"""YAML and JSON as values that nobody can mistake, each with its line. Pure.

YAML reads some plain words as what their writer did not mean: ``no`` is false to one reader and a
word to the next, 2026-05-01 a date, 0o17 a number. Here a plain scalar is a string, a number as
JSON has it, true, false or null; what could be two things is refused, and says how to write either.
Numbers keep their text. Nothing is made by tags; anchors and aliases are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.errors import UsageError

AS_DATE = "date"
"""The key whose value may look like a date."""

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TWO_MEANINGS = frozenset({"yes", "no", "on", "off"})
_TAB = "\t"


class Misread(UsageError):
    """What cannot be read, or not without guessing; ``line`` counts from 1."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


class Value(NamedTuple):
    """A document or a part of it."""

    plain: Any
    """Of dict, list, str, bool, None; numbers are `msgspec.Raw`, so encoding keeps their text."""
    line: int
    lines: dict[str, int]
    """By the path of each part, ``filters[2].value``: its line."""


def documents(text: str) -> list[Value]:
    """Every document of a YAML or JSON text.

    Raises:
        Misread: it is neither, or says something in a way that has two meanings.
    """
    if text.lstrip().startswith(("{", "[")):
        text = _json(text)
    try:
        nodes = list(YAML(typ="safe", pure=True).compose_all(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "it cannot be read"
        raise Misread(mark.line + 1 if mark else 1, f"not YAML: {said}") from None
    except YAMLError as error:
        raise Misread(1, f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise Misread(1, "it nests too deep") from None
    return [_value(node) for node in nodes if node is not None]


def part(value: Value, path: str, plain: Any) -> Value:
    """A part of a value as one of its own, its paths from there."""
    inside = {
        where.removeprefix(path).removeprefix("."): line
        for where, line in value.lines.items()
        if where == path or where.startswith((f"{path}.", f"{path}["))
    }
    return Value(plain, value.lines[path], inside)


def _json(text: str) -> str:
    """A JSON document as YAML reads it; what is no JSON may still be YAML, and stays as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace(_TAB, " ")  # none stands in a string of JSON; YAML wants none outside


def _value(node: Node) -> Value:
    lines: dict[str, int] = {}
    return Value(_read(node, "", lines), _line(node), lines)


def _read(node: Node, path: str, lines: dict[str, int], key: str = "") -> Any:
    lines[path] = _line(node)
    if node.anchor is not None:
        raise Misread(_line(node), "anchors and aliases are not read: write it out")
    if isinstance(node, MappingNode):
        return {
            name: _read(value, f"{path}.{name}" if path else name, lines, name)
            for name, value in _pairs(node)
        }
    if isinstance(node, SequenceNode):
        return [_read(one, f"{path}[{n}]", lines) for n, one in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        return _scalar(node, key)
    raise TypeError(f"a node of no kind: {node}")


def _pairs(node: MappingNode) -> Iterator[tuple[str, Node]]:
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = _scalar(key, "") if isinstance(key, ScalarNode) else None
        if not isinstance(name, str):
            raise Misread(_line(key), "a field's name is a word; put it in quotes if it is meant")
        if name in seen:
            raise Misread(_line(key), f"{name!r} stands in line {seen[name]} already")
        seen[name] = _line(key)
        yield name, value


def _scalar(node: ScalarNode, key: str) -> Any:
    text, tag, is_plain = node.value, str(node.tag).removeprefix(_TAG), node.style in (None, "")
    if is_plain and tag in ("str", "bool") and text.lower() in _TWO_MEANINGS:
        raise Misread(
            _line(node),
            f"{text} is false or true to some, a word to others: write true or false, "
            f'or "{text}" in quotes',
        )
    if tag == "str" or (tag == "timestamp" and key == AS_DATE):
        return _text(node)
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag in ("int", "float"):
        if _NUMBER.fullmatch(text):
            return msgspec.Raw(text.encode())
        raise Misread(
            _line(node),
            f'{text} is no number as JSON writes them (200, -1.5, 2e3); or put "{text}" in quotes',
        )
    if tag == "timestamp":
        raise Misread(
            _line(node),
            f'{text} could be a text or a date: write "{text}" in quotes, or '
            '{date: "2026-05-01T00:00:00Z"}',
        )
    raise Misread(_line(node), f'{text!r} is of the kind {node.tag}: put it in quotes, "{text}"')


def _text(node: ScalarNode) -> str:
    """A string; halves of characters, as JSON writes some, become whole ones."""
    try:
        text: str = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise Misread(_line(node), "it holds half of a character (a lone surrogate)") from None
    return text


def _line(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1
