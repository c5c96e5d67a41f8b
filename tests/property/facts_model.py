"""The contract again, slow and obvious: what one record comes to.

Written apart from ``pipeline.facts``: plain ``json`` with hooks, ``decimal``, ``datetime``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any, NoReturn

from tests.support.contract.events import TYPES
from tests.support.contract.leaves import leaves
from tests.support.json_text import data_of, members

ZONES = {"UTC", "Asia/Kathmandu", "America/St_Johns", "US/Pacific"}  # that the strategies know
EXACT = Context(prec=3000, rounding=ROUND_HALF_EVEN, Emax=10**15, Emin=-(10**15))
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
MEDIA_TYPES = ("application/cloudevents+json", "application/cloudevents-batch+json")
PARTITION = 5


@dataclass
class Rec:
    """A record, as the consumer gives it."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


@dataclass
class Num:
    text: str


@dataclass
class Out:
    """One event: its row if it counts, else the reason and the field that the sentence names."""

    reason: str = ""
    tenant: str = ""
    type: str = ""
    names: str = ""
    index: int | None = None
    value: bytes = b""
    time: int = 0
    row: list[Any] = field(default_factory=list)
    identity: tuple[str, str, str] = ("", "", "")
    """Of a valid event: its tenant, source and id."""
    data: bytes = b""
    """Of a valid event: the bytes of its data, as they were sent."""

    def known_type(self, topic: str) -> str:
        """As the ledger has it: ``''`` for what the topic does not know."""
        return self.type if self.type == TYPES[topic] else ""


class Bad(Exception):
    def __init__(self, reason: str, names: str = "") -> None:
        self.reason, self.names = reason, names


def stop(reason: str, names: str = "") -> NoReturn:
    raise Bad(reason, names)


def _no(_: str) -> Any:
    raise ValueError("not JSON")


def parse(value: bytes) -> Any:
    try:
        text = value.decode("utf-8")
        parsed = json.loads(text, parse_int=Num, parse_float=Num, parse_constant=_no)
        json.dumps(parsed, default=lambda n: n.text, ensure_ascii=False).encode()  # surrogates
    except (ValueError, RecursionError):
        raise Bad("malformed") from None
    if len(value) > 2**20 or nesting(text) > 32:
        raise Bad("malformed")
    return parsed


def nesting(text: str) -> int:
    """How deep some JSON nests, in what a repeated name hides too."""
    deepest = level = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            level += (letter in "[{") - (letter in "]}")
            deepest = max(deepest, level)
    return deepest


def model(topic: str, record: Rec) -> list[Out]:
    """Every event of a record that is not a tombstone."""
    value = record.value
    assert value is not None
    pairs: Sequence[tuple[str, Any]] = record.headers  # a value may be null, in spite of its type
    headers = {name: value for name, value in pairs if value is not None}
    kind = headers.get("content-type", b"").decode("latin-1").split(";")[0].strip().lower()
    first = value.lstrip(b" \t\r\n")[:1]
    try:
        parsed = parse(value)
        by_media_type = kind in MEDIA_TYPES
        if "ce_specversion" in headers and not by_media_type:
            given: dict[str, Any] = {}
            for name, octets in headers.items():
                if name.startswith("ce_") and name not in {"ce_datacontenttype", "ce_data"}:
                    try:
                        given[name[3:]] = octets.decode()
                    except UnicodeDecodeError:
                        given[name[3:]] = Bad("")
            if parsed is not None:
                given["data"] = parsed
            return [event(topic, record, None, value, given, value.decode())]
        batch = kind == "application/cloudevents-batch+json" or (
            kind != "application/cloudevents+json" and first == b"["
        )
        if not batch and isinstance(parsed, dict):
            return [event(topic, record, None, value, parsed, data_of(value.decode()))]
        if not batch or not isinstance(parsed, list) or len(parsed) > 10_000:
            stop("malformed")
        elements = members(value.decode())
    except Bad as bad:
        return [Out(bad.reason, value=value)]
    return [
        event(topic, record, place, b"", item, data_of(text))
        if isinstance(item, dict)
        else Out("malformed", index=place)
        for place, (item, (_, text)) in enumerate(zip(parsed, elements, strict=True))
    ]


