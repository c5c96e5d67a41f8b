"""Build an event, check it against the contract, and encode it: what a producer in Python does.

Everything that JSON Schema can say is checked, and what it cannot say of a cost, of an entity's
subject and of sizes; whether a time zone exists, and what a metric's filters are compared with,
is left to the pipeline.
"""

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from schemas.catalogue import BY_CLASS, EventType
from schemas.entity import LAST_ANCHOR_DAY, OF_NO_TENANT, Entity
from schemas.envelope import (
    MAX_DEPTH,
    MAX_RECORD_BYTES,
    MEDIA_TYPE_PATTERN,
    NOBODY,
    TIME_PATTERN,
    Envelope,
)
from schemas.fields import MAX_TEXT
from schemas.metric_definition import MetricDefinition, fault
from schemas.product_event import MAX_PROPERTIES_DEPTH, ProductEvent
from schemas.request import COST_BELOW, COST_PATTERN, Request

_ENCODER = msgspec.json.Encoder()
_DECODERS = {data: msgspec.json.Decoder(Envelope[data]) for data in BY_CLASS}  # type: ignore[valid-type]
_OUTSIDE = 2  # the containers around what is in `data`: the event and `data` itself


class InvalidEvent(ValueError):
    """The pipeline would refuse the event; the message names the field."""


def event(
    data: Any,
    *,
    tenant: str,
    source: str,
    id: str | None = None,  # noqa: A002 -- CloudEvents' own name for it
    time: datetime | str | None = None,
) -> Envelope[Any]:
    """An event of ``data``: a ``Request``, a ``MetricDefinition``, …: one of the types' classes.

    Args:
        data: what happened; its type decides the event's.
        tenant: the organization or customer account.
        source: who emits it. With ``id`` it identifies the event.
        id: random if it is not given. Give it where the same event may be emitted again.
        time: when it happened, with a zone; now if it is not given.

    Raises:
        InvalidEvent: ``data`` is none of the types, ``tenant`` no text, or ``time`` no time with
            a zone.
    """
    if not isinstance(tenant, str):  # bytes would be written as base64
        raise InvalidEvent(f"tenant is {tenant!r}, expected a string")
    return Envelope(
        specversion="1.0",
        id=str(uuid.uuid4()) if id is None else id,
        source=source,
        type=kind_of(data).name,
        subject=tenant,
        time=_written(time),
        data=data,
    )


def kind_of(data: Any) -> EventType:
    """The event type that ``data`` belongs to. Raises InvalidEvent."""
    kind = BY_CLASS.get(type(data))
    if kind is None:
        known = ", ".join(one.__name__ for one in BY_CLASS)
        raise InvalidEvent(f"data is a {type(data).__name__}, expected one of {known}")
    return kind


def encode(one: Envelope[Any]) -> bytes:
    """The event as a structured record's value. Raises InvalidEvent."""
    kind = kind_of(one.data)
    if one.type != kind.name:
        raise InvalidEvent(f"type is {one.type!r}, expected {kind.name!r} for its data")
    try:
        value = _ENCODER.encode(one)
        sent = _DECODERS[kind.data].decode(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(f"{kind.name}: {error}") from error
    _check_envelope(sent)
    _check_data(sent)
    _check_written(getattr(one.data, "cost", None))
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidEvent(f"the event has {len(value):,} bytes, expected up to 1 MiB")
    return value


def _written(time: datetime | str | None) -> str:
    if isinstance(time, str):
        return time
    moment = datetime.now(UTC) if time is None else time
    if not isinstance(moment, datetime):
        raise InvalidEvent(f"time is {moment!r}, expected a datetime with a zone, or its text")
    if moment.utcoffset() is None:
        raise InvalidEvent(f"time is {moment.isoformat()} without a zone, expected one with it")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidEvent(f"time is {moment.isoformat()}, which UTC's calendar lacks") from error
    return moment.isoformat().replace("+00:00", "Z")


def _check_envelope(one: Envelope[Any]) -> None:
    if one.time is not None and not re.fullmatch(TIME_PATTERN[1:-1], one.time):
        raise InvalidEvent(f"time is {one.time!r}, expected RFC 3339 with an offset or Z")
    if one.datacontenttype is not None and not re.match(MEDIA_TYPE_PATTERN, one.datacontenttype):
        raise InvalidEvent(f"datacontenttype is {one.datacontenttype!r}, expected application/json")
    of_nobody = isinstance(one.data, MetricDefinition) or (
        isinstance(one.data, Entity) and one.data.entity in OF_NO_TENANT
    )
    if (one.subject == NOBODY) != of_nobody:
        expected = "'*', for it belongs to no tenant" if of_nobody else "a tenant"
        raise InvalidEvent(f"subject is {one.subject!r}, expected {expected}")


def _check_data(one: Envelope[Any]) -> None:
    match one.data:
        case Request(cost=Decimal() as cost):
            if not (cost.is_finite() and 0 <= cost < COST_BELOW):
                raise InvalidEvent(f"data.cost is {cost}, expected 0 to below 10^9")
        case ProductEvent(properties=dict() as properties):
            _check_depth("properties", properties, MAX_PROPERTIES_DEPTH)
        case Entity(attributes=attributes):
            _check_depth("attributes", attributes, MAX_DEPTH - _OUTSIDE)
            if one.data.entity == "tenant":
                _check_tenant(one, attributes or {})
        case MetricDefinition() as definition:
            said = fault(definition)
            if said:
                raise InvalidEvent(f"data.{said}")


def _check_written(cost: Any) -> None:
    """Refuse what is too long, or a Decimal can be read from, but is none of JSON: ``+1``."""
    written = str(cost) if isinstance(cost, Decimal) else cost
    if not isinstance(written, str):
        return
    if len(written) > MAX_TEXT:
        raise InvalidEvent(
            f"data.cost has {len(written):,} characters, expected up to {MAX_TEXT:,}"
        )
    if isinstance(cost, str) and not re.fullmatch(COST_PATTERN[1:-1], cost):
        raise InvalidEvent(f"data.cost is {cost!r}, expected a Decimal, or a JSON number's text")


def _check_tenant(one: Envelope[Entity], attributes: dict[str, Any]) -> None:
    if one.data.entity_id != one.subject:
        raise InvalidEvent(
            f"data.entity_id is {one.data.entity_id!r}, expected the event's subject"
        )
    day = attributes.get("billing_anchor_day")
    if day is not None and (type(day) is not int or not 1 <= day <= LAST_ANCHOR_DAY):
        raise InvalidEvent(f"data.attributes.billing_anchor_day is {day!r}, expected 1 to 31")
    zone = attributes.get("timezone")
    if zone is not None and (not isinstance(zone, str) or not zone):
        raise InvalidEvent(f"data.attributes.timezone is {zone!r}, expected an IANA zone's name")


def _check_depth(name: str, value: Any, limit: int) -> None:
    if _depth(value) > limit:
        raise InvalidEvent(f"data.{name} nests deeper than {limit}")


def _depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value
    is_container = isinstance(value, dict | list | tuple | set | frozenset)
    return 1 + max(map(_depth, inside), default=0) if is_container else 0
