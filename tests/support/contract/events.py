"""A slow, obvious reading of one record by the events' contract, independent of the program's.

Only plain `json`, `decimal`, `datetime` and dictionaries. Covers all types, in all three forms;
what an event comes to is `Read`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import lru_cache
from importlib import resources
from typing import Any, Self, TypeGuard

from tests.support.contract.leaves import leaves
from tests.support.json_text import data_of, members

REQUESTS = "usage.requests"
RECIPE_ACTIONS = "usage.recipe-actions"
EVENTS = "usage.events"
ENTITIES = "usage.entities"
TYPES = {
    REQUESTS: "usage.request.v1",
    RECIPE_ACTIONS: "usage.recipe_action.v1",
    EVENTS: "usage.event.v1",
    ENTITIES: "usage.entity.v1",
    "usage.metric-definitions": "usage.metric_definition.v1",
}
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 10_000
MAX_PROPERTIES_DEPTH = 8
MAX_STRING = 1024
MAX_TOKENS = 10**10
TOO_EARLY_MS = 10 * 60 * 1000
TOO_LATE_MS = 400 * 24 * 3600 * 1000

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_EXACT = Context(prec=5000, rounding=ROUND_HALF_EVEN, Emax=10**15, Emin=-(10**15))
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Number(Decimal):
    """A JSON number that is no ordinary integer, with its text; beyond all ranges it is 10^99."""

    text: str

    def __new__(cls, text: str) -> Self:
        try:
            self = super().__new__(cls, text)
        except InvalidOperation:  # an exponent of very many digits
            small = "e-" in text.lower() or not re.search("[1-9].*e", text.lower())
            self = super().__new__(cls, "0" if small else "-1e99" if text[0] == "-" else "1e99")
        self.text = text
        return self

    def __str__(self) -> str:
        return self.text


def _integer_of(text: str) -> int | Number:
    return int(text) if len(text) < 1000 else Number(text)


@dataclass
class Read:
    """What one event comes to: counted, or why not."""

    outcome: str  # counted, rejected, skipped (duplicates are the recount's to find)
    reason: str = ""
    index: int | None = None  # of a batch's element
    tenant: str = ""
    type: str = ""
    identity: tuple[str, str, str] = ("", "", "")  # tenant, source, id
    sent: str = ""  # the text of its data
    time_ms: int = 0
    data: dict[str, Any] = field(default_factory=dict)  # normalized; empty unless counted


class Rejected(Exception):
    """The reason why an event does not count."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_record(
    topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes]], timestamp: int
) -> list[Read]:
    """Read one record of a source topic (named without prefix); ``timestamp`` in epoch ms."""
    if value is None:
        return [Read("skipped")]
    try:
        return list(_read_value(topic, value, _there(headers), timestamp))
    except Rejected as rejected:
        return [Read("rejected", rejected.reason)]


