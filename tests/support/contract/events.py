"""A slow, obvious reading of one record by the events' contract, independent of the program's.

Only plain `json`, `decimal`, `datetime` and dictionaries. Covers all types, in all three forms;
what an event comes to is `Read`. The only such model: the properties of `pipeline.facts` compare
rows with it (`tests/property/facts_model.py`), the recount of a log what the tables hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
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
    names: str = ""  # the field that the sentence must name
    index: int | None = None  # of a batch's element
    tenant: str = ""
    type: str = ""
    identity: tuple[str, str, str] = ("", "", "")  # tenant, source, id
    sent: str = ""  # the text of its data
    time_ms: int = 0
    data: dict[str, Any] = field(default_factory=dict)  # normalized; empty unless counted


class Rejected(Exception):
    """The reason why an event does not count, and the field at fault."""

    def __init__(self, reason: str, names: str = "") -> None:
        super().__init__(reason)
        self.reason, self.names = reason, names


def _need(right: object, name: str, reason: str = "invalid_data") -> None:
    if not right:
        raise Rejected(reason, name)


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
    document = parse(value)
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


def parse(value: bytes) -> Any:
    """Return JSON with its numbers as they were sent; raise `Rejected` where it is none."""
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
            yield Read("rejected", "malformed", index=index)


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
        read.outcome, read.reason, read.names = "rejected", rejected.reason, rejected.names
        read.data = {}
    return read


def _judge(topic: str, event: dict[str, Any], timestamp: int, read: Read) -> None:
    read.time_ms = _check_envelope(event, read, timestamp)
    _need(read.type == TYPES[topic], "type", "unknown_type")
    read.data = _DATA[topic](event["data"], read.tenant)
    _need(read.time_ms <= timestamp + TOO_EARLY_MS, "time", "too_early")
    _need(read.time_ms >= timestamp - TOO_LATE_MS, "time", "too_late")


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= limit


def _check_envelope(event: dict[str, Any], read: Read, timestamp: int) -> int:
    """Check it in the order in which sentences name what is wrong; return its time."""

    def need(name: str, right: object) -> None:
        _need(right, name, "invalid_envelope")

    need("specversion", event.get("specversion") == "1.0")
    for name in ("id", "source"):
        need(name, _is_text(event.get(name), 256))
    need("type", read.type)
    need("subject", read.tenant)
    media = event.get("datacontenttype")
    need(
        "datacontenttype",
        media is None or (isinstance(media, str) and _media(media) == "application/json"),
    )
    for name, value in event.items():
        need(name, not isinstance(value, bytes))
    at = event.get("time")
    instant = timestamp if at is None else _instant(at) if isinstance(at, str) else None
    need("time", instant is not None)
    need("data", isinstance(event.get("data"), dict))
    assert instant is not None
    read.identity = (read.tenant, event["source"], event["id"])
    return instant


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _instant(text: str) -> int | None:
    """Return milliseconds since 1970; None where it is no RFC 3339 time with a zone."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, zone = match[7] or ".0", match[8]
    offset = timedelta(0)
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        # Year 0 is none of datetime's, but the calendar repeats every 400 years.
        there = datetime(year % 400 + 2000, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    since = there - datetime(1970, 1, 1, tzinfo=UTC) - offset
    days = (year // 400 - 5) * 146_097
    return (since // timedelta(seconds=1) + days * 86_400) * 1000 + int(fraction[1:4].ljust(3, "0"))


def _request(data: dict[str, Any], _: str) -> dict[str, Any]:
    operation, model = _required(data, "operation"), _required(data, "model")
    status = _integer(data, "status_code", low=100, high=599)
    took = _duration_us(data, required=True)
    for name in ("provider", "response_model", "error_type"):
        _text(data, name)
    nanos, currency = _cost(data)
    groups = {name: _text(data, name) for name in ("team_id", "agent_id", "token_id", "user_id")}
    return (
        groups
        | {
            "model": model,
            "operation": operation,
            "failed": int(status >= 400),
            "duration_us": took,
            "cost_nanos": nanos,
            "currency": currency,
            "unmetered": int(
                data.get("input_tokens") is None and data.get("output_tokens") is None
            ),
        }
        | {
            name: _integer(data, name, low=0, high=MAX_TOKENS, default=0)
            for name in (
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "reasoning_output_tokens",
            )
        }
    )


def _cost(data: dict[str, Any]) -> tuple[int | None, str]:
    """Return the cost in nano-units, None where it is not priced, and its currency."""
    if data.get("cost") is None:
        return None, ""
    nanos = _nanos(data["cost"])
    currency = "USD" if data.get("currency") is None else data["currency"]
    _need(isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency), "currency")
    return nanos, currency


def _action(data: dict[str, Any], _: str) -> dict[str, Any]:
    recipe = _required(data, "recipe_id")
    _required(data, "job_id")
    if isinstance(data.get("step"), str):
        _required(data, "step")
    else:
        _integer(data, "step", low=-(2**63))
    kind, outcome = data.get("kind"), data.get("outcome")
    _need(kind in ("trigger", "control", "action", "call"), "kind")
    _need(outcome in ("succeeded", "failed", "skipped"), "outcome")
    app = _text(data, "app")
    _text(data, "connection_id")
    _integer(data, "items", low=1, default=1)
    _integer(data, "iteration", low=0, default=0)
    _need(isinstance(data.get("rerun"), bool | None), "rerun")
    _duration_us(data, required=False)
    return {
        "recipe_id": recipe,
        "app": app,
        "task": int(kind in ("action", "call") and outcome == "succeeded"),
        "failed": int(outcome == "failed"),
    }


def _product_event(data: dict[str, Any], _: str) -> dict[str, Any]:
    name, user = _required(data, "name"), _text(data, "user_id")
    properties = _object(data, "properties")
    _need(_nesting(properties) <= MAX_PROPERTIES_DEPTH, "properties")
    return {"user_id": user, "name": name, "properties": leaves(properties)}


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
    entity = data.get("entity")
    _need(isinstance(entity, str) and entity in ATTRIBUTES, "entity")
    entity_id = _required(data, "entity_id")
    _need(isinstance(data.get("deleted"), bool | None), "deleted")
    attributes = {k: v for k, v in _object(data, "attributes").items() if v is not None}
    _need((tenant == "*") == (entity in ("model", "app")), "subject")
    if entity == "tenant":
        _need(entity_id == tenant, "entity_id")
        zone, day = attributes.get("timezone"), attributes.get("billing_anchor_day", 1)
        _need(zone is None or (isinstance(zone, str) and zone in zones()), "timezone")
        _need(type(day) is int and 1 <= day <= 31, "billing_anchor_day")
    known = {name: attributes.get(name) for name in ATTRIBUTES[str(entity)].split()}
    return {
        "entity": entity,
        "entity_id": entity_id,
        "deleted": int(bool(data.get("deleted"))),
        "attributes": text_of(attributes),
    } | {name: _column(name, known.get(name)) for name in ATTRIBUTE_COLUMNS}


def _column(name: str, value: Any) -> Any:
    if name == "recommended":
        return int(value is True)
    if name == "billing_anchor_day":
        return value or 0
    return value or "" if isinstance(value, str | None) else text_of(value)


def text_of(value: Any) -> str:
    """Return compact JSON of a parsed value; numbers as they were sent, but for the integer -0."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        inner = (f"{text_of(name)}:{text_of(item)}" for name, item in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


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
    _need(isinstance(value, dict | None), name)
    return value or {}


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    _need(value is None or (isinstance(value, str) and len(value) <= MAX_STRING), name)
    return value or ""


def _required(data: dict[str, Any], name: str) -> str:
    value = _text(data, name)
    _need(value, name)
    return value


def _integer(
    data: dict[str, Any], name: str, *, low: int, high: int = 2**63 - 1, default: int | None = None
) -> int:
    value = data.get(name)
    if value is None and default is not None:
        return default
    _need(type(value) is int and low <= value <= high, name)
    assert isinstance(value, int)
    return value


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return type(value) in (int, Decimal, Number)


def _duration_us(data: dict[str, Any], *, required: bool) -> int:
    value = data.get("duration_ms")
    if value is None and not required:
        return 0
    _need(_is_number(value) and 0 <= value <= 10**9, "duration_ms")
    assert _is_number(value)
    return _scaled(value, 3)


def _nanos(value: Any) -> int:
    if isinstance(value, str):
        _need(_DECIMAL.fullmatch(value), "cost")
        value = Number(value)
    _need(_is_number(value) and 0 <= value < 10**9 and len(str(value)) <= MAX_STRING, "cost")
    return _scaled(value, 9)


def _scaled(value: int | Decimal, places: int) -> int:
    """Return the number times 10^places, rounded half-even; numbers have few thousand digits."""
    if value < Decimal("1e-30"):
        return 0
    scaled = _EXACT.scaleb(Decimal(value), places)
    return int(_EXACT.quantize(scaled, Decimal(1)))