def event(
    topic: str, record: Rec, index: int | None, value: bytes, given: dict[str, Any], sent: str
) -> Out:
    out = Out(index=index, value=value)
    type_, tenant = given.get("type"), given.get("subject")
    if isinstance(type_, str):
        out.type = type_
    if isinstance(tenant, str) and 1 <= len(tenant) <= 128:
        out.tenant = tenant if tenant != "*" or out.type == "usage.entity.v1" else ""
    try:
        out.time = envelope(given, out, record.timestamp)
        if out.type != TYPES[topic]:
            stop("unknown_type", "type")
        rest = DATA[topic](given["data"], out.tenant)
        if out.time - record.timestamp > 600_000:
            stop("too_early", "time")
        if record.timestamp - out.time > 400 * 86_400_000:
            stop("too_late", "time")
        if topic == "usage.entities":
            where = [out.time, record.timestamp, PARTITION, record.offset, index or 0]
            out.row = [out.tenant, *rest[:2], *where, *rest[2:]]
        else:
            if topic == "usage.events":
                rest.insert(2, out.time)
            out.row = [out.time // 60_000 * 60, out.tenant, *rest]
        out.identity = out.tenant, given["source"], given["id"]
        out.data = sent.encode()
    except Bad as bad:
        out.reason, out.names = bad.reason, bad.names
    return out


def envelope(given: dict[str, Any], out: Out, arrival: int) -> int:
    def need(name: str, right: bool) -> None:
        if not right:
            raise Bad("invalid_envelope", name)

    need("specversion", given.get("specversion") == "1.0")
    for name in ("id", "source"):
        text = given.get(name)
        need(name, isinstance(text, str) and 1 <= len(text) <= 256)
    need("type", out.type != "")
    need("subject", out.tenant != "")
    content = given.get("datacontenttype")
    if content is not None:
        need("datacontenttype", isinstance(content, str))
        need("datacontenttype", content.split(";")[0].strip().lower() == "application/json")
    for name, found in given.items():
        need(name, not isinstance(found, Bad))
    at = given.get("time")
    time = arrival if at is None else instant(at) if isinstance(at, str) else None
    need("time", time is not None)
    need("data", isinstance(given.get("data"), dict))
    assert time is not None
    return time


def instant(text: str) -> int | None:
    match = TIME.fullmatch(text)
    if not match:
        return None
    fraction, zone = match[7] or ".0", match[8]
    offset = timedelta(0)
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    year, *rest = (int(part) for part in match.groups()[:6])
    try:
        # Year 0 is none of datetime's, but the calendar repeats every 400 years.
        month, day, hour, minute, second = rest
        there = datetime(year % 400 + 2000, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    since = there - datetime(1970, 1, 1, tzinfo=UTC) - offset
    days = (year // 400 - 5) * 146_097
    return (since // timedelta(seconds=1) + days * 86_400) * 1000 + int(fraction[1:4].ljust(3, "0"))


def far(text: str) -> Decimal:
    """A number whose exponent is beyond what can be told apart: 0, or far out of every range."""
    mantissa, exponent = re.split("[eE]", text)
    if not re.search("[1-9]", mantissa):
        return Decimal(0)
    sign = "-" if mantissa.startswith("-") else ""
    return Decimal(f"{sign}1e-99" if exponent.startswith("-") else f"{sign}1e99")


def decimal(value: Any, places: int, low_open_top: str, *, inclusive: bool) -> int | None:
    text = value.text if isinstance(value, Num) else value
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of hundreds of digits
        number = far(text)
    top = Decimal(low_open_top)
    if not (0 <= number < top or (inclusive and number == top)):
        return None
    if number < Decimal("1e-30"):
        return 0
    return int(EXACT.quantize(EXACT.scaleb(number, places), Decimal(1)))


def check(data: dict[str, Any], name: str, right: bool) -> None:
    if not right:
        raise Bad("invalid_data", name)


def string(data: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = data.get(name)
    if value is None and not required:
        return ""
    check(data, name, isinstance(value, str) and int(required) <= len(value) <= 1024)
    return str(value)


def integer(data: dict[str, Any], name: str, low: int, high: int, default: int | None) -> int:
    value = data.get(name)
    if value is None and default is not None:
        return default
    check(data, name, isinstance(value, Num) and re.fullmatch(r"-?[0-9]+", value.text) is not None)
    assert isinstance(value, Num)
    number = Decimal(value.text)
    check(data, name, low <= number <= high)
    return int(number)


def duration(data: dict[str, Any]) -> int:
    value = data.get("duration_ms")
    found = decimal(value, 3, "1e9", inclusive=True) if isinstance(value, Num) else None
    check(data, "duration_ms", found is not None)
    return found or 0


TOP = 2**63 - 1


def request(data: dict[str, Any], _: str) -> list[Any]:
    operation, model_ = (
        string(data, "operation", required=True),
        string(data, "model", required=True),
    )
    status = integer(data, "status_code", 100, 599, None)
    took = duration(data)
    for name in ("provider", "response_model", "error_type"):
        string(data, name)
    nanos, currency = 0, ""
    cost = data.get("cost")
    if cost is not None:
        length = len(cost.text if isinstance(cost, Num) else cost) if cost_like(cost) else 0
        found = decimal(cost, 9, "1e9", inclusive=False) if length <= 1024 else None
        check(data, "cost", found is not None)
        named: Any = data.get("currency")
        named = "USD" if named is None else named
        right = isinstance(named, str) and re.fullmatch("[A-Z]{3}", named)
        check(data, "currency", bool(right))
        nanos, currency = found or 0, named
    groups = [string(data, n) for n in ("team_id", "agent_id", "token_id", "user_id")]
    tokens = [
        integer(data, n, 0, 10**10, 0)
        for n in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "reasoning_output_tokens",
        )
    ]
    neither = int(data.get("input_tokens") is None and data.get("output_tokens") is None)
    return [*groups, model_, operation, int(status >= 400), took, *tokens, neither, nanos, currency]


def cost_like(cost: Any) -> bool:
    return isinstance(cost, Num | str)


def action(data: dict[str, Any], _: str) -> list[Any]:
    recipe = string(data, "recipe_id", required=True)
    string(data, "job_id", required=True)
    if isinstance(data.get("step"), str):
        string(data, "step", required=True)
    else:
        integer(data, "step", -(2**63), TOP, None)
    kind, outcome = data.get("kind"), data.get("outcome")
    check(data, "kind", kind in ("trigger", "control", "action", "call"))
    check(data, "outcome", outcome in ("succeeded", "failed", "skipped"))
    app = string(data, "app")
    string(data, "connection_id")
    integer(data, "items", 1, TOP, 1)
    integer(data, "iteration", 0, TOP, 0)
    check(data, "rerun", data.get("rerun") in (None, True, False))
    if data.get("duration_ms") is not None:
        duration(data)
    task = outcome == "succeeded" and kind in ("action", "call")
    return [recipe, app, 1, int(task), int(outcome == "failed")]


def thing(data: dict[str, Any], name: str) -> dict[str, Any]:
    """An object, or nothing."""
    value = data.get(name)
    check(data, name, value is None or isinstance(value, dict))
    return value or {}


def product_event(data: dict[str, Any], _: str) -> list[Any]:
    name, user = string(data, "name", required=True), string(data, "user_id")
    # The object itself is 1 deep; of a repeated name only the last value is one.
    text = json.dumps(thing(data, "properties"), default=lambda n: n.text)
    check(data, "properties", nesting(text) <= 8)
    return [user, name, leaves(thing(data, "properties"))]


KNOWN = {
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
COLUMNS = (
    "name kind external_id subscription timezone billing_anchor_day email role team_id "
    "owner_user_id service_account_id status recommended cloned_from app"
)


def entity(data: dict[str, Any], tenant: str) -> list[Any]:
    """Entity, id, deleted, attributes, and what is read out of them."""
    kind = data.get("entity")
    check(data, "entity", isinstance(kind, str) and kind in KNOWN)
    assert isinstance(kind, str)
    id_ = string(data, "entity_id", required=True)
    check(data, "deleted", data.get("deleted") in (None, True, False))
    given = {k: v for k, v in thing(data, "attributes").items() if v is not None}
    check(data, "subject", (tenant == "*") == (kind in ("model", "app")))
    known = {name: given[name] for name in KNOWN[kind].split() if name in given}
    if kind == "tenant":
        check(data, "entity_id", id_ == tenant)
        zone, anchor = known.get("timezone"), known.get("billing_anchor_day")
        check(data, "timezone", zone is None or (isinstance(zone, str) and zone in ZONES))
        days = [str(day) for day in range(1, 32)]
        right = anchor is None or (isinstance(anchor, Num) and anchor.text in days)
        check(data, "billing_anchor_day", right)
    row: list[Any] = [kind, id_, int(bool(data.get("deleted"))), text_of(given)]
    for name in COLUMNS.split():
        value = known.get(name)
        if name == "recommended":
            row.append(int(value is True))
        elif name == "billing_anchor_day":
            row.append(int(value.text) if isinstance(value, Num) else 0)
        elif value is None or isinstance(value, str):
            row.append(value or "")
        else:
            row.append(text_of(value))
    return row


def text_of(value: Any) -> str:
    """Compact JSON; numbers as they were sent, but for the integer -0."""
    if isinstance(value, Num):
        return "0" if value.text == "-0" else value.text
    if isinstance(value, dict):
        inner = ",".join(f"{text_of(name)}:{text_of(item)}" for name, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


DATA: dict[str, Callable[[dict[str, Any], str], list[Any]]] = {
    "usage.requests": request,
    "usage.recipe-actions": action,
    "usage.events": product_event,
    "usage.entities": entity,
}
