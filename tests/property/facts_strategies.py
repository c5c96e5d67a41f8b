"""Events, and what is done to them, for the properties of events-to-columns."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from tests.property.facts_model import ZONES, Rec
from tests.support.contract.events import ATTRIBUTES

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z

JSON = "application/json"
FORMS = ["plain", "structured", "binary", "binary of an SDK", "batch", "batch header"]


class Raw:
    """A value written into the JSON as it stands."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Raw({self.text[:40]!r})"


def dumps(value: Any) -> str:
    """JSON of a value that may hold Raw ones."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        inner = ",".join(f"{json.dumps(k)}:{dumps(v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    # Some strings as UTF-8, some escaped.
    return json.dumps(value, ensure_ascii=isinstance(value, str) and len(value) % 2 == 0)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
ids = st.one_of(st.sampled_from(["a", "b-1", "é", "日本", "😀", 'q"\\/', "[{"]), words)
optional_ids = st.one_of(ids, st.none(), st.just(""), st.just("x" * 1024))
counts = st.one_of(st.integers(0, 5000), st.sampled_from([2**63 - 1, 0, None, Raw("-0")]))
tokens = st.one_of(st.integers(0, 5000), st.sampled_from([10**10, 0, None, Raw("-0")]))
digits = st.text("0123456789", min_size=1, max_size=14)
decimals = st.one_of(
    st.integers(0, 999_999).map(str),
    st.builds("{}.{}".format, st.integers(0, 99_999), digits),
    st.builds("0.{}5".format, st.integers(0, 9_999)),
    st.builds("{}.{}e-{}".format, st.integers(0, 9), digits, st.integers(0, 30)),
    st.builds("{}E{}".format, st.integers(0, 9), st.integers(0, 7)),
    st.sampled_from(
        [
            "0.0000000005",
            "0.0000000015",
            "0.00000000050000000000000001",
            "-0.0",
            "-0",
            "1e-999999999999",
            "0e99999",
            "0.0005",
            "2.0015",
            "1234.0005000000000001",
            "999999.9995",
            "0." + "3" * 900,
        ]
    ),
)
durations = st.one_of(st.floats(0, 1e6).map(repr), decimals, st.just("1000000000")).map(Raw)
costs = st.one_of(
    decimals.map(Raw),
    decimals,
    st.none(),
    st.sampled_from([Raw("999999999.9999999999"), "0.0001"]),
)


@st.composite
def times(draw: st.DrawFn) -> str | None:
    """Within the limits of an event whose record's timestamp is NOW."""
    shape = draw(st.sampled_from(["plain", "plain", "fraction", "offset", "odd", "none"]))
    second, fraction = draw(st.integers(0, 59)), draw(digits)[:9]
    stem = f"2026-03-01T12:{draw(st.integers(20, 40))}:{second:02d}"
    if shape == "none":
        return None
    if shape == "plain":
        return f"{stem}.{fraction[:3].ljust(3, '0')}Z"
    if shape == "fraction":
        return f"{stem}.{fraction}Z"
    if shape == "offset":
        return f"2026-03-01T18:0{second % 10}:{second:02d}.{fraction}+05:30"
    return draw(st.sampled_from(["2026-02-28t23:59:59z", "2025-03-01T00:00:00-00:00", stem + "Z"]))


def _object(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


unknown = {"later": st.sampled_from([None, {"a": [1, {"b": Raw("1e400")}]}, "é", Raw("12" * 2500)])}

request_data = _object(
    {
        "operation": st.sampled_from(["chat", "embeddings", "é"]),
        "model": ids,
        "status_code": st.integers(100, 599),
        "duration_ms": durations,
    },
    dict.fromkeys(("token_id", "user_id", "team_id", "agent_id", "provider"), optional_ids)
    | dict.fromkeys(("input_tokens", "output_tokens", "reasoning_output_tokens"), tokens)
    | {"cost": costs, "currency": st.sampled_from(["USD", "EUR", None])}
    | unknown,
)
action_data = _object(
    {
        "recipe_id": ids,
        "job_id": ids,
        "step": st.one_of(ids, st.integers(-(2**63), 2**63 - 1)),
        "kind": st.sampled_from(["trigger", "control", "action", "call"]),
        "outcome": st.sampled_from(["succeeded", "failed", "skipped"]),
    },
    {
        "app": optional_ids,
        "items": st.sampled_from([1, 5, None]),
        "iteration": counts,
        "rerun": st.sampled_from([True, False, None]),
        "duration_ms": st.one_of(durations, st.none()),
    }
    | unknown,
)


wide = st.builds(  # around 38 digits before and 18 after the point
    "{}{}.{}e{}".format,
    st.sampled_from(["", "-"]),
    st.sampled_from(["0", "1", "9" * 37, "9" * 38, "1" + "0" * 38]),
    st.text("05", min_size=1, max_size=20),
    st.integers(-20, 40),
)
leaves = st.one_of(
    ids, st.integers(), st.booleans(), st.none(), decimals.map(Raw), wide.map(Raw), st.just("\0")
)
keys = st.one_of(ids, st.sampled_from(["", ".", "a.b", "\\", "a", "b"]))
trees = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner), st.dictionaries(keys, inner)), max_leaves=8
)


