"""Where the parts of JSON stand in its text: slow and obvious, for the models of the contract."""

from __future__ import annotations

import json
import re
from json.decoder import JSONDecoder
from typing import Any

_GAP = re.compile(r"[ \t\r\n,:]*")
_DECODE = JSONDecoder(parse_int=str, parse_float=str).raw_decode


class Num:
    """A number as it is to be written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class Repeating(dict[str, Any]):
    """An object some of whose names stood before with other values, which do not hold."""

    before: list[tuple[str, Any]]


def written(value: Any) -> str:
    """JSON of values that may hold those two."""
    if isinstance(value, Num):
        return value.text
    if isinstance(value, dict):
        pairs = [*(value.before if isinstance(value, Repeating) else []), *value.items()]
        return "{" + ",".join(f"{json.dumps(name)}:{written(each)}" for name, each in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def members(text: str) -> list[tuple[str, str]]:
    """Each member of an object or array that is JSON, with its name: the text as it stands."""
    found = []
    begin = _past_gap(text, 0)
    at = _past_gap(text, begin + 1)
    while text[at] not in "]}":
        name = ""
        if text[begin] == "{":
            name, at = _DECODE(text, at)
            at = _past_gap(text, at)
        _, end = _DECODE(text, at)
        found.append((name, text[at:end]))
        at = _past_gap(text, end)
    return found


def data_of(text: str) -> str:
    """The text of an event's data; of repeated ones the last; empty if there is none."""
    return dict(members(text)).get("data", "")


def _past_gap(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return match.end() if match else at
