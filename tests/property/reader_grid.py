"""Records that differ from a good one in one place: what readers must agree on, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from tests.property.facts_model import Rec
from tests.property.facts_strategies import NOW
from tests.support.harness.fuzz import NUMBERS, STRINGS

DATA = {
    "usage.requests": {
        "operation": '"chat"',
        "model": '"m"',
        "status_code": "200",
        "duration_ms": "12.5",
        "token_id": '"t"',
        "user_id": '"u"',
        "team_id": '"g"',
        "agent_id": '"a"',
        "input_tokens": "1",
        "output_tokens": "2",
        "reasoning_output_tokens": "5",
        "cache_read_input_tokens": "3",
        "cache_creation_input_tokens": "4",
        "cost": "0.25",
        "currency": '"USD"',
        "provider": '"p"',
        "later": "1",
    },
    "usage.recipe-actions": {
        "recipe_id": '"r"',
        "job_id": '"j"',
        "step": '"s"',
        "kind": '"action"',
        "outcome": '"succeeded"',
        "app": '"x"',
        "items": "1",
        "rerun": "true",
        "duration_ms": "1.5",
        "later": "1",
    },
    "usage.events": {"name": '"n"', "user_id": '"u"', "properties": '{"a":1}', "later": "1"},
}
TYPES = {
    "usage.requests": "usage.request.v1",
    "usage.recipe-actions": "usage.recipe_action.v1",
    "usage.events": "usage.event.v1",
}
SPACING = ((",", ":"), (", ", ": "), (" ,\n", "\t:\r "))
DAMAGE = (b"", b"\xff", b"\xc3", b"\x00", b'"', b"\\", b" ", b"0")

_WORDS = (
    *("null", "true", "false", "{}", "[]", '{"a":[1,{"b":2}]}', "tru", "nulll", "[1,]", '{"a":1,}'),
    *('{"a"}', '{"a":}', "{,}", "[,]", '{"x":"\\ud800"}', "[01]", "[1 2]", '{"a.b":{"c":null}}'),
    *("[" * depth + "]" * depth for depth in (5, 29, 30, 31, 32)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (6, 7, 8, 9)),
)
_NUMBERS = (
    *("5.0", "1e2", "-1", "0", "00", "1.", "1e", "1e+", "-", "0.0000000015", "2.0015", "0.0005"),
    *("9223372036854775807", "999999999999999999", "1000000000000000000", "0.00000000050000001"),
    *("999999.9995", "999999999.9995", "1000000000.0", "1e9", "1e-9", "5e-10", "1.5e-9", "0e5"),
    *("123456789.123456789", "0.1234567895", "999999999.999999999", "1E3", "0." + "1" * 30),
)
_TEXTS = (
    *('"0.5"', '"1e-3"', '" 1"', '"+1"', '"0x1"', '"-0"', '"1000000000"', '"\\u0031"', '"\\q"'),
    *('"' + "é" * n + '"' for n in (128, 129, 256, 257, 1025)),
    *('"\\ud834"', '"\\ud834\\u0041"', '"a\\/b"', '"\\u00g0"', '"tab\tx"', '"\x7f"', '"*"'),
    *('"EUR"', '"usd"', '"US"', '"ÜSD"', '"1.0"', '"application/json; x=1"', '"Application/JSON"'),
    *('"usage.request.v1"', '"usage.event.v1"', '"call"', '"skipped"', '"action"'),
)
_TIMES = (
    *("2026-03-01t12:34:56z", "2026-03-01 12:34:56Z", "2026-03-01T12:34:60Z", "2026-02-29T12:34Z"),
    *("2026-03-01T24:00:00Z", "2026-03-01T12:34:56.Z", "2026-03-01T12:34:56.1234567890Z"),
    *("2026-03-01T12:34:56", "2026-03-01T12:34:56+0530", "2026-03-01T18:04:56+05:30"),
    *("2026-03-01T12:34:56-24:00", "2026-03-01T12:34:56+00:60", "0000-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "2026-03-01T12:44:56.789Z", "2026-03-01T12:44:56.790Z"),
    *("2025-01-25T12:34:56.789Z", "2025-01-25T12:34:56.788Z"),
)
ODD = (*NUMBERS, *STRINGS, *_WORDS, *_NUMBERS, *_TEXTS, *(f'"{time}"' for time in _TIMES))
"""What is put in the place of each value."""


class _Event(NamedTuple):
    """The members of an event and of its data, as JSON."""

    envelope: dict[str, str]
    data: dict[str, str]

    def text(self, spacing: tuple[str, str], *more: tuple[str, str]) -> bytes:
        """Return it with members more in its data."""
        comma, colon = spacing
        data = [*self.data.items(), *more]
        inner = "{" + comma.join(f'"{name}"{colon}{item}' for name, item in data) + "}"
        members = [*self.envelope.items()]
        if "data" not in self.envelope:
            members.append(("data", inner))
        text = "{" + comma.join(f'"{name}"{colon}{item}' for name, item in members) + "}"
        return text.encode("utf-8", "surrogatepass")


def grid(topic: str, seed: int, part: float) -> list[Rec]:
    """Return a part of all these records, in an order by chance, and at rising offsets."""
    seeded = Random(seed)
    values = [value for value in _values(topic) if seeded.random() < part]
    seeded.shuffle(values)
    return [Rec(n, NOW, (), value) for n, value in enumerate(values)]


def _values(topic: str) -> Iterator[bytes]:
    for number, spacing in enumerate(SPACING):
        good = _good(topic, number)
        for which, members in enumerate(good):
            for name in [*members, "data"][: len(members) + 1 - which]:
                for odd in ODD:
                    yield _with(good, which, name, odd).text(spacing)
                yield _without(good, which, name).text(spacing)
        for name, item in good.data.items():
            for again in (item, "null", '"z"', "7"):
                yield good.text(spacing, (name, again))
                yield good.text(spacing, (f"\\u{ord(name[0]):04x}{name[1:]}", again))
        text = good.text(spacing)
        for at in range(len(text)):
            for octets in DAMAGE:
                yield text[:at] + octets + text[at + 1 :]


def _good(topic: str, number: int) -> _Event:
    envelope = {
        "specversion": '"1.0"',
        "id": f'"i{number}"',
        "source": '"s"',
        "subject": '"t"',
        "type": f'"{TYPES[topic]}"',
        "time": '"2026-03-01T12:34:56.789Z"',
        "later": '"x"',
        "datacontenttype": '"application/json"',
    }
    return _Event(envelope, DATA[topic])


def _with(good: _Event, which: int, name: str, odd: str) -> _Event:
    members = [dict(part) for part in good]
    members[which][name] = odd
    return _Event(*members)


def _without(good: _Event, which: int, name: str) -> _Event:
    members = [dict(part) for part in good]
    members[which].pop(name, None)
    return _Event(*members)