def repeating(members: list[tuple[str, Any]]) -> Raw:
    """An object that may have a name more than once, and white space."""
    return Raw("{ " + " ,\n".join(f"{json.dumps(k)} :\t{dumps(v)}" for k, v in members) + "}")


def nested(depth: int) -> Any:
    """An object that nests so deep."""
    tree: Any = 1
    for level in range(depth - 1):
        tree = [tree, 2] if level % 2 else {"a": tree, "b": "[[[{{"}
    return {"deep": tree}


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict | list):
        inner = tree.values() if isinstance(tree, dict) else tree
        return 1 + max(map(depth_of, inner), default=0)
    return 0


properties = st.one_of(
    st.dictionaries(keys, trees).filter(lambda tree: depth_of(tree) <= 8),
    st.lists(st.tuples(keys, st.one_of(leaves, st.dictionaries(keys, leaves))), max_size=6).map(
        repeating
    ),
    st.integers(1, 8).map(nested),
    st.sampled_from([None, {}, {"many": [{}] * 40}]),
)
product_data = _object({"name": ids}, {"user_id": optional_ids, "properties": properties} | unknown)

any_attribute = st.one_of(ids, st.just(""), trees)
attributes = {name: any_attribute for names in ATTRIBUTES.values() for name in names.split()}
zones = st.sampled_from([*sorted(ZONES), None])
anchors = st.sampled_from([1, 15, 31, None])


@st.composite
def entity_data(draw: st.DrawFn) -> dict[str, Any]:
    """Of a tenant, its id is that of the subject: to be put there."""
    entity = draw(st.sampled_from(sorted(ATTRIBUTES)))
    known: dict[str, Any] = dict(attributes)
    if entity == "tenant":
        known |= {"timezone": zones, "billing_anchor_day": anchors}
    optional = {
        "deleted": st.sampled_from([True, False, None]),
        "attributes": st.one_of(st.none(), _object({}, known | {"more": trees})),
    }
    data = draw(_object({"entity_id": ids}, optional | unknown))
    return {"entity": entity, **data}


TYPES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "usage.requests": ("usage.request.v1", request_data),
    "usage.recipe-actions": ("usage.recipe_action.v1", action_data),
    "usage.events": ("usage.event.v1", product_data),
    "usage.entities": ("usage.entity.v1", entity_data()),
}


def _addressed(event: dict[str, Any]) -> dict[str, Any]:
    """With the subject that the entity wants."""
    entity = event["data"].get("entity")
    if entity in ("model", "app"):
        return event | {"subject": "*"}
    if entity == "tenant":
        return event | {"subject": event["data"]["entity_id"]}
    return event


def events(topic: str) -> st.SearchStrategy[dict[str, Any]]:
    """Valid events of the topic's type."""
    type_, data = TYPES[topic]
    made = _object(
        {
            "specversion": st.just("1.0"),
            "id": ids,
            "source": st.one_of(ids, st.just("s" * 256)),
            "type": st.just(type_),
            "subject": st.one_of(st.sampled_from(["t1", "t2"]), ids.filter(lambda t: t != "*")),
            "time": times(),
            "data": data,
        },
        {
            "datacontenttype": st.sampled_from([JSON, "Application/JSON; charset=utf-8", None]),
            "traceparent": st.one_of(words, st.just({"x": [[]]})),
        },
    )
    return made.map(_addressed) if topic == "usage.entities" else made


