"""The OpenAPI 3.1 document of the API, made of the catalogue. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pipeline.access.decision import audience
from pipeline.access.keys import LONGEST_NAME
from pipeline.access.roles import Role
from pipeline.api import metric_values, monthly, openapi_metrics, openapi_operators
from pipeline.api.openapi_parts import (
    SENTENCES,
    Schema,
    get,
    listing,
    number,
    path,
    query,
    refusals,
    text,
)
from pipeline.api.options import DEFAULT_ROWS, MOST_ROWS
from pipeline.api.view_routes import default
from pipeline.reports.jobs import Status
from pipeline.reports.plan import FORMATS as REPORT_FORMATS
from pipeline.reports.plan import MOST_ORGANIZATIONS, MOST_VIEWS
from pipeline.views.catalogue import Column, View
from pipeline.views.formats import Format
from pipeline.views.parameters import GRAINS, LARGEST
from pipeline.views.projection import WIDE

_INTEGER = re.compile(r"^(U?)Int(\d+)$")


def document(views: Iterable[View], formats: Iterable[Format], release: str) -> Schema:
    """The whole document."""
    formats, views = list(formats), list(views)
    paths: Schema = {
        "/v1/views": get("views", "What this caller may ask.", listing("views")),
        "/v1/me": get("me", "Who asks: user, role, scope, limits.", {"type": "object"}),
        "/v1/organizations": get(
            "organizations",
            "The caller's organizations.",
            listing("organizations"),
            [text("as_of")],
            (400, 403, 404, 429, 503),
        ),
        "/v1/organizations/{tenant}": get(
            "organization",
            "One organization, each part that is the caller's to see.",
            {"type": "object"},
            [
                path("tenant"),
                *(text(name) for name in ("tz", "as_of", "since", "until")),
                number("months"),
            ],
            (400, 403, 404, 429, 503),
        ),
        monthly.PATH: _rows(
            "monthly_usage",
            "Tasks of each customer and calendar month.",
            [_by() if name == "by" else text(name) for name in monthly.PARAMETERS],
            (),
            formats,
        ),
        "/v1/panels": get("panels", "The panels that the caller may see.", listing("panels")),
        "/v1/reports": {"get": _listed_reports(), "post": _made_report()},
        "/v1/reports/{id}": {"get": _one_report(), "delete": _removed_report()},
        "/v1/reports/{id}/file": {"get": _report_file()},
        "/v1/live": {"get": _live()},
        "/v1/keys": {"get": _listed_keys(), "post": _made_key()},
        "/v1/keys/{id}": {"get": _one_key(), "delete": _revoked_key()},
        "/v1/openapi.json": get("openapi", "This document.", {"type": "object"}),
        "/metrics": {
            "get": _plain("metrics", "Metrics of this process, for Prometheus.", 400, 403, 503)
        },
        "/healthz": {"get": {**_plain("healthz", "Whether the process is alive."), "security": []}},
        "/readyz": {"get": {**_plain("readyz", "Whether it can answer.", 503), "security": []}},
    }
    paths |= openapi_metrics.paths(_values(views, formats)) | openapi_operators.paths()
    for view in views:
        paths[f"/v1/views/{view.name}"] = _rows(
            view.name,
            view.sentence,
            [_parameter(view, one.name) for one in view.parameters],
            view.columns,
            formats,
            f"Rows {' '.join(view.rows)} of the list of numbers. For: {audience(view)}.",
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Usage",
            "version": release,
            "description": "Counts are JSON numbers in full, up to 2^64 − 1: a parser that makes "
            "doubles of them is exact up to 2^53. Money is a string with nine decimals. Instants "
            "are RFC 3339 with the offset of tz. What is missing is null, never 0.",
        },
        "paths": paths,
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _problem(), **openapi_metrics.components()},
        },
    }


def _values(views: Iterable[View], formats: list[Format]) -> Schema:
    columns = next((one.columns for one in views if one.name == metric_values.NAME), ())
    found = _rows(
        "values_of_metric",
        "One metric's values, of the caller's organizations.",
        [path("id"), *(text(name) for name in metric_values.PARAMETERS)],
        columns,
        formats,
    )
    found["get"]["responses"] |= refusals(404)
    return found


def _rows(
    name: str,
    summary: str,
    parameters: list[Schema],
    columns: Iterable[Column],
    formats: list[Format],
    description: str = "",
) -> Schema:
    properties = {column.name: _column(column) for column in columns}
    row: Schema = {"type": "object", "properties": properties}
    rows = {
        "type": "object",
        "required": ["view", "parameters", "as_of", "columns", "rows", "next"],
        "properties": {
            "view": {"type": "string"},
            "parameters": {"type": "object"},
            "as_of": {"type": "array", "items": {"type": "object"}},
            "columns": {"type": "array", "items": {"type": "object"}},
            "rows": {"type": "array", "items": row},
            "next": {"type": ["string", "null"], "description": "The cursor of the next rows."},
        },
    }
    content: Schema = {one.media_type: {} for one in formats}
    content["application/json"] = {"schema": rows}
    operation = {
        "operationId": name,
        "summary": summary,
        "parameters": [*parameters, *_of_answer(formats)],
        "responses": {
            "200": {"description": "The rows.", "content": content},
            "304": {"description": "The caller has this answer: nothing changed."},
            **refusals(400, 401, 403, 404, 406, 429, 503),
        },
    }
    if description:
        operation["description"] = description
    return {"get": operation}


def _of_answer(formats: list[Format]) -> list[Schema]:
    flag = {"enum": ["0", "1"], "default": "0"}
    return [
        query("format", {"enum": [one.name for one in formats], "default": formats[0].name}),
        query("columns", {"type": "string"}, "Names with commas between; by default all."),
        query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS},
            "Rows; the default is for JSON, other formats give all.",
        ),
        query("cursor", {"type": "string"}, "`next` of the answer before; holds its range."),
        query("spreadsheet", flag, "For CSV: a byte-order mark, and no formulas."),
    ]


def _parameter(view: View, name: str) -> Schema:
    if name == "grain":
        return query(name, {"enum": list(GRAINS)}, f"Of buckets. By default {default(view, name)}.")
    found = number(name) if name in ("months", "periods", "k") else text(name)
    if value := default(view, name):
        found["description"] = f"{found.get('description', '')} By default {value}.".strip()
    return found


def _by() -> Schema:
    return query("by", {"enum": ["recipe"]}, SENTENCES["by"])


def _column(column: Column) -> Schema:
    kind, nullable = column.type, column.type.startswith("Nullable(")
    if nullable:
        kind = kind.removeprefix("Nullable(").removesuffix(")")
    schema = _kind(kind)
    if nullable:
        schema["type"] = [schema["type"], "null"]
    if column.unit:
        schema["x-unit"] = column.unit
    return schema


def _kind(kind: str) -> Schema:
    integer = _INTEGER.match(kind)
    if integer:
        unsigned, bits = bool(integer[1]), int(integer[2])
        low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        wide = bits > 53
        more = {"description": "May be wider than a double."} if wide else {}
        name = f"{'u' if unsigned else ''}int{bits}"
        return {"type": "integer", "format": name, "minimum": low, "maximum": high, **more}
    if kind == WIDE:
        return {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "Exact."}
    if kind.startswith("Decimal"):
        return {"type": "string", "pattern": r"^-?\d+\.\d{9}$", "description": "Exact money."}
    if kind.startswith("DateTime"):
        return {"type": "string", "format": "date-time"}
    if kind == "Date":
        return {"type": "string", "format": "date"}
    return {"type": {"Float64": "number", "Bool": "boolean"}.get(kind, "string")}


def _plain(name: str, summary: str, *problems: int) -> Schema:
    known = (401, 429, *problems) if name == "metrics" else problems
    found: Schema = {"200": {"description": "Yes.", "content": {"text/plain": {}}}}
    if name != "metrics":
        found["200"]["content"] = {"application/json": {}}
    if name == "readyz":
        found["503"] = {"description": "No, and why.", "content": {"application/json": {}}}
        known = ()
    return {"operationId": name, "summary": summary, "responses": {**found, **refusals(*known)}}


def _live() -> Schema:
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "operationId": "live",
        "summary": "Server-sent events: `fresh` when a newer arrival can be seen.",
        "responses": {
            "200": {"description": "A stream without end.", "content": stream},
            **refusals(400, 401, 403, 429, 503),
        },
    }


def _listed_reports() -> Schema:
    found: Schema = get("reports", "The caller's reports.", listing("reports"))["get"]
    found["responses"] |= refusals(403)
    return found


def _made_report() -> Schema:
    texts: Schema = {"type": "array", "items": {"type": "string"}}
    by_view = {"type": "object", "additionalProperties": texts}
    number = {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST}
    body = {
        "type": "object",
        "required": ["views"],
        "additionalProperties": False,
        "properties": {
            "views": {**texts, "minItems": 1, "maxItems": MOST_VIEWS},
            "format": {"enum": [one.name for one in REPORT_FORMATS], "default": "csv"},
            **{
                name: {"type": "string", "description": SENTENCES[name]}
                for name in ("since", "until")
            },
            "organizations": {
                "oneOf": [{"type": "string"}, {**texts, "maxItems": MOST_ORGANIZATIONS}]
            },
            "columns": {"oneOf": [texts, by_view]},
            **{name: {"type": "string"} for name in ("tz", "grain", "token")},
            **dict.fromkeys(("months", "periods", "k"), number),
            "spreadsheet": {"type": "boolean", "default": False},
        },
    }
    answer = {"application/json": {"schema": _report()}}
    return {
        "operationId": "create_report",
        "summary": "Take a report on: chosen views and a period as one file.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "202": {
                "description": "It is being made; Location says where it stands.",
                "content": answer,
            },
            **refusals(400, 401, 403, 413, 415, 429, 503),
        },
    }


def _report() -> Schema:
    return {
        "type": "object",
        "required": ["id", "status", "rows"],
        "properties": {
            "id": {"type": "string"},
            "status": {"enum": [str(status) for status in Status]},
            "rows": {"type": "integer", "description": "Written so far."},
            "bytes": {"type": ["integer", "null"]},
            "sha256": {"type": ["string", "null"]},
            "file": {"type": ["string", "null"], "description": "Its path, when it is done."},
            "error": {"type": ["string", "null"]},
        },
    }


def _one_report() -> Schema:
    found: Schema = get("report", "How a report stands.", _report(), [path("id")])["get"]
    found["responses"] |= refusals(403, 404)
    return found


def _removed_report() -> Schema:
    return {
        "operationId": "remove_report",
        "summary": "Remove a report with its file, or give it up.",
        "parameters": [path("id")],
        "responses": {
            "204": {"description": "It is gone."},
            **refusals(400, 401, 403, 404, 429, 503),
        },
    }


def _report_file() -> Schema:
    content: Schema = {one.media_type: {} for one in REPORT_FORMATS} | {"application/zip": {}}
    return {
        "operationId": "report_file",
        "summary": "A report's file; Repr-Digest has its SHA-256, Range goes on with a part.",
        "parameters": [path("id")],
        "responses": {
            "200": {"description": "The file.", "content": content},
            "206": {"description": "The part that Range names.", "content": content},
            "304": {"description": "The caller has it."},
            "412": {"description": "It is another file than If-Match names."},
            "416": {"description": "It has no such part."},
            **refusals(400, 401, 403, 404, 409, 429, 503),
        },
    }


def _listed_keys() -> Schema:
    found: Schema = get("keys", "Keys of the caller's organizations.", listing("keys"))["get"]
    found["responses"] |= refusals(403)
    return found


def _made_key() -> Schema:
    organizations: Schema = {"type": "array", "items": {"type": "string"}}
    scope: Schema = {
        "oneOf": [{"type": "string"}, organizations],
        "description": "Organizations, as a list or with commas between; `*`: all.",
    }
    body = {
        "type": "object",
        "required": ["role", "scope"],
        "additionalProperties": False,
        "properties": {
            "role": {"enum": [str(role) for role in Role]},
            "scope": scope,
            "name": {"type": "string", "maxLength": LONGEST_NAME},
            "expires": {"type": ["string", "null"], "description": "90d, a day or an instant."},
        },
    }
    answer = {"application/json": {"schema": {"type": "object", "required": ["id", "key"]}}}
    return {
        "operationId": "create_key",
        "summary": "Make a key; only this answer ever has its secret.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "201": {"description": "The key.", "content": answer},
            **refusals(400, 401, 403, 413, 415, 429, 503),
        },
    }


def _one_key() -> Schema:
    found: Schema = get("key", "One key.", {"type": "object"}, [path("id")])["get"]
    found["responses"] |= refusals(403, 404)
    return found


def _revoked_key() -> Schema:
    return {
        "operationId": "revoke_key",
        "summary": "End a key.",
        "parameters": [path("id")],
        "responses": {
            "204": {"description": "It opens nothing any more."},
            **refusals(400, 401, 403, 404, 429, 503),
        },
    }


def _problem() -> Schema:
    texts: Mapping[str, Schema] = {
        name: {"type": "string"} for name in ("type", "title", "detail", "reason", "parameter")
    }
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {**texts, "status": {"type": "integer"}},
    }
