"""``usage.metric_definition.v1`` on ``usage.metric-definitions``: one user-defined metric, whole.

It stands from its place in the log on, and for the past too: metrics are computed from what is
kept. What values and operators mean is in ``docs/user-metrics.md``.
"""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schemas.envelope import NOBODY
from schemas.fields import MAX_TEXT, JSONSchema

TYPE = "usage.metric_definition.v1"
TOPIC = "usage.metric-definitions"

ID_PATTERN = "^[a-z0-9_-]{1,64}$"
MAX_NAME = 80
INTERVALS = (7, 30, 90)
FORMATS = ("numeric", "currency")
DISPLAYS = ("number", "sparkline")
CALCULATIONS = ("count", "sum", "average", "min", "max", "unique", "p50", "p90", "p95", "p99")
SOURCES = ("events", "requests", "actions")
OPERATORS = (
    "exact",
    "is_not",
    "contains",
    "not_contains",
    "regex",
    "not_regex",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "in",
    "not_in",
    "is_set",
    "is_not_set",
)

MAX_IN_FORCE = 100
"""Metrics that are not retired, at one time."""
MAX_MATCH = 20
MAX_FILTERS = 16
MAX_VALUES = 200
"""Values of ``in``."""
MAX_OPERAND = 1024
MAX_REGEX = 512
MAX_PATH = 256
"""Lengths in code points."""

USER_ID = "$user_id"
"""As a property: who did it, the event's ``user_id``."""

Path = Annotated[str, Meta(max_length=MAX_PATH)]


class MetricFilter(Struct, kw_only=True, omit_defaults=True):
    """A condition on a property of the events that count."""

    property: Path
    """The path of the property, ``a.b`` for a nested one, or ``$user_id``."""

    operator: Literal[
        "exact",
        "is_not",
        "contains",
        "not_contains",
        "regex",
        "not_regex",
        "gt",
        "gte",
        "lt",
        "lte",
        "between",
        "in",
        "not_in",
        "is_set",
        "is_not_set",
    ]
    """How it is compared."""

    value: Any = None
    """With what."""


