"""JSON, strictly: values as the contract reads them, whatever the bytes are.

msgspec's decoder lets invalid UTF-8 pass where it skips, and raises on deep nesting and on
numbers beyond a double (which are JSON all the same). So bytes are checked for UTF-8 and depth
first, and numbers that are not integers are kept as their text.
"""

import json
import re
from typing import Any

import msgspec

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Number:
    """A JSON number with a fraction or an exponent, or an integer of thousands of digits."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


_DECODER = msgspec.json.Decoder(float_hook=Number)


class NotJSON(ValueError):
    """The bytes are not JSON as the contract wants it; ``str()`` says why."""


def decode(value: bytes, max_depth: int) -> Any:
    """The value: dict, list, str, int, bool, None, or Number for any other number.

    Of a repeated name the last one holds. Raises NotJSON.
    """
    if not within_depth(value, max_depth):
        raise NotJSON(f"it nests more than {max_depth} deep, or its brackets do not match")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise NotJSON(f"it is not UTF-8 at byte {error.start}") from None
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        return _decode_long_integers(text)
    except msgspec.DecodeError as error:
        raise NotJSON(_what_is_wrong(text, str(error))) from None


def _what_is_wrong(text: str, said: str) -> str:
    """What msgspec says, but where it takes half a surrogate pair for the end of the data."""
    if "truncated" not in said:
        return said
    try:
        json.loads(text)
    except ValueError:
        return said
    return "a UTF-16 surrogate stands alone"


def _decode_long_integers(text: str) -> Any:
    """As ``decode``, where an integer has more digits than Python turns into an int."""
    try:
        return json.loads(text, parse_float=Number, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise NotJSON(str(error)) from None


def _integer(text: str) -> Any:
    return int(text) if len(text) < 1000 else Number(text)


def _constant(name: str) -> Any:
    raise NotJSON(f"{name} is not JSON")


def compact(value: Any) -> str:
    """A decoded value as JSON again, without white space; numbers are written as they were."""
    return _ENCODER.encode(value).decode()


def _raw(number: Number) -> msgspec.Raw:
    return msgspec.Raw(number.text.encode())


_ENCODER = msgspec.json.Encoder(enc_hook=_raw)


def depth_of(value: Any) -> int:
    """How deep a decoded value nests: 0 for what is no container."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return 1 + max(map(depth_of, value), default=0)


def within_depth(value: bytes, limit: int) -> bool:
    """Whether JSON nests at most ``limit`` containers; for what is not JSON either answer is fine.

    Nearly free where there are few brackets; else the innermost containers are taken off
    ``limit`` times, in time proportional to the length.
    """
    if value.count(b"{") + value.count(b"[") <= limit:
        return True
    brackets = _STRING.sub(b"", value).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(limit):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"")
    return not brackets
