r"""Properties to leaves: by path, one text each that is tagged by its type and written canonically.

A path is the keys joined by dots; a dot or backslash within a key is written ``\.``, ``\\``. A
leaf is its tag and its text; equal leaves are equal texts:

``n``   a number of up to 38 digits before the point and 18 after it, without an exponent, a leading
        or a trailing zero: 12.50, 12.5 and 1.25e1 are ``n12.5``, -0 is ``n0``
``x``   any other number, as it was sent
``s``   a string
``b1``, ``b0``   true, false
``a``   an array, as JSON without white space, its numbers as above
``o``   an empty object

What is null is missing. `tests/support/golden/leaves.json` says it in examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.facts.exact.decimals import exponent_of
from pipeline.facts.exact.json_values import Number

MAX_WHOLE, MAX_FRACTION = 38, 18
"""Digits before and after the point of a number that is summed."""

_LIMIT = 10**MAX_WHOLE
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")

Leaves = dict[str, str]
"""Tagged texts by path, in the order in which the paths were first seen."""


def leaves_of(properties: Mapping[str, Any]) -> Leaves:
    """The leaves of decoded properties (`json_values.decode`)."""
    leaves: Leaves = {}
    _add(properties, "", leaves)
    return leaves


def escaped(key: str) -> str:
    """A key as a part of a path."""
    if "." in key or "\\" in key:
        return key.replace("\\", "\\\\").replace(".", "\\.")
    return key


def _add(properties: Mapping[str, Any], prefix: str, leaves: Leaves) -> None:
    for key, value in properties.items():
        path = prefix + escaped(key)
        if isinstance(value, dict) and value:
            _add(value, path + ".", leaves)
        elif value is not None:
            leaves[path] = leaf_of(value)


def leaf_of(value: Any) -> str:
    """The leaf of a decoded value that is neither null nor an object with properties."""
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, int):
        return f"n{value}" if -_LIMIT < value < _LIMIT else f"x{value}"
    if isinstance(value, Number):
        return number_leaf(value.text)
    return "a" + _ENCODER.encode(value).decode() if isinstance(value, list) else "o"


def number_leaf(text: str) -> str:
    """The leaf of a JSON number. Takes time proportional to its length, whatever its exponent."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number of JSON: {text[:60]}")
    sign, whole, fraction, exponent_sign, exponent = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    # The number is 0.digits times 10^point, and the first digit is not 0.
    point = len(digits) - len(fraction) + exponent_of(exponent_sign, exponent)
    digits = digits.rstrip("0")
    if not digits:
        return "n0"
    if point > MAX_WHOLE or len(digits) - point > MAX_FRACTION:
        return "x" + text
    padded = digits.rjust(len(digits) - min(point, 0), "0").ljust(point, "0")
    before, after = padded[: max(point, 0)], padded[max(point, 0) :]
    return f"n{sign}{before or '0'}{'.' if after else ''}{after}"


def _canonical(number: Number) -> msgspec.Raw:
    return msgspec.Raw(number_leaf(number.text)[1:].encode())


_ENCODER = msgspec.json.Encoder(enc_hook=_canonical)
