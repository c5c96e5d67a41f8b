"""The three forms of a record: structured, binary, batch; told apart by header or first byte."""

from collections.abc import Sequence
from enum import Enum

from pipeline.facts.exact.envelope import NotUTF8, media_type

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
    """The form that the record's headers say, or else its first byte after white space.

    A media type of CloudEvents goes first; what else ``content-type`` says does not matter, for
    CloudEvents' SDKs send binary records without one. A null header is as if it were not there.
    """
    if headers:
        last = {name: octets for name, octets in headers if octets is not None}
        kind = media_type(last.get("content-type", b"").decode("latin-1"))
        if kind in _BY_MEDIA_TYPE:
            return _BY_MEDIA_TYPE[kind]
        if _PREFIX + "specversion" in last:
            return Form.BINARY
    return _BY_FIRST_BYTE.get(value[:64].lstrip(b" \t\n\r")[:1] or _first(value), Form.UNKNOWN)


def _first(value: bytes) -> bytes:
    return value.lstrip(b" \t\n\r")[:1]


def attributes_of(headers: Headers) -> dict[str, str | NotUTF8]:
    """The attributes that ``ce_`` headers hold; of repeated ones the last, but no null one."""
    attributes: dict[str, str | NotUTF8] = {}
    for name, value in headers:
        attribute = name[len(_PREFIX) :]
        if value is not None and name.startswith(_PREFIX) and attribute not in _IGNORED:
            attributes[attribute] = _text(value)
    return attributes


def misspelled(headers: Headers) -> str:
    """The first header that is nearly one of CloudEvents', as ``ce-id`` or ``CE_id``; ``''``."""
    for name, value in headers:
        if value is not None and name != (right := _respelled(name)) and right.startswith(_PREFIX):
            return name
    return ""


def spelling(name: str) -> str:
    """How a misspelled header is to be spelled, for a person."""
    return f"Kafka's headers are spelled {_respelled(name)}, not {name[:60]}"


def _respelled(name: str) -> str:
    return name[: len(_PREFIX)].replace("-", "_").lower() + name[len(_PREFIX) :].lower()


def _text(value: bytes) -> str | NotUTF8:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NotUTF8()
