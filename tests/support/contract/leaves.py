"""What properties come to as leaves, slow and obvious: apart from the program's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Context, Decimal, InvalidOperation
from typing import Any


def leaves(properties: dict[str, Any]) -> dict[str, str]:
    """Return the tagged texts by path; numbers are ints, or have their ``text``."""
    return {".".join(path): leaf for path, leaf in _walk(properties, [])}


def _walk(properties: dict[str, Any], above: list[str]) -> Iterator[tuple[list[str], str]]:
    for key, value in properties.items():
        path = [*above, "".join("\\" + c if c in ".\\" else c for c in key)]
        if isinstance(value, dict) and value:
            yield from _walk(value, path)
        elif value is not None:
            yield path, leaf_of(value)


def leaf_of(value: Any) -> str:
    """Return the tagged text of a value that is set."""
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, dict):
        return "o"
    return "a" + _json(value) if isinstance(value, list) else _number(value)


def _number(value: Any) -> str:
    """Return an exact one as ``n``, without exponent and needless zeros, any other one as ``x``."""
    text = value.text if hasattr(value, "text") else str(value)
    if not set("123456789") & set(text.lower().split("e")[0]):
        return "n0"
    try:
        exact = Decimal(text)
    except InvalidOperation:  # it takes any number of digits, but not any exponent
        return "x" + text
    exact = exact.normalize(Context(prec=len(text), Emax=10**17, Emin=-(10**17)))
    if exact.adjusted() >= 38 or int(exact.as_tuple().exponent) < -18:
        return "x" + text
    return f"n{exact:f}"


def _json(value: Any) -> str:
    if isinstance(value, dict):
        inner = (f"{_json(name)}:{_json(item)}" for name, item in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    return _number(value)[1:]
