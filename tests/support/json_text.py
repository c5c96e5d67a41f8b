"""Where the parts of JSON stand in its text: slow and obvious, for the models of the contract."""

from __future__ import annotations

import re
from json.decoder import JSONDecoder

_GAP = re.compile(r"[ \t\r\n,:]*")
_DECODE = JSONDecoder(parse_int=str, parse_float=str).raw_decode


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
