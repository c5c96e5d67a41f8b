"""Log lines: for programs with the place that they are about, and without repeats of libraries."""

from __future__ import annotations

import json
import logging

import pytest

from pipeline.process.logs import (
    SAY_AGAIN_SECONDS,
    JsonFormatter,
    Repeats,
    TextFormatter,
    place,
)
from pipeline.protocol.chunks import Source

SOURCE = Source("usage.requests", 3)


def record(name: str, sentence: str, *about: object, at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "", 0, sentence, about, None)
    made.created = at
    return made


def line(extra: dict[str, object] | None) -> dict[str, object]:
    made = logging.getLogger("pipeline").makeRecord(
        "pipeline", logging.WARNING, "", 0, "it is so", (), None, extra=extra
    )
    found: dict[str, object] = json.loads(JsonFormatter().format(made))
    return {name: found[name] for name in found.keys() - {"time", "level", "logger", "message"}}


def test_a_line_of_json_has_topic_partition_and_offsets() -> None:
    named = {"topic": "usage.requests", "partition": 3}
    assert line(place(SOURCE, 0, 9)) == named | {"from_offset": 0, "to_offset": 9}
    assert line(place(SOURCE, 5)) == named | {"from_offset": 5}
    assert line(None) == {}


@pytest.mark.parametrize("library", ["aiokafka.client", "faust.usage"])
def test_what_a_library_repeats_is_heard_now_and_then(library: str) -> None:
    repeats = Repeats()
    heard = [
        repeats.filter(record(library, "no %s: %s", "node", n, at=n / 10))
        for n in range(int(SAY_AGAIN_SECONDS * 20))
    ]
    assert heard.count(True) == 2
    assert repeats.filter(record(library, "something else"))


def test_what_we_say_is_always_heard() -> None:
    repeats = Repeats()
    assert all(repeats.filter(record("pipeline.worker.work", "it is so")) for _ in range(3))


def test_what_a_producer_wrote_begins_no_line() -> None:
    hostile = "tenant \x1b[2J\u202e\n2026-05-01 ERROR forged"
    shown = TextFormatter().format(record("pipeline.worker", "set aside: %s", hostile))
    assert shown.endswith(r"ERROR set aside: tenant \x1b[2J\u202e\n2026-05-01 ERROR forged")
    assert len(shown.splitlines()) == 1
    text = JsonFormatter().format(record("pipeline.worker", "set aside: %s", hostile))
    assert "\u202e" not in text
    assert json.loads(text)["message"] == f"set aside: {hostile}"
