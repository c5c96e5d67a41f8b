"""Records as no producer should send them, by a seed: damaged, made up, and hostile.

Most begin as good events of `Traffic` in one of the three forms, so that the damage gets past the
first checks. What each must come to is for the recount to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.harness.produce import BATCH, STRUCTURED, Event, Headers, Message, Traffic

MIB = 1024 * 1024
LARGEST = 2 * MIB - 4096
"""About what a topic takes; the contract's limit is half of it."""

NUMBERS = (
    *("1e999", "-1e999", "1e-999", "-1e-999", "9" * 400, "-" + "9" * 400, "9" * 5000, "-0", "-0.0"),
    *("0." + "3" * 2000, "1e" + "9" * 300, "1e-" + "9" * 300, "9223372036854775808", "1E400"),
    *("0.0000000005", "999999999.9999999999", "1000000000", "1000000000.0000001", "1.5", "01"),
    *("NaN", "-Infinity", "0x10", "1_000", "٣", "+1", ".5", "5."),
)
"""JSON at the limits of what is a number, of the contract or at all."""
STRINGS = (
    *(r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', r'"\u0000"', r'"\u00"', '"\\x41"', '""'),
    *(
        '"\x01"',
        '"é"',
        '"*"',
        '"' + "x" * 1025 + '"',
        '"' + "é" * 1024 + '"',
        '"' + "𝄞" * 129 + '"',
    ),
)
"""The same of strings."""
_BYTES = (
    *(b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xe2\x28\xa1"),
    *(b"\x00", b"\x1f", b"\x7f", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"/**/", b"\r\n"),
    *(b"\\ud800", b"null", b"true", b"e", b"-"),
)
_HEADERS: tuple[Headers, ...] = (
    [],
    [("content-type", b"application/json")],
    [("content-type", b"Application/CloudEvents+JSON ; x=1")],
    [("content-type", b"\xff\xfe")],
    [("content-type", b"application/cloudevents-batch+json"), ("content-type", b"text/plain")],
    [("content-type", b"application/json"), ("ce_specversion", b"1.0")],
    [("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", b"\xff")],
    [("ce_specversion", b"1.0"), ("ce_type", b"usage.request.v1")],
    [(f"x-{n}", b"y" * 50) for n in range(60)],
)


class Fuzz:
    """A seeded stream of records for the source topics."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._traffic = Traffic(seed, bad=0.05)

    def message(self, kind: str, now: float) -> tuple[str, bytes | None, Headers]:
        """Return (tenant to key by, value, headers) of one record for a topic; ``now`` epoch s."""
        tenant, value, headers = self._traffic.message(kind, now)
        pick = self._random.random()
        if pick < 0.0002:
            return tenant, *self._random.choice(_COSTLY)(self)
        if value is None or pick < 0.15:
            return tenant, value, headers
        if pick < 0.2:
            return tenant, value, self._random.choice(_HEADERS)
        return tenant, *self._random.choice(_DAMAGES)(self, value, headers)

    # Damage ----------------------------------------------------------------------------------

    def flipped(self, value: bytes, headers: Headers) -> Message:
        """Flip a few bits of the value, or of a header's."""
        if headers and not self._random.randrange(8):
            at = self._random.randrange(len(headers))
            name, octets = headers[at]
            assert isinstance(octets, bytes)
            return value, [*headers[:at], (name, self._flip(octets)), *headers[at + 1 :]]
        return self._flip(value), headers

    def _flip(self, value: bytes) -> bytes:
        octets = bytearray(value)
        for _ in range(self._random.choice((1, 1, 1, 2, 5)) if octets else 0):
            octets[self._random.randrange(len(octets))] ^= 1 << self._random.randrange(8)
        return bytes(octets)

    def cut(self, value: bytes, headers: Headers) -> Message:
        """Leave the end away, or the beginning."""
        at = self._random.randrange(len(value) + 1)
        return (value[at:] if not self._random.randrange(4) else value[:at]), headers

    def spliced(self, value: bytes, headers: Headers) -> Message:
        """Put bytes in that are likely to hurt, in the place of a few others."""
        at, gone = self._random.randrange(len(value) + 1), self._random.randrange(4)
        return value[:at] + self._random.choice(_BYTES) + value[at + gone :], headers

    def reworded(self, value: bytes, headers: Headers) -> Message:
        """Replace one JSON value by a number or a string at the limits of what is one."""
        colons = [at for at, octet in enumerate(value) if octet == ord(":")]
        if not colons:
            return value, headers
        at = self._random.choice(colons) + 1
        end = min((e for e in (value.find(s, at) for s in (b",", b"}")) if e > 0), default=at)
        odd = self._random.choice((*NUMBERS, *STRINGS)).encode("utf-8", "surrogatepass")
        return value[:at] + odd + value[end:], headers

    def repeated(self, value: bytes, headers: Headers) -> Message:
        """Give a name twice, the second time spelt otherwise; the last one holds."""
        name = self._random.choice(("id", "subject", "data", "name", "model", "entity", "type"))
        spelt = "".join(f"\\u{ord(letter):04x}" for letter in name)
        other = self._random.choice((*NUMBERS, *STRINGS, "{}", "[]", "null")).encode()
        again = b'"%s":%s,"%s":' % (spelt.encode(), other, name.encode())
        return value.replace(f'"{name}": '.encode(), again, 1), headers

    def deep(self, value: bytes, headers: Headers) -> Message:
        """Nest in one place as deep as is allowed, or a little deeper."""
        levels = self._random.choice((5, 6, 7, 28, 29, 30, 31, 32, 33, 200))
        nest = b"[" * levels + b"]" * levels
        at = value.rfind(b"}", 0, len(value) - self._random.randrange(2))
        return value[:at] + b',"properties":{"a":' + nest + b"}" + value[at:], headers

    def made_up(self, value: bytes, headers: Headers) -> Message:
        """Send JSON of any shape, with names that mean something."""
        return json.dumps(self._any(4)).encode(), self._random.choice((headers, [], BATCH))

    def _any(self, levels: int) -> Any:
        names = ("id", "source", "data", "type", "time", "subject", "name", "specversion", "x")
        leaves = (None, True, 0, -1, 2**63, 1.5, "", "x", "1.0", "usage.event.v1", "2026-03-01")
        pick = self._random.randrange(3) if levels else 0
        if not pick:
            return self._random.choice(leaves)
        inner = [self._any(levels - 1) for _ in range(self._random.randrange(5))]
        return inner if pick == 1 else {self._random.choice(names): item for item in inner}

    def noise(self, value: bytes, headers: Headers) -> Message:
        """Send bytes by chance."""
        return self._random.randbytes(self._random.randrange(300)), headers

    # What costs most to refuse ----------------------------------------------------------------

    def event(self, **data: Any) -> Event:
        """Return a product event's frame around some data."""
        return {
            "specversion": "1.0",
            "id": f"{self._random.randrange(10**9)}",
            "source": "//fuzz",
            "type": "usage.event.v1",
            "subject": "t",
            "data": {"name": "n"} | data,
        }

    def wide(self, size: int) -> Message:
        """Return an event of so many bytes, most of them in one property."""
        head = json.dumps(self.event(properties={"x": "@"})).encode()
        return head.replace(b"@", b"x" * (size - len(head) + 1)), STRUCTURED


_DAMAGES: tuple[Callable[[Fuzz, bytes, Headers], Message], ...] = (
    *(Fuzz.flipped, Fuzz.flipped, Fuzz.cut, Fuzz.spliced, Fuzz.spliced, Fuzz.reworded),
    *(Fuzz.reworded, Fuzz.repeated, Fuzz.deep, Fuzz.made_up, Fuzz.noise),
)
_COSTLY: tuple[Callable[[Fuzz], Message], ...] = (
    lambda f: (b"[" * LARGEST, []),
    lambda f: (b"[" * MIB, BATCH),
    lambda f: (b'{"a":' * (MIB // 5), STRUCTURED),
    lambda f: (b'{"a":' * 30 + b"[" * 500_000 + b"]" * 500_000 + b"}" * 30, []),
    lambda f: f.wide(LARGEST),
    lambda f: f.wide(MIB),
    lambda f: f.wide(MIB + 1),
    lambda f: (b" " * LARGEST, STRUCTURED),
    lambda f: (b"[" + b"{}," * 10_000 + b"{}]", BATCH),
    lambda f: (b"[" + b"7," * 4_999 + b"7]", BATCH),
    lambda f: (b"\xff" * LARGEST, []),
    lambda f: (b'"' + b"\\ud83d\\ude00" * 80_000 + b'"', STRUCTURED),
    lambda f: (b'{"data":' + b"9" * 1_000_000 + b"}", STRUCTURED),
    lambda f: (b'{"data":{' + b'"a":1,' * 150_000 + b'"a":2}}', STRUCTURED),
    lambda f: (b'{"data":{"x":"' + b"\\\\" * 500_000 + b'"}}', []),
    lambda f: (json.dumps([f.event() for _ in range(4_000)]).encode(), BATCH),
)
