"""The three forms of a record: structured, binary, batch; told apart by header or first byte."""

from collections.abc import Sequence
from enum import Enum

from pipeline.facts.exact.envelope import JSON_MEDIA_TYPE, NotUTF8, media_type

Headers = Sequence[tuple[str, bytes | None]]


class Form(Enum):
    """How a record's value is to be read."""

    STRUCTURED = "structured: an object, the event"
    BATCH = "batch: an array of events"
    BINARY = "binary: the attributes are headers, the value is data"
    UNKNOWN = "an object, the event, or an array of events"


_BY_MEDIA_TYPE = {
    "application/cloudevents+json": Form.STRUCTURED,
    "application/cloudevents-batch+json": Form.BATCH,
}
_BY_FIRST_BYTE = {b"{": Form.STRUCTURED, b"[": Form.BATCH}

_PREFIX = "ce_"
_IGNORED = frozenset({"data", "datacontenttype"})


def form_of(headers: Headers, value: bytes) -> Form:
    """The form that the record's headers say, or else its first byte after white space."""
    if headers:
        last = dict(headers)
        kind = media_type((last.get("content-type") or b"").decode("latin-1"))
        if kind in _BY_MEDIA_TYPE:
            return _BY_MEDIA_TYPE[kind]
        if kind == JSON_MEDIA_TYPE and "ce_specversion" in last:
            return Form.BINARY
    return _BY_FIRST_BYTE.get(value[:64].lstrip(b" \t\n\r")[:1] or _first(value), Form.UNKNOWN)


def _first(value: bytes) -> bytes:
    return value.lstrip(b" \t\n\r")[:1]


def attributes_of(headers: Headers) -> dict[str, str | NotUTF8 | None]:
    """The attributes that ``ce_`` headers hold; of repeated ones the last, a null one is absent."""
    attributes: dict[str, str | NotUTF8 | None] = {}
    for name, value in headers:
        if name.startswith(_PREFIX) and name[len(_PREFIX) :] not in _IGNORED:
            attributes[name[len(_PREFIX) :]] = _text(value)
    return attributes


def _text(value: bytes | None) -> str | NotUTF8 | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NotUTF8()