def _there(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Return the last of each name's headers that are not null."""
    return {name: value for name, value in headers if value is not None}


def _read_value(
    topic: str, value: bytes, headers: dict[str, bytes], timestamp: int
) -> Iterator[Read]:
    form = _form(headers, value)
    document = _parse(value)
    if form == "batch":
        yield from _elements(topic, document, value.decode(), timestamp)
    elif form == "binary":
        yield _read(topic, _binary_envelope(headers, document), timestamp, None, value.decode())
    elif isinstance(document, dict):
        yield _read(topic, document, timestamp, None, data_of(value.decode()))
    else:
        raise Rejected("malformed")


def _form(headers: dict[str, bytes], value: bytes) -> str:
    content = headers.get("content-type", b"").decode(errors="replace")
    media = content.partition(";")[0].strip().lower()
    if media == "application/cloudevents+json":
        return "structured"
    if media == "application/cloudevents-batch+json":
        return "batch"
    if "ce_specversion" in headers:
        return "binary"
    first = value.lstrip(b" \t\r\n")[:1]
    if first not in (b"{", b"["):
        raise Rejected("malformed")
    return "structured" if first == b"{" else "batch"


def _parse(value: bytes) -> Any:
    if len(value) > MAX_BYTES or _depth(value) > MAX_DEPTH:
        raise Rejected("malformed")
    try:
        text = value.decode()
        document = json.loads(
            text, parse_float=Number, parse_int=_integer_of, parse_constant=_no_constant
        )
        # As lists of pairs: of repeated names, too, all that stands there.
        _refuse_lone_surrogates(json.loads(text, parse_int=str, object_pairs_hook=list))
    except ValueError as error:  # UnicodeError is one
        raise Rejected("malformed") from error
    return document


def _depth(value: bytes) -> int:
    """Count the deepest nesting, strings apart."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", value, flags=re.DOTALL)
    depth = deepest = 0
    for sign in re.findall(rb"[\[\]{}]", bare):
        depth += 1 if sign in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_lone_surrogates(document: Any) -> None:
    json.dumps(document, ensure_ascii=False).encode()


def _elements(topic: str, document: Any, whole: str, timestamp: int) -> Iterator[Read]:
    if not isinstance(document, list) or len(document) > MAX_ELEMENTS:
        raise Rejected("malformed")
    for index, (element, (_, text)) in enumerate(zip(document, members(whole), strict=True)):
        if isinstance(element, dict):
            yield _read(topic, element, timestamp, index, data_of(text))
        else:
            yield Read("rejected", "malformed", index)


def _binary_envelope(headers: dict[str, bytes], document: Any) -> dict[str, Any]:
    envelope: dict[str, Any] = {"data": document}
    for name, raw in headers.items():
        if name.startswith("ce_") and name not in ("ce_datacontenttype", "ce_data"):
            try:
                envelope[name[3:]] = raw.decode()
            except UnicodeError:
                envelope[name[3:]] = raw
    return envelope


def _read(topic: str, event: dict[str, Any], timestamp: int, index: int | None, sent: str) -> Read:
    read = Read("counted", index=index, sent=sent)
    read.tenant = event["subject"] if _is_text(event.get("subject"), 128) else ""
    read.type = event["type"] if isinstance(event.get("type"), str) else ""
    if read.tenant == "*" and read.type != TYPES[ENTITIES]:
        read.tenant = ""
    try:
        _judge(topic, event, timestamp, read)
    except Rejected as rejected:
        read.outcome, read.reason, read.data = "rejected", rejected.reason, {}
    return read


def _judge(topic: str, event: dict[str, Any], timestamp: int, read: Read) -> None:
    _check_envelope(event, read)
    read.time_ms = _time_ms(event.get("time"), timestamp)
    if read.type != TYPES[topic]:
        raise Rejected("unknown_type")
    read.data = _DATA[topic](event["data"], read.tenant)
    if read.time_ms > timestamp + TOO_EARLY_MS:
        raise Rejected("too_early")
    if read.time_ms < timestamp - TOO_LATE_MS:
        raise Rejected("too_late")


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= limit


def _check_envelope(event: dict[str, Any], read: Read) -> None:
    media = event.get("datacontenttype")
    good = (
        event.get("specversion") == "1.0"
        and _is_text(event.get("id"), 256)
        and _is_text(event.get("source"), 256)
        and read.tenant
        and read.type
        and (media is None or (isinstance(media, str) and _media(media) == "application/json"))
        and isinstance(event.get("data"), dict)
        and not any(isinstance(value, bytes) for value in event.values())
    )
    if not good:
        raise Rejected("invalid_envelope")
    read.identity = (read.tenant, event["source"], event["id"])


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _time_ms(text: Any, timestamp: int) -> int:
    if text is None:
        return timestamp
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Rejected("invalid_envelope")
    day, clock, fraction, zulu, sign, hours, minutes = match.groups()
    if clock.startswith("24"):  # which some versions of Python take for the next day's midnight
        raise Rejected("invalid_envelope")
    try:
        at = datetime.fromisoformat(f"{day}T{clock}+00:00")
        if not zulu:
            zone = time.fromisoformat(f"{hours}:{minutes}")  # up to 23:59
            shift = timedelta(hours=zone.hour, minutes=zone.minute)
            at = at - shift if sign == "+" else at + shift
    except (ValueError, OverflowError) as error:
        raise Rejected("invalid_envelope") from error
    return int(at.timestamp()) * 1000 + int(((fraction or "") + "000")[:3])


def _request(data: dict[str, Any], _: str) -> dict[str, Any]:
    cost = data.get("cost")
    currency = "USD" if data.get("currency") is None else data["currency"]
    right = isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency)
    if cost is not None and not right:
        raise Rejected("invalid_data")
    for name in ("provider", "response_model", "error_type"):
        _text(data, name)
    status = _integer(data, "status_code", low=100, high=599)
    return {
        "team_id": _text(data, "team_id"),
        "agent_id": _text(data, "agent_id"),
        "token_id": _text(data, "token_id"),
        "user_id": _text(data, "user_id"),
        "model": _required(data, "model"),
        "operation": _required(data, "operation"),
        "failed": int(status >= 400),
        "unmetered": int(data.get("input_tokens") is None and data.get("output_tokens") is None),
        "duration_us": _duration_us(data, required=True),
        "cost_nanos": None if cost is None else _nanos(cost),
        "currency": "" if cost is None else currency,
    } | {
        name: _integer(data, name, low=0, high=MAX_TOKENS, default=0)
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "reasoning_output_tokens",
        )
    }


def _action(data: dict[str, Any], _: str) -> dict[str, Any]:
    kind = data.get("kind")
    outcome = data.get("outcome")
    if kind not in ("trigger", "control", "action", "call"):
        raise Rejected("invalid_data")
    if outcome not in ("succeeded", "failed", "skipped"):
        raise Rejected("invalid_data")
    step = data.get("step")
    if isinstance(step, str):
        _required(data, "step")
    else:
        _integer(data, "step", low=-(2**63))
    _required(data, "job_id")
    _text(data, "connection_id")
    _integer(data, "items", low=1, default=1)
    _integer(data, "iteration", low=0, default=0)
    if not isinstance(data.get("rerun"), bool | None):
        raise Rejected("invalid_data")
    _duration_us(data, required=False)
    return {
        "recipe_id": _required(data, "recipe_id"),
        "app": _text(data, "app"),
        "task": int(kind in ("action", "call") and outcome == "succeeded"),
        "failed": int(outcome == "failed"),
    }


def _product_event(data: dict[str, Any], _: str) -> dict[str, Any]:
    properties = _object(data, "properties")
    if _nesting(properties) > MAX_PROPERTIES_DEPTH:
        raise Rejected("invalid_data")
    return {
        "user_id": _text(data, "user_id"),
        "name": _required(data, "name"),
        "properties": leaves(properties),
    }


def _nesting(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_nesting(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_nesting(item) for item in value), default=0)
    return 0


ATTRIBUTES = {
    "tenant": "name kind external_id subscription timezone billing_anchor_day",
    "user": "name email role team_id",
    "team": "name",
    "agent": "name",
    "service_account": "name",
    "app": "name",
    "token": "name owner_user_id service_account_id",
    "model": "name",
    "recipe": "name status recommended cloned_from",
    "connection": "app status",
}
ATTRIBUTE_COLUMNS = sorted({name for names in ATTRIBUTES.values() for name in names.split()})


def _entity(data: dict[str, Any], tenant: str) -> dict[str, Any]:
    entity, entity_id = data.get("entity"), _required(data, "entity_id")
    if not isinstance(entity, str) or entity not in ATTRIBUTES:
        raise Rejected("invalid_data")
    if not isinstance(data.get("deleted"), bool | None):
        raise Rejected("invalid_data")
    attributes = {k: v for k, v in _object(data, "attributes").items() if v is not None}
    if (tenant == "*") != (entity in ("model", "app")):
        raise Rejected("invalid_data")
    if entity == "tenant":
        _check_tenant(entity_id, tenant, attributes)
    known = {name: attributes.get(name) for name in ATTRIBUTES[entity].split()}
    return {
        "entity": entity,
        "entity_id": entity_id,
        "deleted": int(bool(data.get("deleted"))),
        "attributes": canonical(attributes),
    } | {name: _column(name, known.get(name)) for name in ATTRIBUTE_COLUMNS}


def _check_tenant(entity_id: str, tenant: str, attributes: dict[str, Any]) -> None:
    zone, day = attributes.get("timezone"), attributes.get("billing_anchor_day", 1)
    if entity_id != tenant or type(day) is not int or not 1 <= day <= 31:
        raise Rejected("invalid_data")
    if zone is not None and (not isinstance(zone, str) or zone not in zones()):
        raise Rejected("invalid_data")


def _column(name: str, value: Any) -> Any:
    if name == "recommended":
        return int(value is True)
    if name == "billing_anchor_day":
        return value or 0
    return value or "" if isinstance(value, str | None) else canonical(value)


def canonical(value: Any) -> str:
    """Return JSON of a parsed value, always the same; numbers as they were sent."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        inner = (f"{canonical(name)}:{canonical(value[name])}" for name in sorted(value))
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value)


