"""JSON Schema (draft 2020-12) of a type: the whole structured event, ``data`` as a definition.

A validator that follows it accepts what the pipeline accepts; what a JSON Schema cannot say stands
in ``$comment``.
"""

from typing import Any

import msgspec

from schemas.catalogue import EventType
from schemas.envelope import SCHEMAS, Envelope
from schemas.fields import JSONSchema
from schemas.generate.descriptions import of_fields, one_line

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ALSO = (
    "A record has up to 1 MiB of UTF-8 and nests 32 deep; of a repeated name the last one holds; "
    "numbers are compared as written, before any rounding."
)


def of_event(kind: EventType) -> dict[str, Any]:
    """The schema of a structured event; ``#/$defs/data`` is that of the binary form's value."""
    envelope = _object(Envelope[Any], SCHEMAS, {})
    properties = envelope["properties"]
    properties["type"] = {**properties["type"], "type": "string", "const": kind.name}
    del properties["type"]["minLength"]
    properties["data"] = {"$ref": "#/$defs/data", "description": properties["data"]["description"]}
    return {
        "$schema": DIALECT,
        "$id": f"urn:usage-pipeline:{kind.name}",
        "title": kind.name,
        "description": f"{one_line(kind.data.__doc__ or '')} A structured CloudEvents 1.0 event on "
        f"topic {kind.topic}; in the binary form the value is `data` and attributes are headers.",
        "$comment": " ".join((_ALSO, *kind.unsaid)),
        "type": "object",
        "properties": properties,
        "required": envelope["required"],
        "allOf": list(kind.event_rules),
        "examples": [example(kind)],
        "$defs": {"data": _data(kind), **kind.defs},
    }


def example(kind: EventType) -> dict[str, Any]:
    """An example of an event, for people."""
    return {
        "specversion": "1.0",
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "source": "/gateway/eu-1",
        "type": kind.name,
        "subject": kind.subject,
        "time": "2026-05-01T12:34:56.789Z",
        "data": dict(kind.example),
    }


def _data(kind: EventType) -> dict[str, Any]:
    schema = _object(kind.data, kind.schemas, kind.defaults)
    schema["description"] = one_line(kind.data.__doc__ or "")
    if kind.rules:
        schema["allOf"] = list(kind.rules)
    return schema


def _object(type_: Any, replaced: JSONSchema, defaults: JSONSchema) -> dict[str, Any]:
    """What msgspec says of a type's fields, made complete. Other fields are allowed: ignored."""
    (reference,), definitions = msgspec.json.schema_components([type_])
    generated = definitions[reference["$ref"].rpartition("/")[2]]
    described = of_fields(getattr(type_, "__origin__", type_))
    properties = {
        name: {
            **(replaced[name] if name in replaced else _plain(schema)),
            "description": described[name],
            **({"default": defaults[name]} if name in defaults else {}),
        }
        for name, schema in generated["properties"].items()
    }
    return {"type": "object", "properties": properties, "required": generated["required"]}


def _plain(schema: JSONSchema) -> dict[str, Any]:
    """A field's schema without the default ``null``, which says nothing; null is one more type."""
    plain = {name: value for name, value in schema.items() if name != "default"}
    if "anyOf" not in plain:
        return {"type": "string", **plain} if "enum" in plain else plain
    one, *other = plain.pop("anyOf")
    if other != [{"type": "null"}] or "enum" in one:
        raise TypeError(f"{schema} needs words of its own in SCHEMAS")
    return {**one, "type": [one["type"], "null"], **plain}
