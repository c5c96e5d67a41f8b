"""A definition as JSON to a checked value: every limit, each with its sentence.

The contract is that of ``usage.metric_definition.v1``; nothing here looks at other metrics, at the
store or at a clock.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.facts.definitions import kept, operands, paths
from pipeline.facts.definitions.definition import Definition, Filter
from pipeline.facts.definitions.invalid import InvalidDefinition, one_of, wrong
from pipeline.facts.exact.json_values import Number
from pipeline.facts.exact.reasons import MISSING
from pipeline.facts.exact.requests import is_currency
from schemas.fields import MAX_TEXT
from schemas.metric_definition import (
    CALCULATIONS,
    DISPLAYS,
    FORMATS,
    ID_PATTERN,
    INTERVALS,
    MAX_FILTERS,
    MAX_MATCH,
    MAX_NAME,
    OPERATORS,
    SOURCES,
)

_ID = re.compile(ID_PATTERN[1:-1])


def read(data: Mapping[str, Any]) -> Definition:
    """The definition that decoded JSON gives; its numbers may be of any of Python's types.

    Raises:
        InvalidDefinition: it breaks the contract; the sentence names the field, what was found,
            and what is expected.
    """
    fields = {name: _plain(value) for name, value in data.items()}
    source = _choice(fields, "source", SOURCES)
    calculation = _choice(fields, "calculation", CALCULATIONS)
    format_ = _choice(fields, "format", FORMATS)
    definition = Definition(
        metric_id=_metric_id(fields),
        name=_name(fields),
        interval_days=_interval(fields),
        format=format_,
        currency=_currency(fields) if format_ == "currency" else "",
        display=_choice(fields, "display", DISPLAYS),
        calculation=calculation,
        property="" if calculation == "count" else _property(fields, calculation),
        match=_match(fields) if source == "events" else (),
        filters=_filters(fields),
        source=source,
        retired=_retired(fields),
    )
    if source in kept.SOURCES:
        kept.check(definition)
    return definition


def _plain(value: Any) -> Any:
    """A value with its numbers as JSON decoding gives them."""
    if isinstance(value, float | Decimal):
        number = Number(str(value))
        return number if Decimal(value).is_finite() else number.text
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _choice(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """One of some words; the first where it is absent."""
    value = fields.get(name)
    if value is None:
        return allowed[0]
    if not isinstance(value, str) or value not in allowed:
        raise wrong(name, value, one_of(allowed) + _meant(value, allowed))
    return value


def _meant(value: Any, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def _metric_id(fields: Mapping[str, Any]) -> str:
    value = fields.get("metric_id")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        expected = "1 to 64 small letters, digits, _ and -"
        raise wrong("metric_id", _there(value), expected)
    return value


def _name(fields: Mapping[str, Any]) -> str:
    value = fields.get("name")
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
        raise wrong("name", _there(value), f"a string of 1 to {MAX_NAME} characters")
    return value


def _interval(fields: Mapping[str, Any]) -> int:
    value = fields.get("interval_days")
    if not isinstance(value, int) or isinstance(value, bool) or value not in INTERVALS:
        raise wrong("interval_days", _there(value), one_of(INTERVALS))
    return value


def _currency(fields: Mapping[str, Any]) -> str:
    value = fields.get("currency")
    if value is None:
        raise InvalidDefinition("currency", 'missing; format "currency" needs a code such as USD')
    if not isinstance(value, str) or not is_currency(value):
        raise wrong("currency", value, "three capital letters, as USD")
    return value


def _property(fields: Mapping[str, Any], calculation: str) -> str:
    value = fields.get("property")
    if value is None:
        raise InvalidDefinition("property", f'missing; calculation "{calculation}" needs one')
    return paths.read(value, "property")


def _match(fields: Mapping[str, Any]) -> tuple[str, ...]:
    value = fields.get("match")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_MATCH:
        raise wrong("match", _there(value), f"an array of 1 to {MAX_MATCH} event names")
    for place, name in enumerate(value):
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_TEXT:
            raise wrong(
                f"match[{place}]", name, f"an event's name, of 1 to {MAX_TEXT:,} characters"
            )
    return tuple(dict.fromkeys(value))


def _filters(fields: Mapping[str, Any]) -> tuple[Filter, ...]:
    value = fields.get("filters")
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_FILTERS:
        raise wrong("filters", value, f"an array of up to {MAX_FILTERS} filters")
    return tuple(_filter(one, f"filters[{place}]") for place, one in enumerate(value))


def _filter(value: Any, field: str) -> Filter:
    if not isinstance(value, dict):
        raise wrong(field, value, "an object with property, operator and value")
    path = value.get("property")
    if path is None:
        raise InvalidDefinition(f"{field}.property", "missing; a filter needs one")
    operator = value.get("operator")
    if not isinstance(operator, str) or operator not in OPERATORS:
        expected = one_of(OPERATORS) + _meant(operator, OPERATORS)
        raise wrong(f"{field}.operator", _there(operator), expected)
    return Filter(
        paths.read(path, f"{field}.property"),
        operator,
        operands.read(operator, value.get("value"), f"{field}.value"),
    )


def _retired(fields: Mapping[str, Any]) -> bool:
    value = fields.get("retired")
    if value is not None and not isinstance(value, bool):
        raise wrong("retired", value, "true or false")
    return bool(value)


def _there(value: Any) -> Any:
    """What is null is not there."""
    return MISSING if value is None else value
