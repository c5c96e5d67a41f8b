"""Whether a JSON Schema still accepts what an earlier one did: the rule by which types change.

The comparison goes by the words of the two schemas and errs on the strict side: a change that it
does not know for a widening is a break.
"""

from collections.abc import Iterator
from typing import Any

from schemas.fields import JSONSchema

_WORDS = frozenset({"$comment", "$id", "description", "examples", "title"})
_MAY_FALL = frozenset({"minLength", "minimum", "exclusiveMinimum", "minItems"})
_MAY_RISE = frozenset({"maxLength", "maximum", "exclusiveMaximum", "maxItems"})
_COMPARED = frozenset({"type", "enum", "properties", "required", "$defs"})


def breaks(old: JSONSchema, new: JSONSchema, where: str = "") -> Iterator[str]:
    """Say where ``new`` may refuse, or read differently, what ``old`` accepted."""
    place = where or "the event"
    yield from _types(old, new, place)
    yield from _names(old, new, where)
    for word in sorted((old.keys() | new.keys()) - _WORDS - _COMPARED):
        before, after = old.get(word), new.get(word)
        if before != after and not _is_wider(word, before, after):
            yield f"{place}: {word} was {before!r}, is {after!r}"


def _types(old: JSONSchema, new: JSONSchema, place: str) -> Iterator[str]:
    for word in ("type", "enum"):
        before, after = _listed(old.get(word)), _listed(new.get(word))
        gone = [one for one in before if after and one not in after]
        if gone or (after and not before):
            yield f"{place}: {word} was {before or 'any'}, is {after}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _names(old: JSONSchema, new: JSONSchema, where: str) -> Iterator[str]:
    wanted = set(new.get("required", ())) - set(old.get("required", ()))
    for name in sorted(wanted):
        yield f"{_path(where, name)}: is required now"
    for group in ("properties", "$defs"):
        before, after = old.get(group, {}), new.get(group, {})
        for name in sorted(before.keys() - after.keys()):
            yield f"{_path(where, name)}: is gone"
        for name in sorted(before.keys() & after.keys()):
            yield from breaks(before[name], after[name], _path(where, name))
        if group == "properties":
            for name in sorted(after.keys() - before.keys() - wanted):
                if "null" not in _listed(after[name].get("type", "null")):
                    yield f"{_path(where, name)}: is new and does not take null for absent"


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _is_wider(word: str, before: Any, after: Any) -> bool:
    if word not in _MAY_FALL | _MAY_RISE or before is None:
        return False
    if after is None:
        return True
    return bool(after <= before if word in _MAY_FALL else after >= before)
