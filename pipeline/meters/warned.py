"""What of a definition is probably not what is meant, by what was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.facts.definitions.definition import Amount, Definition, Filter
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.meters.seen import (
    DAYS,
    MISSING,
    NUMBER,
    NUMERIC,
    OBJECT,
    Property,
    meant,
    share,
)

Warned = tuple[str, str]
"""A field's path, and a sentence about it."""

_NEGATIONS = frozenset({"is_not", "not_in", "not_contains", "not_regex"})
_NUMERIC_CALCULATIONS = frozenset({"sum", "average", "min", "max", "p50", "p90", "p95", "p99"})
_TEXTS = frozenset({"contains", "not_contains", "regex", "not_regex"})
_SHOWN = 10


def refusal(definition: Definition, properties: Sequence[Property]) -> InvalidDefinition | None:
    """The refusal of a path that ends in an object wherever it is there; it has no value then."""
    for field, path in _paths(definition):
        found = _of(path, properties)
        if (
            found is not None
            and OBJECT in found.kinds
            and not found.kinds.keys() - {MISSING, OBJECT}
        ):
            some = ", ".join(found.inside[:_SHOWN])
            more = ", …" if len(found.inside) > _SHOWN else ""
            return InvalidDefinition(
                field, f"{path} is an object, which has no value; its properties are {some}{more}"
            )
    return None


def warnings(
    definition: Definition,
    names: Mapping[str, int],
    properties: Sequence[Property],
    funnel: Sequence[int],
    known: Sequence[str] = (),
) -> Iterator[Warned]:
    """What is probably not meant.

    Args:
        definition: what is to be saved.
        names: events of the last `DAYS` days, by name.
        properties: what stands at its paths.
        funnel: events that match, then those that each filter leaves.
        known: paths that its events have.
    """
    if definition.source == "events":
        yield from _unseen(definition, names)
    yield from _absent(definition, properties, known)
    if definition.calculation in _NUMERIC_CALCULATIONS and definition.source == "events":
        yield from _not_numeric(definition, properties)
    for place, one in enumerate(definition.filters):
        found = _of(one.property, properties)
        if found is not None:
            yield from _filter(place, one, found)
        if funnel[place] and not funnel[place + 1]:
            yield f"filters[{place}]", "no event is left by this filter"


def _unseen(definition: Definition, names: Mapping[str, int]) -> Iterator[Warned]:
    for place, name in enumerate(definition.match):
        if name not in names:
            hint = meant(name, names)
            yield f"match[{place}]", f'no event named "{name}" in {DAYS} days{hint}'


def _absent(
    definition: Definition, properties: Sequence[Property], known: Sequence[str]
) -> Iterator[Warned]:
    for field, path in _paths(definition):
        found = _of(path, properties)
        if found is not None and set(found.kinds) == {MISSING}:
            hint = meant(path, known)
            yield field, f'no event has "{path}"{hint}'
        elif found is not None and OBJECT in found.kinds:
            part = share(found.kinds[OBJECT], found.events)
            yield field, f"{path} is an object in {part} of the events, which is missing there"


def _not_numeric(definition: Definition, properties: Sequence[Property]) -> Iterator[Warned]:
    found = _of(definition.property, properties)
    if found is None:
        return
    others = {kind: n for kind, n in _kinds_of_values(found).items() if kind not in NUMERIC}
    if others:
        part = share(sum(others.values()), found.events)
        some = [text for kind in others for text in found.examples.get(kind, ())][:3]
        shown = f", as {', '.join(map(repr, some))}" if some else ""
        yield "property", f"{found.path} is no number in {part} of the events{shown}: adds nothing"
    if found.kinds.get(MISSING):
        part = share(found.kinds[MISSING], found.events)
        yield "property", f"{found.path} is missing in {part} of the events: adds nothing"


def _filter(place: int, one: Filter, found: Property) -> Iterator[Warned]:
    """A filter whose operand is of another kind than what stands there."""
    there = _kinds_of_values(found)
    if not there:
        return
    mostly = max(there, key=lambda kind: there[kind])
    is_mostly = (
        f"{one.property} is a {mostly} in {share(there[mostly], found.events)} of the events"
    )
    if one.operator in _NEGATIONS and found.kinds.get(MISSING):
        absent = share(found.kinds[MISSING], found.events)
        yield (
            f"filters[{place}]",
            f"{one.operator} holds too where {one.property} is missing: {absent} of the events",
        )
    if one.operator in _TEXTS and mostly in (NUMBER, "boolean"):
        yield f"filters[{place}].operator", f"{one.operator} sees strings only, and {is_mostly}"
    is_equality = one.operator in ("exact", "is_not", "in", "not_in")
    if is_equality and mostly == NUMBER and any(isinstance(value, str) for value in one.values):
        sentence = f"a string equals strings only, and {is_mostly}: write it without quotes"
        yield f"filters[{place}].value", sentence
    if mostly not in NUMERIC and any(isinstance(value, Amount) for value in one.values):
        yield f"filters[{place}].value", f"{is_mostly}, not a number"


def _kinds_of_values(found: Property) -> dict[str, int]:
    return {kind: n for kind, n in found.kinds.items() if kind not in (MISSING, OBJECT)}


def _paths(definition: Definition) -> Iterator[tuple[str, str]]:
    if definition.calculation != "count":
        yield "property", definition.property
    for place, one in enumerate(definition.filters):
        yield f"filters[{place}].property", one.property


def _of(path: str, properties: Sequence[Property]) -> Property | None:
    return next((one for one in properties if one.path == path), None)
