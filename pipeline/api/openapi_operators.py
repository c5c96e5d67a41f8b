"""What the OpenAPI document says of what operators ask Kafka for. Pure."""

from __future__ import annotations

from pipeline.api import dead_letters, lag
from pipeline.api.openapi_parts import Schema, get, path, query, refusals, text
from pipeline.facts.exact.reasons import REASONS

_WHOLE: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_LETTER: Schema = {
    "type": "object",
    "required": ["origin", "topic", "partition", "offset", "time", "reason", "message"],
    "properties": {
        "origin": {**_TEXT, "description": "topic:partition:offset, and :index in a batch."},
        "topic": _TEXT,
        "partition": _WHOLE,
        "offset": _WHOLE,
        "index": {"type": ["integer", "null"]},
        "time": {**_TEXT, "description": "Of its arrival."},
        "timestamp": {"type": "integer", "description": "The same, in epoch milliseconds."},
        "tenant": {**_TEXT, "description": "Empty where it could not be read; so for type."},
        "type": _TEXT,
        "reason": {"enum": list(REASONS)},
        "message": _TEXT,
        "size_bytes": _WHOLE,
        "retried_at": {"type": ["string", "null"]},
        "retried_offset": {"type": ["integer", "null"]},
    },
}
_WHOLE_LETTER: Schema = {
    **_LETTER,
    "required": [*_LETTER["required"], "headers", "cut"],
    "properties": {
        **_LETTER["properties"],
        "headers": {"type": "array", "items": {"type": "object"}},
        "value": {**_TEXT, "description": "What was sent, byte for byte."},
        "value_base64": {**_TEXT, "description": "In its place where it is not UTF-8."},
        "cut": {"type": "boolean", "description": "Whether only its start is kept."},
    },
}
_PARTITION: Schema = {
    "type": "object",
    "required": ["topic", "partition", "committed", "log_end", "lag"],
    "properties": {
        "topic": _TEXT,
        "partition": _WHOLE,
        "committed": {"type": ["integer", "null"], "description": "The group's offset."},
        "log_end": {**_WHOLE, "description": "The offset that its next record gets."},
        "lag": {**_WHOLE, "description": "Records that are not committed yet."},
    },
}


def paths() -> Schema:
    """The paths under ``/v1/dead-letters``, and ``/v1/lag``; for operators."""
    problems = (400, 403, 429, 503)
    one = get(
        "dead_letter", "One dead letter with its text.", _WHOLE_LETTER, [path("origin")], problems
    )
    one["get"]["responses"] |= refusals(404)
    return {
        dead_letters.PATH: get(
            "dead_letters",
            "What was rejected, the newest first.",
            _listing(),
            _parameters(),
            problems,
        ),
        f"{dead_letters.PATH}/{{origin}}": one,
        lag.PATH: get("lag", "How far workers are behind the log.", _lag(), [], problems),
    }


def _parameters() -> list[Schema]:
    limit = {
        "type": "integer",
        "minimum": 1,
        "maximum": dead_letters.MOST,
        "default": dead_letters.DEFAULT,
    }
    return [
        query("reason", {"enum": list(REASONS)}),
        *(text(name) for name in ("tenant", "type", "topic", "since", "until")),
        query("limit", limit),
    ]


def _listing() -> Schema:
    more = "Whether there are more than these, of this selection or from before what was read."
    return {
        "type": "object",
        "required": ["dead_letters", "more"],
        "properties": {
            "dead_letters": {"type": "array", "items": _LETTER},
            "more": {"type": "boolean", "description": more},
        },
    }


def _lag() -> Schema:
    return {
        "type": "object",
        "required": ["group", "lag", "partitions"],
        "properties": {
            "group": _TEXT,
            "lag": _WHOLE,
            "partitions": {"type": "array", "items": _PARTITION},
        },
    }
