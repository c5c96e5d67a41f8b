"""Events that pass, as lines: coloured for people, JSON for programs."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
from rich.text import Text

from pipeline.operate.dead_letters.exchange import moment
from pipeline.operate.dead_letters.screen import STYLES, printable
from pipeline.operate.tail.passing import Passing

SHOWN = 400
"""Characters of an event's data."""


def for_people(event: Passing) -> Text:
    """One line; a second one where it would be rejected."""
    record = event.record
    at = f"{record.topic}:{record.partition}:{record.offset}"
    at += "" if event.index is None else f":{event.index}"
    line = Text.assemble(
        (moment(event.time)[11:23], "dim"),
        "  ",
        (at, "blue"),
        "  ",
        (printable(event.tenant) or "–", "bold"),
        "  ",
        (printable(event.type) or "–", "green"),
        "  ",
        *_data(event),
    )
    if event.outcome == "skipped":
        line.append("null: skipped", "dim")
    if event.outcome == "rejected":
        line.append(f"\n    {event.reason}: ", STYLES.get(event.reason, "red"))
        line.append(printable(event.message.strip()))
    return line


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
    return json.dumps(content)[:-1] + _event(event) + "}"


def _event(event: Passing) -> str:
    name = "data" if event.is_binary else "event"
    try:
        # On one line, and otherwise as it was written: numbers keep all their digits.
        text = msgspec.json.format(event.value.decode(), indent=-1)
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return f', "value_base64": "{base64.b64encode(event.value).decode()}"'
    return f', "{name}": {text}'


def _data(event: Passing) -> list[tuple[str, str] | str]:
    data = event.data
    if not isinstance(data, dict):
        return [(printable(event.value[:SHOWN].decode("utf-8", "backslashreplace")), "dim")]
    parts: list[tuple[str, str] | str] = []
    length = 0
    for name, value in data.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        room = SHOWN - length - len(name)
        length += len(name) + len(shown)
        if length > SHOWN:
            if room > 0:
                parts += [(f"{printable(str(name))}=", "dim"), printable(shown[:room])]
            parts.append(("…", "dim"))
            break
        parts += [(f"{printable(str(name))}=", "dim"), f"{printable(shown)} "]
    return parts
