"""A definition as the views follow it: one JSON object of plain rows, read by ``_definition()``.

``deploy/clickhouse/views/_parts/metrics.sql`` has the other side: each filter is one row, of
``texts`` (one of several, contains, matches, is there; negated or not) or of ``ranges``. Leaves
are compared with leaves, as `pipeline.facts.exact.leaves` writes them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.facts.definitions import numbers
from pipeline.facts.definitions.definition import Amount, Date, Definition, Filter, Operand
from pipeline.facts.definitions.kept import ALIASES
from pipeline.facts.definitions.operands import RANGES
from pipeline.facts.exact.leaves import number_leaf

ONE_OF, CONTAINS, REGEX, IS_SET = range(4)
"""What a row of texts asks."""

_ASKS = {
    "exact": (ONE_OF, False),
    "is_not": (ONE_OF, True),
    "in": (ONE_OF, False),
    "not_in": (ONE_OF, True),
    "contains": (CONTAINS, False),
    "not_contains": (CONTAINS, True),
    "regex": (REGEX, False),
    "not_regex": (REGEX, True),
    "is_set": (IS_SET, False),
    "is_not_set": (IS_SET, True),
}


def interpreted(definition: Definition) -> str:
    """The JSON object."""
    d = definition
    names = ALIASES.get(d.source, {})
    rows = [(names.get(one.property, one.property), one) for one in d.filters]
    fields = {
        "metric_id": d.metric_id,
        "name": d.name,
        "interval_days": d.interval_days,
        "format": d.format,
        "currency": d.currency,
        "display": d.display,
        "source": d.source,
        "calculation": d.calculation,
        "property": d.property,
        "names": list(d.match),
        "texts": [_text(path, one) for path, one in rows if one.operator not in RANGES],
        "ranges": [_range(path, one) for path, one in rows if one.operator in RANGES],
    }
    return msgspec.json.encode(fields).decode()


def _text(path: str, one: Filter) -> dict[str, Any]:
    op, negated = _ASKS[one.operator]
    amounts = [value.text for value in one.values if isinstance(value, Amount)]
    return {
        "path": path,
        "op": op,
        "negated": int(negated),
        "texts": [
            text
            for value in one.values
            if (text := _leaf(value) if op == ONE_OF else str(value)) is not None
        ],
        # What a string must be as a number, to equal one.
        "numbers": [text for one in amounts if (text := numbers.canonical(one)) is not None],
        "instants": [value.milliseconds for value in one.values if isinstance(value, Date)],
    }


def _leaf(value: Operand) -> str | None:
    """The one leaf that equals a value; None of a date, which many texts are."""
    if isinstance(value, Date):
        return None
    if isinstance(value, Amount):
        return number_leaf(value.text)
    if isinstance(value, bool):
        return "b1" if value else "b0"
    return "s" + value


def _range(path: str, one: Filter) -> dict[str, Any]:
    low = one.values[0] if one.operator in ("gt", "gte", "between") else None
    high = one.values[-1] if one.operator in ("lt", "lte", "between") else None
    least = None if low is None else _end(low, one.operator != "gt", upper=False)
    greatest = None if high is None else _end(high, one.operator != "lt", upper=True)
    return {
        "path": path,
        "instant": int(isinstance(one.values[0], Date)),
        "low": least and least.text,
        "low_in": int(least is not None and least.included),
        "high": greatest and greatest.text,
        "high_in": int(greatest is not None and greatest.included),
    }


def _end(value: Operand, included: bool, *, upper: bool) -> numbers.Bound:
    if isinstance(value, Date):
        return numbers.Bound(str(value.milliseconds), included)
    if not isinstance(value, Amount):
        raise TypeError(f"a range of {value!r}")
    return (numbers.upper if upper else numbers.lower)(value.text, included)
