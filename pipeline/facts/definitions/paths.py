"""Paths of properties: keys joined by dots, a dot or a backslash within a key escaped."""

import re

from pipeline.facts.definitions.invalid import InvalidDefinition, shown, wrong
from pipeline.facts.exact.leaves import escaped
from schemas.metric_definition import MAX_PATH

_PATH = re.compile(r"(?:[^\\]|\\[.\\])*", re.DOTALL)
_KEY = re.compile(r"((?:[^\\.]|\\[.\\])*)(?:\.|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\([.\\])")


def read(value: object, field: str) -> str:
    """The path that a field holds; ``''`` is that of the empty key. Raises InvalidDefinition."""
    if not isinstance(value, str):
        raise wrong(field, value, "a path, as plan or user.plan")
    if len(value) > MAX_PATH:
        raise InvalidDefinition(
            field, f"found {len(value)} characters, expected a path of up to {MAX_PATH}"
        )
    if not _PATH.fullmatch(value):
        raise InvalidDefinition(
            field,
            f"found {shown(value)}, expected no escapes but \\. and \\\\; "
            "write \\\\ for a backslash in a key",
        )
    return value


def keys_of(path: str) -> tuple[str, ...]:
    """The keys that a path names, one for each level."""
    keys = [match[1] for match in _KEY.finditer(path + ".")]
    return tuple(_ESCAPED.sub(r"\1", key) for key in keys[: _levels(path)])


def path_of(*keys: str) -> str:
    """The path of a property that is so many levels deep."""
    return ".".join(escaped(key) for key in keys)


def _levels(path: str) -> int:
    return len(re.sub(r"\\[.\\]", "", path).split("."))
