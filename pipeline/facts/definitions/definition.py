"""A definition of a user-defined metric as a value (row B1): checked, with its defaults filled in.

`written` gives it back as JSON, in its canonical form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.facts.exact.json_values import Number
from schemas.metric_definition import MetricDefinition

FIELDS = MetricDefinition.__struct_fields__
"""Of a definition; any other is ignored in an event."""


class Amount(NamedTuple):
    """A number to compare with."""

    text: str
    """Canonical, or as it was sent where it has more than 38 + 18 digits."""


class Date(NamedTuple):
    """An instant to compare with."""

    text: str
    """By RFC 3339."""
    milliseconds: int
    """Since 1970, cut."""


Operand = str | bool | Amount | Date


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition."""

    property: str
    """A path, or ``$user_id``."""
    operator: str
    values: tuple[Operand, ...] = ()
    """Two of ``between``, up to 200 of ``in`` and ``not_in``, none of ``is_set``; else one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One metric. What is ignored (``currency`` of a number) is ``''``, or empty."""

    metric_id: str
    name: str
    interval_days: int
    format: str = "numeric"
    currency: str = ""
    display: str = "number"
    calculation: str = "count"
    property: str = ""
    """A path: ``''`` is that of the empty key, or none where ``calculation`` is ``count``."""
    match: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    source: str = "events"
    retired: bool = False


def written(definition: Definition) -> dict[str, Any]:
    """The canonical JSON: defaults left out, of two definitions that say the same the same.

    Values are as `json_values.decode` gives them, and `json_values.compact` takes them.
    """
    d = definition
    fields: dict[str, Any] = {
        "metric_id": d.metric_id,
        "name": d.name,
        "interval_days": d.interval_days,
        "format": None if d.format == "numeric" else d.format,
        "currency": d.currency or None,
        "display": None if d.display == "number" else d.display,
        "calculation": None if d.calculation == "count" else d.calculation,
        "property": None if d.calculation == "count" else d.property,
        "match": list(d.match) or None,
        "filters": [_filter(one) for one in d.filters] or None,
        "source": None if d.source == "events" else d.source,
        "retired": d.retired or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _filter(one: Filter) -> dict[str, Any]:
    said: dict[str, Any] = {"property": one.property, "operator": one.operator}
    values = [_operand(value) for value in one.values]
    if one.operator in ("in", "not_in", "between"):
        said["value"] = values
    elif values:
        (said["value"],) = values
    return said


def _operand(value: Operand) -> Any:
    if isinstance(value, Amount):
        return Number(value.text)
    if isinstance(value, Date):
        return {"date": value.text}
    return value
