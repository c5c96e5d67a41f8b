"""The AsyncAPI 3 document: the topics, their keys and headers, the three forms of each event."""

from collections.abc import Iterator
from typing import Any

from schemas.catalogue import CONTRACT, DEAD_LETTER_TOPIC, TYPES, EventType
from schemas.envelope import (
    BATCH,
    BINARY,
    MAX_BATCH_ELEMENTS,
    MAX_IDENTIFIER,
    MAX_TENANT,
    STRUCTURED,
)

VERSION = "3.0.0"

_MIB = 1024 * 1024
_JSON_SCHEMA = "application/schema+json;version=draft-2020-12"

_DESCRIPTION = (
    "Events about usage go into these topics as CloudEvents 1.0 in JSON; each is counted once, or "
    "set aside on the dead-letter topic with the reason. Key records by tenant (the event's "
    "subject) and keep to one partitioner (murmur2, as Java clients have it): a repeated event is "
    "recognised within its partition. An installation may put a prefix before all topic names."
)
_TENANT = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TENANT,
    "description": "The tenant, as in `subject`. Not read; it decides the partition.",
}


def document() -> dict[str, Any]:
    """The AsyncAPI document of all topics."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Usage Pipeline",
            "version": CONTRACT,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": STRUCTURED,
        "channels": {**{kind.topic: _source(kind) for kind in TYPES.values()}, **_dead_letters()},
        "operations": {**dict(_receive(kind) for kind in TYPES.values()), **_set_aside()},
        "components": {"messages": dict(_messages())},
    }


def _source(kind: EventType) -> dict[str, Any]:
    return {
        "address": kind.topic,
        "description": kind.data.__doc__,
        "messages": {
            name: {"$ref": f"#/components/messages/{kind.name}.{name}"}
            for name in ("structured", "binary", "batch")
        },
        "bindings": {"kafka": _topic(kind.topic, ["delete"], 2 * _MIB)},
    }


def _topic(name: str, policy: list[str], largest: int) -> dict[str, Any]:
    return {
        "topic": name,
        "topicConfiguration": {"cleanup.policy": policy, "max.message.bytes": largest},
    }


def _receive(kind: EventType) -> tuple[str, dict[str, Any]]:
    return f"receive-{kind.name}", {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{kind.topic}"},
        "summary": f"The pipeline counts {kind.name}; producers send it.",
    }


def _messages() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in TYPES.values():
        whole = f"json/{kind.name}.json"
        yield (
            f"{kind.name}.structured",
            _message(kind, STRUCTURED, {"$ref": whole}, "An event. Without headers: by its `{`."),
        )
        yield (
            f"{kind.name}.binary",
            _message(
                kind,
                BINARY,
                {"$ref": f"{whole}#/$defs/data"},
                "The value is `data`; the attributes are headers in UTF-8, in lower case, whatever "
                "`content-type` says.",
                _attributes(kind),
            ),
        )
        batch = {"type": "array", "maxItems": MAX_BATCH_ELEMENTS, "items": {"$ref": whole}}
        words = "Several events. A bad one is rejected alone. Without headers: by its `[`."
        yield f"{kind.name}.batch", _message(kind, BATCH, batch, words)
    yield "dead-letter", _dead_letter()
    yield "retried", _retried()


def _message(
    kind: EventType,
    content_type: str,
    payload: dict[str, Any],
    summary: str,
    headers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    # Whatever a binary record's says, it does not matter: SDKs of CloudEvents send none.
    words = {"const": content_type} if headers is None else {"examples": [content_type]}
    properties = {"content-type": {"type": "string", **words}, **(headers or {})}
    required = [name for name in headers or {} if name != "ce_time"]
    return {
        "name": kind.name,
        "summary": summary,
        "contentType": content_type,
        "headers": {
            "type": "object",
            "properties": properties,
            **({"required": required} if headers else {}),
        },
        "payload": {"schemaFormat": _JSON_SCHEMA, "schema": payload},
        "bindings": {"kafka": {"key": _TENANT}},
    }


def _attributes(kind: EventType) -> dict[str, Any]:
    identifier = {"type": "string", "minLength": 1, "maxLength": MAX_IDENTIFIER}
    return {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": identifier,
        "ce_source": identifier,
        "ce_type": {"type": "string", "const": kind.name},
        "ce_subject": {"type": "string", "minLength": 1, "maxLength": MAX_TENANT},
        "ce_time": {"type": "string", "description": "RFC 3339; absent: the record's timestamp."},
    }


def _dead_letters() -> dict[str, Any]:
    return {
        DEAD_LETTER_TOPIC: {
            "address": DEAD_LETTER_TOPIC,
            "description": "What was rejected, as it was sent, with the reason and its origin.",
            "messages": {
                name: {"$ref": f"#/components/messages/{name}"}
                for name in ("dead-letter", "retried")
            },
            "bindings": {"kafka": _topic(DEAD_LETTER_TOPIC, ["compact"], 4 * _MIB)},
        }
    }


def _set_aside() -> dict[str, Any]:
    return {
        "set-aside": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{DEAD_LETTER_TOPIC}"},
            "summary": "The pipeline sets aside what it cannot accept.",
        }
    }


def _dead_letter() -> dict[str, Any]:
    texts = {
        "reason": "malformed, invalid_envelope, unknown_type, invalid_data, too_early, too_late, "
        "internal",
        "message": "Which field, what was found, what was expected.",
        "topic": "Of the origin.",
        "partition": "Of the origin, in decimal digits.",
        "offset": "Of the origin, in decimal digits.",
        "index": "Which element, of a batch's element only.",
        "timestamp": "Of the record, in milliseconds since 1970.",
        "tenant": "Where it could be read.",
        "type": "Where it could be read.",
        "value_bytes": "How many bytes the value had, where only its start could be kept.",
    }
    optional = {"index", "tenant", "type", "value_bytes"}
    return {
        "name": "dead-letter",
        "summary": "The original bytes of a rejected event, with its record's own headers.",
        "headers": _own_headers(texts, optional),
        "payload": {"description": "Anything: what the producer sent."},
        "bindings": _keyed(
            "The origin, topic:partition:offset, and :index of an element: a repeat overwrites."
        ),
    }


def _retried() -> dict[str, Any]:
    texts = {
        "retried_at": "When, in milliseconds since 1970.",
        "retried_offset": "The offset that the event got in its partition.",
        "topic": "Of the origin.",
        "partition": "Of the origin, in decimal digits.",
        "timestamp": "Of the rejected record, in milliseconds since 1970.",
    }
    return {
        "name": "retried",
        "summary": "Says that a dead letter was sent again.",
        "headers": _own_headers(texts, set()),
        "payload": {"type": "string", "const": "retried"},
        "bindings": _keyed("The dead letter's key, and :retried."),
    }


def _own_headers(texts: dict[str, str], optional: set[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            f"dl_{name}": {"type": "string", "description": words} for name, words in texts.items()
        },
        "required": [f"dl_{name}" for name in texts if name not in optional],
    }


def _keyed(words: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": words}}}