def record(event: dict[str, Any], form: str, offset: int = 0) -> Rec:
    """The record of one event, in a form."""
    text = dumps(event).encode()
    if form == "plain":
        return Rec(offset, NOW, (), text)
    if form == "structured":
        return Rec(offset, NOW, [("content-type", b"application/cloudevents+json; a=b")], text)
    if form == "binary":
        headers = _headers(event)
        body = dumps(event.get("data")).encode()
        return Rec(offset, NOW, [("content-type", b"application/json"), *headers], body)
    if form == "binary of an SDK":  # of no content-type, and with a null header
        null: Any = ("ce_id", None)
        return Rec(offset, NOW, [*_headers(event), null], dumps(event.get("data")).encode())
    header = [("content-type", b"application/cloudevents-batch+json")]
    return Rec(offset, NOW, header if form == "batch header" else [], b" [" + text + b"] ")


def _headers(event: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [("ce_" + k, value.encode()) for k, value in event.items() if isinstance(value, str)]


WRONG: list[Any] = [
    None,
    True,
    "",
    "x",
    "*",
    "1_0",
    "٣",
    " 1",
    "1.0",
    "x" * 129,
    "x" * 257,
    "x" * 1025,
    0,
    -1,
    99,
    600,
    Raw("5.0"),
    Raw("1e2"),
    Raw("1e400"),
    Raw("-1e-400"),
    Raw("-0.0000000001"),
    Raw("1000000000"),
    Raw("1000000000.0000000001"),
    10**10,
    10**10 + 1,
    2**63 - 1,
    Raw("9223372036854775808"),
    Raw("9" * 5000),
    Raw("0." + "1" * 1030),
    [],
    {},
    [1],
    Raw("[" * 30 + "]" * 30),
    Raw("[" * 31 + "]" * 31),
    {"a": 1},
    "usage.entity.v1",
    "model",
    "tenant",
    "asia/kathmandu",
    "Europe/Atlantis",
    "localtime",
    nested(8),
    nested(9),
    Raw('{"a":' + "[" * 8 + "]" * 8 + ',"a":1}'),
    31,
    32,
    Raw("15.0"),
    "usd",
    "USD\n",
    "text/plain",
    "2026-03-01T12:34:60Z",
    "2026-03-01 12:34:56Z",
    "2026-03-01T12:34:56",
    "2026-03-01T12:34Z",
    "2026-03-01T12:34:56.1234567891Z",
    "2026-03-01T12:44:56.7899Z",
    "2026-03-01T12:44:56.790Z",
    "2025-01-25T12:34:56.788Z",
    "2025-01-25T12:34:56.789Z",
    "2026-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "２026-03-01T12:34:56Z",
]
"""Values that are wrong for some field, and right for others."""

BYTES = [
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\udc00 x",
    b"\\u0000",
    b"\x00",
    b"\n",
    b"NaN",
    b"Infinity",
    b"1e999",
    b"[" * 40,
    b"[" * 31 + b"]" * 31,
    b"{",
    b"}",
    b'"',
    b"\\",
    b",",
    b":",
    b"0",
    b"-",
    b".",
    b"null",
    b"\xef\xbb\xbf",
]


@st.composite
def mutated(draw: st.DrawFn, topic: str) -> Rec:
    """A record with a field replaced, dropped, repeated, or with its bytes changed."""
    event = draw(events(topic))
    form = draw(st.sampled_from(FORMS))
    targets = [event, event["data"], event["data"]]
    if event["data"].get("attributes"):
        targets += [event["data"]["attributes"]] * 2
    target = draw(st.sampled_from(targets))
    name = draw(st.sampled_from(sorted(target)))
    how = draw(st.sampled_from(["replace", "replace", "drop", "bytes", "cut", "repeat"]))
    if how == "replace" and name == "properties":
        target[name] = draw(st.one_of(st.integers(7, 10).map(nested), st.sampled_from(WRONG)))
    elif how == "replace":
        target[name] = draw(st.sampled_from(WRONG))
    elif how == "drop":
        del target[name]
    made = record(event, form)
    if how == "bytes":
        made.value = _spliced(draw, made.value or b"")
    elif how == "cut":
        made.value = (made.value or b"")[: draw(st.integers(0, len(made.value or b"")))]
    elif how == "repeat":
        made.value = _repeated(made.value or b"", name, dumps(draw(st.sampled_from(WRONG))))
    return made


def _spliced(draw: st.DrawFn, value: bytes) -> bytes:
    at = draw(st.integers(0, len(value)))
    gone = draw(st.integers(0, 3))
    return value[:at] + draw(st.sampled_from(BYTES)) + value[at + gone :]


def _repeated(value: bytes, name: str, other: str) -> bytes:
    """The same name again before it stands, escaped: the last one holds."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    pattern = re.escape(f'"{name}":').encode()
    again = f'"{escaped}":{other},"{name}":'.encode()
    return re.sub(pattern, lambda _: again, value, count=1)
