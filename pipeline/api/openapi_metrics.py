"""What the OpenAPI document says of user-defined metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.api.dry_runs import MOST_DAYS, MOST_TOP
from pipeline.api.openapi_parts import Schema, get, listing, path, query, refusals, text
from schemas.catalogue import TYPES
from schemas.generate.json_schema import of_event
from schemas.metric_definition import TYPE

_DATA = "data"
_DEFS = "#/$defs/"
_COMPONENTS = "#/components/schemas/metric_"
_TAG: Schema = {"ETag": {"schema": {"type": "string"}, "description": "The version, in quotes."}}
_VERSION: Schema = {
    "type": "object",
    "required": ["metric_id", "version", "defined_at"],
    "properties": {
        "metric_id": {"type": "string"},
        "version": {"type": "integer", "minimum": 1},
        "defined_at": {"type": "string", "format": "date-time"},
    },
}


def components() -> Schema:
    """The schemas of a definition, as the contract with producers has them."""
    found: Schema = _moved(of_event(TYPES[TYPE])["$defs"])
    data = found.pop(_DATA)
    data["required"] = [name for name in data["required"] if name != "metric_id"]
    data["additionalProperties"] = False
    return {f"metric_{name}": schema for name, schema in {_DATA: data, **found}.items()}


def paths(values: Schema) -> Schema:
    """The paths under ``/v1/metrics``; ``values`` is that of a metric's values."""
    return {
        "/v1/metrics": _admins(
            get(
                "metrics",
                "The metrics that are in force.",
                listing("metrics"),
                [query("retired", {"enum": ["0", "1"], "default": "0"}, "1: retired ones too.")],
            )
        ),
        "/v1/metrics/{id}": {
            **_admins(
                get(
                    "metric",
                    "One metric: the version in force, or an older one.",
                    _VERSION,
                    [path("id"), query("version", {"type": "integer", "minimum": 1})],
                ),
                404,
            ),
            "put": _put(),
            "delete": _delete(),
        },
        "/v1/metrics/{id}/versions": _admins(
            get(
                "metric_versions",
                "Every version of a metric, the newest last.",
                listing("versions"),
                [path("id")],
            ),
            404,
        ),
        "/v1/metrics/{id}/values": values,
        "/v1/metrics/dry-run": {"post": _dry_run()},
        "/v1/events": _admins(
            get(
                "seen_events",
                "The names of the product events that were seen lately, the most frequent first.",
                listing("events"),
                [text("as_of"), _number("days", MOST_DAYS)],
            )
        ),
        "/v1/events/properties": _admins(
            get(
                "seen_properties",
                "The properties of the events of a name: paths, kinds and examples.",
                listing("properties"),
                [
                    {**query("name", {"type": "string"}), "required": True},
                    text("as_of"),
                    _number("days", MOST_DAYS),
                ],
            )
        ),
    }


def _admins(found: Schema, *statuses: int) -> Schema:
    """A path that is for admins of all organizations."""
    found["get"]["responses"] |= refusals(403, *statuses)
    return found


def _put() -> Schema:
    answer = {"application/json": {"schema": _VERSION}}
    return {
        "operationId": "put_metric",
        "summary": "Make a metric, or change one; answered when that is in force.",
        "parameters": [path("id"), _if_match()],
        "requestBody": _body(),
        "responses": {
            "200": {"description": "The version in force.", "headers": _TAG, "content": answer},
            "201": {"description": "It is new, or back.", "headers": _TAG, "content": answer},
            "202": _pending(),
            **refusals(400, 401, 403, 409, 412, 413, 415, 428, 429, 503),
        },
    }


def _delete() -> Schema:
    return {
        "operationId": "retire_metric",
        "summary": "End a metric; its versions stay.",
        "parameters": [path("id"), _if_match()],
        "responses": {
            "202": _pending(),
            "204": {"description": "It is answered no more.", "headers": _TAG},
            **refusals(400, 401, 403, 404, 412, 429, 503),
        },
    }


def _dry_run() -> Schema:
    answer = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "dry_run_metric",
        "summary": "What a definition comes to, before it is saved; it needs no name yet.",
        "parameters": [text("as_of"), _number("k", MOST_TOP)],
        "requestBody": _body(),
        "responses": {
            "200": {
                "description": "Values of the largest organizations, totals, a funnel of the "
                "filters, what stands at each path, what differs from the version in force, and "
                "warnings.",
                "content": answer,
            },
            **refusals(400, 401, 403, 413, 415, 429, 503),
        },
    }


def _number(name: str, most: int) -> Schema:
    return query(name, {"type": "integer", "minimum": 1, "maximum": most})


def _if_match() -> Schema:
    return {
        "name": "If-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": 'The version that is changed, as "4"; `*` is any. A PUT of what is in force '
        "needs it.",
    }


def _pending() -> Schema:
    return {
        "description": "It is in Kafka, and not in force yet.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }


def _body() -> Schema:
    reference = {"$ref": f"{_COMPONENTS}{_DATA}"}
    return {"required": True, "content": {"application/json": {"schema": reference}}}


def _moved(value: Any) -> Any:
    """A schema whose references lead to the document's components."""
    if isinstance(value, dict):
        return {
            name: one.replace(_DEFS, _COMPONENTS) if name == "$ref" else _moved(one)
            for name, one in value.items()
        }
    is_list = isinstance(value, Iterable) and not isinstance(value, str)
    return [_moved(one) for one in value] if is_list else value
