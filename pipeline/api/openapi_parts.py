"""What the OpenAPI document is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.views.parameters import LARGEST

Schema = dict[str, Any]

_TIMES = (
    "A time: 2026-05-01 or 2026-05-01T10:30 (both in tz), one with an offset, epoch seconds, now, "
    "or how long ago: 90m, 12h, 30d, 2w. Seconds are cut off."
)
SENTENCES = {
    "since": f"The range's beginning, included. {_TIMES} Ago counts from until.",
    "until": f"The range's end, not included. {_TIMES}",
    "as_of": f"What stood before this instant. {_TIMES}",
    "from": f"The range's beginning, included; by default twelve months. {_TIMES}",
    "to": f"The range's end, not included; by default now. {_TIMES}",
    "tz": "An IANA time zone: that of buckets, and of the offset in which instants are written.",
    "tenant": "One organization; empty: all, or the caller's only one. Who has several must say.",
    "token": "One token's id; empty: all.",
    "metric": "One metric's id; empty: all.",
    "property": "The path of a property, as plan or user.plan.",
    "external_id": "The customers with this external id.",
    "customer_id": "One customer; by default each of the caller's organizations.",
    "by": "`recipe`: tasks of each recipe.",
}
_PROBLEMS = {
    400: "A parameter is wrong, unknown or repeated; the detail names it.",
    401: "Nothing says who asks, or what says it is not valid.",
    403: "It is not the caller's to see.",
    404: "There is no such thing, or it is somebody else's.",
    406: "No format of this API is accepted.",
    409: "It cannot be as things stand; the detail says why.",
    412: "It is not the version that If-Match names; the detail says which there is.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    428: "If-Match must say which version is changed.",
    429: "Too many requests in a minute, or too many at once; Retry-After says when to try again.",
    503: "The store does not answer at the moment, or Kafka does not take a change.",
}


def text(name: str) -> Schema:
    """A parameter that is text."""
    return query(name, {"type": "string"}, SENTENCES.get(name, ""))


def number(name: str) -> Schema:
    """A parameter that is a whole number from 1 on."""
    return query(name, {"type": "integer", "minimum": 1, "maximum": LARGEST})


def query(name: str, schema: Schema, description: str = "") -> Schema:
    """A parameter of the query."""
    found: Schema = {"name": name, "in": "query", "schema": schema}
    return {**found, "description": description} if description else found


def path(name: str) -> Schema:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def get(
    name: str,
    summary: str,
    schema: Schema,
    parameters: list[Schema] | None = None,
    problems: Iterable[int] = (400, 429, 503),
) -> Schema:
    """A path that answers GET with one document."""
    content = {"application/json": {"schema": schema}}
    operation = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {"description": "What was asked for.", "content": content},
            **refusals(401, *problems),
        },
    }
    return {"get": operation}


def listing(name: str) -> Schema:
    """An answer that has one list of objects."""
    listed = {"type": "array", "items": {"type": "object"}}
    return {"type": "object", "required": [name], "properties": {name: listed}}


def refusals(*statuses: int) -> Schema:
    """The answers of problems, by their statuses."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": _PROBLEMS[status], "content": content} for status in statuses
    }
