"""Events that pass, as lines: coloured for people, JSON for programs."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.operate.dead_letters.screen import STYLES
from pipeline.operate.tail.passing import Passing
from pipeline.process import terminal
from pipeline.process.printable import printable_json
from pipeline.process.times import moment

if TYPE_CHECKING:
    from rich.text import Text

SHOWN = 400
"""Characters of an event's data."""


def for_people(event: Passing) -> Text:
    """One line; a second one where it would be rejected."""
    record = event.record
    at = f"{record.topic}:{record.partition}:{record.offset}"
    at += "" if event.index is None else f":{event.index}"
    parts: list[terminal.Part] = [
        (moment(event.time)[11:23], "dim"),
        "  ",
        (at, "blue"),
        "  ",
        (event.tenant or "–", "bold"),
        "  ",
        (event.type or "–", "green"),
        "  ",
        *_data(event),
    ]
    if event.outcome == "skipped":
        parts.append(("null: skipped", "dim"))
    if event.outcome != "rejected":
        return terminal.line(*parts)
    reason = (f"    {event.reason}: ", STYLES.get(event.reason, "red"))
    return terminal.lines(terminal.line(*parts), terminal.line(reason, event.message.strip()))


def for_programs(event: Passing) -> str:
    """One line of JSON; the event as it is, or base64 where it is no JSON."""
    record = event.record
    content: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "index": event.index,
        "timestamp": record.timestamp,
        "time": moment(event.time),
        "tenant": event.tenant,
        "type": event.type,
        "outcome": event.outcome,
    }
    if event.reason:
        content |= {"reason": event.reason, "message": event.message}
    if event.is_binary:
        content["headers"] = {
            name: None if text is None else text.decode("utf-8", "backslashreplace")
            for name, text in record.headers
        }
    return printable_json(json.dumps(content)[:-1] + _event(event) + "}")


def _event(event: Passing) -> str:
    name = "data" if event.is_binary else "event"
    try:
        # On one line, and otherwise as it was written: numbers keep all their digits.
        text = msgspec.json.format(event.value.decode(), indent=-1)
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return f', "value_base64": "{base64.b64encode(event.value).decode()}"'
    return f', "{name}": {text}'


def _data(event: Passing) -> list[terminal.Part]:
    data = event.data
    if not isinstance(data, dict):
        return [(event.value[:SHOWN].decode("utf-8", "backslashreplace"), "dim")]
    parts: list[terminal.Part] = []
    length = 0
    for name, value in data.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        room = SHOWN - length - len(name)
        length += len(name) + len(shown)
        if length > SHOWN:
            if room > 0:
                parts += [(f"{name}=", "dim"), shown[:room]]
            parts.append(("…", "dim"))
            break
        parts += [(f"{name}=", "dim"), f"{shown} "]
    return parts