def canonical_text(text: str) -> str:
    """Return the same of JSON text."""
    return canonical(json.loads(text, parse_float=Number, parse_int=_integer_of))


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Return the names of all zones in the ``tzdata`` package."""
    return frozenset((resources.files("tzdata") / "zones").read_text().split())


_DATA: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    REQUESTS: _request,
    RECIPE_ACTIONS: _action,
    EVENTS: _product_event,
    ENTITIES: _entity,
}


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict | None):
        raise Rejected("invalid_data")
    return value or {}


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_STRING:
        raise Rejected("invalid_data")
    return value


def _required(data: dict[str, Any], name: str) -> str:
    value = _text(data, name)
    if not value:
        raise Rejected("invalid_data")
    return value


def _integer(
    data: dict[str, Any], name: str, *, low: int, high: int = 2**63 - 1, default: int | None = None
) -> int:
    value = data.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise Rejected("invalid_data")
    return value


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return type(value) in (int, Decimal, Number)


def _duration_us(data: dict[str, Any], *, required: bool) -> int:
    value = data.get("duration_ms")
    if value is None and not required:
        return 0
    if not _is_number(value) or not 0 <= value <= 10**9:
        raise Rejected("invalid_data")
    return _scaled(value, 3)


def _nanos(value: Any) -> int:
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise Rejected("invalid_data")
        value = Number(value)
    if not _is_number(value) or not 0 <= value < 10**9 or len(str(value)) > MAX_STRING:
        raise Rejected("invalid_data")
    return _scaled(value, 9)


def _scaled(value: int | Decimal, places: int) -> int:
    """Return the number times 10^places, rounded half-even; numbers have few thousand digits."""
    if value < Decimal("1e-30"):
        return 0
    scaled = _EXACT.scaleb(Decimal(value), places)
    return int(_EXACT.quantize(scaled, Decimal(1)))
