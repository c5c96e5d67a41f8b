"""``usage.event.v1`` on ``usage.events``: any product event; what user-defined metrics count."""

from typing import Any

from msgspec import Struct

from schemas.fields import JSONSchema, OptionalText, Text

TYPE = "usage.event.v1"
TOPIC = "usage.events"

MAX_PROPERTIES_DEPTH = 8
"""How deep ``properties`` may nest; the object itself is 1."""


class ProductEvent(Struct, kw_only=True, omit_defaults=True):
    """Something that happened in a product."""

    name: Text
    """What happened: ``report_exported``."""

    user_id: OptionalText = None
    """Who did it. Absent or empty: nobody in particular."""

    properties: dict[str, Any] | None = None
    """Anything, 8 deep (this object is 1); strings in it have only the record's limits."""


def _up_to(levels: int) -> JSONSchema:
    """A value with up to so many containers inside each other."""
    if not levels:
        return {"type": ["string", "number", "boolean", "null"]}
    inner = {"$ref": f"#/$defs/up_to_{levels - 1}_deep"}
    return {"additionalProperties": inner, "items": inner}


_INSIDE = MAX_PROPERTIES_DEPTH - 1

DEFS: JSONSchema = {f"up_to_{n}_deep": _up_to(n) for n in range(MAX_PROPERTIES_DEPTH)}
SCHEMAS: JSONSchema = {
    "properties": {
        "type": ["object", "null"],
        "additionalProperties": {"$ref": f"#/$defs/up_to_{_INSIDE}_deep"},
    }
}
DEFAULTS: JSONSchema = {"user_id": "", "properties": {}}
EXAMPLE: JSONSchema = {
    "name": "report_exported",
    "user_id": "u-3",
    "properties": {"format": "pdf", "pages": 12, "tags": ["monthly", "finance"]},
}
