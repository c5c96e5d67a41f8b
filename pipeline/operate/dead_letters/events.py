"""What can be told of an event whatever is wrong with it, and giving it the time that it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from pipeline.facts.exact import forms
from pipeline.kafka.dead_letters.letter import Headers
from pipeline.process.times import moment

_ANY = msgspec.json.Decoder()
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_BLANK = b" \t\n\r"


class Identity(NamedTuple):
    """``source`` and ``id``, which together identify an event."""

    source: str
    id: str


def identity(value: bytes, headers: Headers) -> Identity | None:
    """The identity of a record's one event; None if it cannot be told, or there are several."""
    attributes = _attributes(value, headers)
    source, id_ = attributes.get("source"), attributes.get("id")
    if isinstance(source, str) and isinstance(id_, str) and source and id_:
        return Identity(source, id_)
    return None


def dated(value: bytes, headers: Headers, ms: int) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """The record with ``time`` for each event that has none: it happened when it first arrived.

    Bytes are only added, before the end of an object: of a repeated name the last holds.
    """
    listed = list(headers)
    form = forms.form_of(listed, value)
    if form is forms.Form.BINARY:
        if forms.attributes_of(listed).get("time") is None:
            listed.append(("ce_time", moment(ms).encode()))
        return value, listed
    if form is forms.Form.BATCH:
        return _dated_batch(value, ms), listed
    return _dated(value, ms), listed


def _dated(value: bytes, ms: int) -> bytes:
    event = _decoded(value)
    if not isinstance(event, dict) or not event or event.get("time") is not None:
        return value
    body = value.rstrip(_BLANK)
    return body[:-1] + f',"time":"{moment(ms)}"}}'.encode()


def _dated_batch(value: bytes, ms: int) -> bytes:
    try:
        elements = [bytes(raw) for raw in _ELEMENTS.decode(value)]
    except (ValueError, RecursionError):
        return value
    dated_ = [_dated(one, ms) for one in elements]
    return value if dated_ == elements else b"[" + b",".join(dated_) + b"]"


def _attributes(value: bytes, headers: Headers) -> Mapping[str, Any]:
    listed = list(headers)
    if forms.form_of(listed, value) is forms.Form.BINARY:
        return forms.attributes_of(listed)
    event = _decoded(value)
    return event if isinstance(event, dict) else {}


def _decoded(value: bytes) -> Any:
    try:
        return _ANY.decode(value.decode())
    except (ValueError, RecursionError):
        return None
