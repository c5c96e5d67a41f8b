"""The envelope: attributes of CloudEvents, from an object or from headers, checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.facts.exact import times
from pipeline.facts.exact.reasons import INVALID_ENVELOPE, MISSING, Refused, sentence
from schemas import entity, metric_definition
from schemas.envelope import MAX_IDENTIFIER, MAX_TENANT, NOBODY

_OF_NOBODY = (entity.TYPE, metric_definition.TYPE)
"""The types that may have no tenant."""

JSON_MEDIA_TYPE = "application/json"


class Envelope(NamedTuple):
    """What is read of an event's attributes, and its data."""

    id: str
    source: str
    tenant: str
    type: str
    time: int | None
    """Epoch milliseconds; None where the record's timestamp is to stand for it."""
    data: dict[str, Any]


class NotUTF8:
    """Stands for the value of a header that is not UTF-8."""

    def __str__(self) -> str:
        return "not UTF-8"


def media_type(text: str) -> str:
    """A media type without its parameters, in lower case."""
    return text.partition(";")[0].strip().lower()


def check(attributes: Mapping[str, Any], data: Any) -> Envelope:
    """The envelope that ``attributes`` and ``data`` (MISSING if there is none) make.

    Raises Refused (``invalid_envelope``), with the tenant and the type where they are sound.
    """
    tenant, type_ = attribution(attributes)
    try:
        _check_identity(attributes, tenant, type_)
        _check_rest(attributes)
        time = _time(attributes.get("time"))
    except Refused as refused:
        refused.tenant, refused.type = tenant, type_
        raise
    if not isinstance(data, dict):
        raise Refused(INVALID_ENVELOPE, sentence("data", data, "an object"), tenant, type_)
    return Envelope(attributes["id"], attributes["source"], tenant, type_, time, data)


def attribution(attributes: Mapping[str, Any]) -> tuple[str, str]:
    """Tenant and type as far as they are sound, ``''`` where not."""
    tenant, type_ = attributes.get("subject"), attributes.get("type")
    type_ = type_ if isinstance(type_, str) else ""
    if not isinstance(tenant, str) or not 1 <= len(tenant) <= MAX_TENANT:
        return "", type_
    return ("" if tenant == NOBODY and type_ not in _OF_NOBODY else tenant), type_


def _check_identity(attributes: Mapping[str, Any], tenant: str, type_: str) -> None:
    if attributes.get("specversion") != "1.0":
        raise _wrong(attributes, "specversion", "the string '1.0'")
    for name in ("id", "source"):
        value = attributes.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_IDENTIFIER:
            raise _wrong(attributes, name, f"a string of 1 to {MAX_IDENTIFIER} characters")
    if not type_:
        raise _wrong(attributes, "type", "the name of an event type, as usage.request.v1")
    if not tenant:
        expected = f"the tenant, a string of 1 to {MAX_TENANT} characters other than *"
        raise _wrong(attributes, "subject", expected)


def _check_rest(attributes: Mapping[str, Any]) -> None:
    content_type = attributes.get("datacontenttype")
    if content_type is not None and (
        not isinstance(content_type, str) or media_type(content_type) != JSON_MEDIA_TYPE
    ):
        raise _wrong(attributes, "datacontenttype", "application/json, or nothing")
    for name, value in attributes.items():
        if isinstance(value, NotUTF8):
            raise _wrong(attributes, name, "text in UTF-8")


def _wrong(attributes: Mapping[str, Any], name: str, expected: str) -> Refused:
    found = attributes.get(name, MISSING)
    if isinstance(found, NotUTF8):
        return Refused(INVALID_ENVELOPE, f"ce_{name}: found {found}, expected {expected}.")
    return Refused(INVALID_ENVELOPE, sentence(name, found, expected))


def _time(value: Any) -> int | None:
    if value is None:
        return None
    milliseconds = times.parse(value) if isinstance(value, str) else None
    if milliseconds is None:
        expected = "an instant by RFC 3339 with an offset or Z, as 2026-05-01T12:34:56.789Z"
        raise Refused(INVALID_ENVELOPE, sentence("time", value, expected))
    return milliseconds
