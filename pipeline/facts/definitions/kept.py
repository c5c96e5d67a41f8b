"""What is kept of requests and of recipe actions, for metrics that are answered from it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.facts.definitions.definition import Definition
from pipeline.facts.definitions.invalid import InvalidDefinition, one_of, wrong
from pipeline.facts.definitions.operands import RANGES
from schemas.metric_definition import USER_ID

CALCULATIONS = ("count", "sum", "average")
"""What sums can answer."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the sums of one source are of, and by what they are kept."""

    noun: str
    measures: tuple[str, ...]
    keys: tuple[str, ...]
    by_failed: tuple[str, ...]
    """The measures of which it is known whether they failed."""
    narrow: dict[str, tuple[str, ...]]
    """Measures that are kept by fewer keys."""


SOURCES = {
    "requests": Kept(
        "requests",
        ("requests", "input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms"),
        ("team_id", "agent_id", "token_id", "user_id", "model", "operation", "failed"),
        ("requests",),
        {"duration_ms": ("token_id", "operation")},
    ),
    "actions": Kept(
        "actions",
        ("actions", "tasks"),
        ("recipe_id", "app", "failed"),
        ("actions", "tasks"),
        {},
    ),
}
"""By the definition's ``source``."""

ALIASES = {"requests": {USER_ID: "user_id"}}
"""Other names of keys, by source."""


def check(definition: Definition) -> None:
    """Refuse what the sums of a definition's source cannot answer. Raises InvalidDefinition."""
    kept = SOURCES[definition.source]
    if definition.calculation not in CALCULATIONS:
        raise wrong(
            "calculation",
            definition.calculation,
            f"{one_of(CALCULATIONS)}; {kept.noun} are kept as sums",
        )
    if definition.calculation != "count":
        _check_measure(definition, kept)
    for place in range(len(definition.filters)):
        _check_filter(definition, place, kept)


def _check_measure(definition: Definition, kept: Kept) -> None:
    if definition.property not in kept.measures:
        raise wrong("property", definition.property, f"{one_of(kept.measures)}, of {kept.noun}")
    if definition.property == "cost" and definition.format != "currency":
        raise wrong(
            "format", definition.format, '"currency"; costs of different currencies never add up'
        )


def _check_filter(definition: Definition, place: int, kept: Kept) -> None:
    one = definition.filters[place]
    key = ALIASES.get(definition.source, {}).get(one.property, one.property)
    field = f"filters[{place}]"
    if key not in kept.keys:
        raise InvalidDefinition(
            f"{field}.property",
            f"{kept.noun} are kept by {one_of(kept.keys, 'and')}, not by {one.property}",
        )
    if one.operator in RANGES:
        raise InvalidDefinition(
            f"{field}.operator",
            f"found {one.operator}, expected any but {one_of(RANGES, 'and')}; "
            f"{kept.noun} are kept by texts, which have no order",
        )
    measure = kept.measures[0] if definition.calculation == "count" else definition.property
    keys = kept.narrow.get(measure, kept.keys)
    if measure not in kept.by_failed:
        keys = tuple(name for name in keys if name != "failed")
    if key not in keys:
        raise InvalidDefinition(
            f"{field}.property",
            f"{measure} of {kept.noun} is kept by {one_of(keys, 'and')}, not by {one.property}",
        )