class MetricDefinition(Struct, kw_only=True, omit_defaults=True):
    """A metric that every customer has. Its event's ``subject`` is ``*``."""

    metric_id: Annotated[str, Meta(pattern=ID_PATTERN)]
    """What it is known by: small letters, digits, ``_`` and ``-``, up to 64 of them."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    """The title of its column."""

    interval_days: Literal[7, 30, 90]
    """The window that its value is of, in days of 24 hours."""

    format: Literal["numeric", "currency"] | None = None
    """How the value is shown."""

    currency: str | None = None
    """Of the format ``currency``: three capitals. Ignored with ``numeric``."""

    display: Literal["number", "sparkline"] | None = None
    """A number, or a bar for each day beside it."""

    calculation: (
        Literal["count", "sum", "average", "min", "max", "unique", "p50", "p90", "p95", "p99"]
        | None
    ) = None
    """What is made of the events. All but ``count`` need ``property``."""

    property: str | None = None
    """The path of the property that is summed, averaged, …: ``a.b`` for a nested one; a dot or a
    backslash inside a key is written ``\\.``, ``\\\\``. Ignored with ``count``."""

    match: list[str] | None = None
    """The names of the events that count, 1 to 20: any of them. Of the source ``events`` only."""

    filters: Annotated[list[MetricFilter], Meta(max_length=MAX_FILTERS)] | None = None
    """Conditions that must all hold, up to 16."""

    source: Literal["events", "requests", "actions"] | None = None
    """What is counted: product events, or what is kept of requests or of recipe actions."""

    retired: bool | None = None
    """Whether the metric is not in force any more."""


def fault(one: MetricDefinition) -> str:
    """What is wrong with a definition that its fields' types do not say; ``''`` if nothing is.

    What filters are compared with is left to the pipeline.
    """
    if not re.fullmatch(ID_PATTERN[1:-1], one.metric_id):
        return f"metric_id is {one.metric_id!r}, expected small letters, digits, _ and -"
    if one.format == "currency" and not re.fullmatch("[A-Z]{3}", one.currency or ""):
        return f"currency is {one.currency!r}, expected three capitals, as USD"
    calculation, path = one.calculation or "count", one.property
    if calculation != "count" and (path is None or len(path) > MAX_PATH):
        return f"property is {path!r}, expected a path of up to {MAX_PATH} characters"
    names = one.match or []
    if (one.source or "events") == "events" and not (
        1 <= len(names) <= MAX_MATCH and all(1 <= len(name) <= MAX_TEXT for name in names)
    ):
        return f"match is {names!r}, expected 1 to {MAX_MATCH} names of events"
    return ""


_SCALARS: tuple[JSONSchema, ...] = (
    {"type": "string", "maxLength": MAX_OPERAND},
    {"type": ["number", "boolean"]},
    {"$ref": "#/$defs/date"},
)
_NUMBER_OR_DATE: JSONSchema = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/date"}]}


def _takes(operators: tuple[str, ...], value: JSONSchema) -> JSONSchema:
    """The rule of some operators: their value, which must be there."""
    return {
        "if": {"properties": {"operator": {"enum": list(operators)}}, "required": ["operator"]},
        "then": {"properties": {"value": value}, "required": ["value"]},
    }


DEFS: JSONSchema = {
    "date": {
        "type": "object",
        "properties": {"date": {"type": "string"}},
        "required": ["date"],
    },
    "filter": {
        "type": "object",
        "properties": {
            "property": {"type": "string", "maxLength": MAX_PATH},
            "operator": {"type": "string", "enum": list(OPERATORS)},
            "value": {},
        },
        "required": ["property", "operator"],
        "allOf": [
            _takes(("exact", "is_not"), {"anyOf": list(_SCALARS)}),
            _takes(("contains", "not_contains"), {"type": "string", "maxLength": MAX_OPERAND}),
            _takes(("regex", "not_regex"), {"type": "string", "maxLength": MAX_REGEX}),
            _takes(("gt", "gte", "lt", "lte"), _NUMBER_OR_DATE),
            _takes(
                ("between",),
                {"type": "array", "items": _NUMBER_OR_DATE, "minItems": 2, "maxItems": 2},
            ),
            _takes(
                ("in", "not_in"),
                {
                    "type": "array",
                    "items": {"anyOf": list(_SCALARS)},
                    "minItems": 1,
                    "maxItems": MAX_VALUES,
                },
            ),
        ],
    },
}
SCHEMAS: JSONSchema = {
    "metric_id": {
        "type": "string",
        "pattern": ID_PATTERN,
        # In some engines `$` lets a line's end follow.
        "not": {"pattern": "[^a-z0-9_-]"},
    },
    "interval_days": {"type": "integer", "enum": list(INTERVALS)},
    "format": {"type": ["string", "null"], "enum": [*FORMATS, None]},
    "currency": {},
    "display": {"type": ["string", "null"], "enum": [*DISPLAYS, None]},
    "calculation": {"type": ["string", "null"], "enum": [*CALCULATIONS, None]},
    "property": {},
    "match": {},
    "filters": {
        "type": ["array", "null"],
        "items": {"$ref": "#/$defs/filter"},
        "maxItems": MAX_FILTERS,
    },
    "source": {"type": ["string", "null"], "enum": [*SOURCES, None]},
}
_ADDS_UP: JSONSchema = {
    "properties": {"calculation": {"enum": [one for one in CALCULATIONS if one != "count"]}},
    "required": ["calculation"],
}
_IN_CURRENCY: JSONSchema = {
    "properties": {"format": {"const": "currency"}},
    "required": ["format"],
}
_OF_EVENTS: JSONSchema = {"properties": {"source": {"enum": ["events", None]}}}
RULES: tuple[JSONSchema, ...] = (
    {
        "if": _ADDS_UP,
        "then": {
            "properties": {"property": {"type": "string", "maxLength": MAX_PATH}},
            "required": ["property"],
        },
    },
    {
        "if": _IN_CURRENCY,
        "then": {
            "properties": {
                "currency": {
                    "type": "string",
                    "pattern": "^[A-Z]{3}$",
                    "not": {"pattern": "[^A-Z]"},
                }
            },
            "required": ["currency"],
        },
    },
    {
        "if": _OF_EVENTS,
        "then": {
            "properties": {
                "match": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
                    "minItems": 1,
                    "maxItems": MAX_MATCH,
                }
            },
            "required": ["match"],
        },
    },
)
EVENT_RULES: tuple[JSONSchema, ...] = ({"properties": {"subject": {"const": NOBODY}}},)
DEFAULTS: JSONSchema = {
    "format": "numeric",
    "display": "number",
    "calculation": "count",
    "filters": [],
    "source": "events",
    "retired": False,
}
EXAMPLE: JSONSchema = {
    "metric_id": "api_calls",
    "name": "API calls",
    "interval_days": 30,
    "match": ["api_request", "api_call"],
    "filters": [{"property": "status", "operator": "exact", "value": 200}],
}
