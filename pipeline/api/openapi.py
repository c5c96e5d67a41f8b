"""The OpenAPI 3.1 document of the API, made of the catalogue. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.access.decision import audience
from pipeline.access.keys import LONGEST_NAME
from pipeline.access.roles import Role
from pipeline.api import monthly
from pipeline.api.options import DEFAULT_ROWS, MOST_ROWS
from pipeline.api.view_routes import default
from pipeline.reports.jobs import Status
from pipeline.reports.plan import FORMATS as REPORT_FORMATS
from pipeline.reports.plan import MOST_ORGANIZATIONS, MOST_VIEWS
from pipeline.views.catalogue import Column, View
from pipeline.views.formats import Format
from pipeline.views.parameters import GRAINS, LARGEST

Schema = dict[str, Any]

_INTEGER = re.compile(r"^(U?)Int(\d+)$")
_TIMES = (
    "A time: 2026-05-01 or 2026-05-01T10:30 (both in tz), one with an offset, epoch seconds, now, "
    "or how long ago: 90m, 12h, 30d, 2w. Seconds are cut off."
)
_SENTENCES = {
    "since": f"The range's beginning, included. {_TIMES} Ago counts from until.",
    "until": f"The range's end, not included. {_TIMES}",
    "as_of": f"What stood before this instant. {_TIMES}",
    "from": f"The range's beginning, included; by default twelve months. {_TIMES}",
    "to": f"The range's end, not included; by default now. {_TIMES}",
    "tz": "An IANA time zone: that of buckets, and of the offset in which instants are written.",
    "tenant": "One organization; empty: all, or the caller's only one. Who has several must say.",
    "token": "One token's id; empty: all.",
    "metric": "One metric's id.",
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
    409: "The report has no file: it is being made, or it failed; the detail says which.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests in a minute, or too many at once; Retry-After says when to try again.",
    503: "The store does not answer at the moment.",
}


def document(views: Iterable[View], formats: Iterable[Format], release: str) -> Schema:
    """The whole document."""
    formats, views = list(formats), list(views)
    paths: Schema = {
        "/v1/views": _get("views", "What this caller may ask.", _object("views")),
        "/v1/me": _get("me", "Who asks: user, role, scope, limits.", {"type": "object"}),
        "/v1/organizations": _get(
            "organizations",
            "The caller's organizations.",
            _object("organizations"),
            [_text("as_of")],
            (400, 403, 404, 429, 503),
        ),
        "/v1/organizations/{tenant}": _get(
            "organization",
            "One organization, each part that is the caller's to see.",
            {"type": "object"},
            [
                _path("tenant"),
                *(_text(name) for name in ("tz", "as_of", "since", "until")),
                _number("months"),
            ],
            (400, 403, 404, 429, 503),
        ),
        monthly.PATH: _rows(
            "monthly_usage",
            "Tasks of each customer and calendar month.",
            [_by() if name == "by" else _text(name) for name in monthly.PARAMETERS],
            (),
            formats,
        ),
        "/v1/panels": _get("panels", "The panels that the caller may see.", _object("panels")),
        "/v1/reports": {"get": _listed_reports(), "post": _made_report()},
        "/v1/reports/{id}": {"get": _one_report(), "delete": _removed_report()},
        "/v1/reports/{id}/file": {"get": _report_file()},
        "/v1/live": {"get": _live()},
        "/v1/keys": {"get": _listed_keys(), "post": _made_key()},
        "/v1/keys/{id}": {"get": _one_key(), "delete": _revoked_key()},
        "/v1/openapi.json": _get("openapi", "This document.", {"type": "object"}),
        "/metrics": {
            "get": _plain("metrics", "Metrics of this process, for Prometheus.", 400, 403, 503)
        },
        "/healthz": {"get": {**_plain("healthz", "Whether the process is alive."), "security": []}},
        "/readyz": {"get": {**_plain("readyz", "Whether it can answer.", 503), "security": []}},
    }
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
            "schemas": {"Problem": _problem()},
        },
    }


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
            **_problems(400, 401, 403, 404, 406, 429, 503),
        },
    }
    if description:
        operation["description"] = description
    return {"get": operation}


def _of_answer(formats: list[Format]) -> list[Schema]:
    flag = {"enum": ["0", "1"], "default": "0"}
    return [
        _query("format", {"enum": [one.name for one in formats], "default": formats[0].name}),
        _query("columns", {"type": "string"}, "Names with commas between; by default all."),
        _query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS},
            "Rows; the default is for JSON, other formats give all.",
        ),
        _query("cursor", {"type": "string"}, "`next` of the answer before; holds its range."),
        _query("spreadsheet", flag, "For CSV: a byte-order mark, and no formulas."),
    ]


def _parameter(view: View, name: str) -> Schema:
    if name == "grain":
        return _query(
            name, {"enum": list(GRAINS)}, f"Of buckets. By default {default(view, name)}."
        )
    found = _number(name) if name in ("months", "periods", "k") else _text(name)
    if value := default(view, name):
        found["description"] = f"{found.get('description', '')} By default {value}.".strip()
    return found


def _by() -> Schema:
    return _query("by", {"enum": ["recipe"]}, _SENTENCES["by"])


def _text(name: str) -> Schema:
    return _query(name, {"type": "string"}, _SENTENCES.get(name, ""))


def _number(name: str) -> Schema:
    return _query(name, {"type": "integer", "minimum": 1, "maximum": LARGEST})


def _query(name: str, schema: Schema, description: str = "") -> Schema:
    found: Schema = {"name": name, "in": "query", "schema": schema}
    return {**found, "description": description} if description else found


def _path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


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
    if kind.startswith("Decimal"):
        return {"type": "string", "pattern": r"^-?\d+\.\d{9}$", "description": "Exact money."}
    if kind.startswith("DateTime"):
        return {"type": "string", "format": "date-time"}
    if kind == "Date":
        return {"type": "string", "format": "date"}
    return {"type": {"Float64": "number", "Bool": "boolean"}.get(kind, "string")}


def _get(
    name: str,
    summary: str,
    schema: Schema,
    parameters: list[Schema] | None = None,
    problems: Iterable[int] = (400, 429, 503),
) -> Schema:
    content = {"application/json": {"schema": schema}}
    operation = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {"description": "What was asked for.", "content": content},
            **_problems(401, *problems),
        },
    }
    return {"get": operation}


def _object(name: str) -> Schema:
    listed = {"type": "array", "items": {"type": "object"}}
    return {"type": "object", "required": [name], "properties": {name: listed}}


def _plain(name: str, summary: str, *problems: int) -> Schema:
    known = (401, 429, *problems) if name == "metrics" else problems
    found: Schema = {"200": {"description": "Yes.", "content": {"text/plain": {}}}}
    if name != "metrics":
        found["200"]["content"] = {"application/json": {}}
    if name == "readyz":
        found["503"] = {"description": "No, and why.", "content": {"application/json": {}}}
        known = ()
    return {"operationId": name, "summary": summary, "responses": {**found, **_problems(*known)}}


def _live() -> Schema:
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "operationId": "live",
        "summary": "Server-sent events: `fresh` when a newer arrival can be seen.",
        "responses": {
            "200": {"description": "A stream without end.", "content": stream},
            **_problems(400, 401, 403, 429, 503),
        },
    }


def _listed_reports() -> Schema:
    found: Schema = _get("reports", "The caller's reports.", _object("reports"))["get"]
    found["responses"] |= _problems(403)
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
                name: {"type": "string", "description": _SENTENCES[name]}
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
            **_problems(400, 401, 403, 413, 415, 429, 503),
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
    found: Schema = _get("report", "How a report stands.", _report(), [_path("id")])["get"]
    found["responses"] |= _problems(403, 404)
    return found


def _removed_report() -> Schema:
    return {
        "operationId": "remove_report",
        "summary": "Remove a report with its file, or give it up.",
        "parameters": [_path("id")],
        "responses": {
            "204": {"description": "It is gone."},
            **_problems(400, 401, 403, 404, 429, 503),
        },
    }


def _report_file() -> Schema:
    content: Schema = {one.media_type: {} for one in REPORT_FORMATS} | {"application/zip": {}}
    return {
        "operationId": "report_file",
        "summary": "A report's file; Repr-Digest has its SHA-256, Range goes on with a part.",
        "parameters": [_path("id")],
        "responses": {
            "200": {"description": "The file.", "content": content},
            "206": {"description": "The part that Range names.", "content": content},
            "304": {"description": "The caller has it."},
            "412": {"description": "It is another file than If-Match names."},
            "416": {"description": "It has no such part."},
            **_problems(400, 401, 403, 404, 409, 429, 503),
        },
    }


def _listed_keys() -> Schema:
    found: Schema = _get("keys", "Keys of the caller's organizations.", _object("keys"))["get"]
    found["responses"] |= _problems(403)
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
            **_problems(400, 401, 403, 413, 415, 429, 503),
        },
    }


def _one_key() -> Schema:
    found: Schema = _get("key", "One key.", {"type": "object"}, [_path("id")])["get"]
    found["responses"] |= _problems(403, 404)
    return found


def _revoked_key() -> Schema:
    return {
        "operationId": "revoke_key",
        "summary": "End a key.",
        "parameters": [_path("id")],
        "responses": {
            "204": {"description": "It opens nothing any more."},
            **_problems(400, 401, 403, 404, 429, 503),
        },
    }


def _problems(*statuses: int) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": _PROBLEMS[status], "content": content} for status in statuses
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
