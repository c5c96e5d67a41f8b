"""The golden payloads: what a producer of each version sends, and what it must come to for ever.

``python -m tests.support.harness.golden`` records the facts of payloads that have none
yet; look at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.facts import Facts, Rules, reader
from schemas import TYPES, EventType
from schemas.generate.files import GOLDEN

RECORD_TIMESTAMP_MS = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
FACTS = "facts.json"
HEADERS = ".headers.json"
NOT_OF_THE_CONTRACT = ("arrival", "partition", "offset", "rule_set", "interpreted")
"""Columns that say where an event stood, or how views follow it, not what it says."""


class Record(NamedTuple):
    """A record of Kafka, as far as it is read."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 7
    timestamp: int = RECORD_TIMESTAMP_MS


class Payload(NamedTuple):
    """One golden payload."""

    kind: EventType
    name: str
    value: bytes
    headers: dict[str, str]
    """None but of the binary form."""

    @property
    def facts(self) -> list[dict[str, Any]] | None:
        """Return what was recorded: the row of each event. None: nothing yet."""
        path = GOLDEN / self.kind.name / FACTS
        recorded = json.loads(path.read_text()) if path.exists() else {}
        rows: list[dict[str, Any]] | None = recorded.get(self.name)
        return rows

    @property
    def events(self) -> list[Any]:
        """Return the events as structured ones, parsed; fractions exactly."""
        parsed = json.loads(self.value, parse_float=Decimal)
        if self.headers:
            attributes = {k[3:]: v for k, v in self.headers.items() if k.startswith("ce_")}
            return [{**attributes, "data": parsed}]
        return parsed if isinstance(parsed, list) else [parsed]


def payloads() -> Iterator[Payload]:
    """Yield every golden payload."""
    for folder in sorted(path for path in GOLDEN.iterdir() if path.is_dir()):
        for path in sorted(folder.glob("*.json")):
            if path.name != FACTS and not path.name.endswith(HEADERS):
                yield Payload(
                    TYPES[folder.name], path.stem, path.read_bytes(), _headers(folder, path.stem)
                )


def _headers(folder: Path, name: str) -> dict[str, str]:
    path = folder / f"{name}{HEADERS}"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def read(payload: Payload) -> Facts:
    """Return what today's code makes of a payload."""
    headers = tuple((name, value.encode()) for name, value in payload.headers.items())
    one = reader(payload.kind.topic, Rules())
    facts = one.facts()
    one.read([Record(payload.value, headers)], facts)
    return facts


def rows(facts: Facts) -> list[dict[str, Any]]:
    """Return a dictionary for each counted event."""
    names = [name for name, _ in facts.head.columns]
    all_rows = zip(*facts.columns, strict=True)
    return [
        {n: v for n, v in zip(names, row, strict=True) if n not in NOT_OF_THE_CONTRACT}
        for row in all_rows
    ]


def main() -> None:
    """Record what has no facts yet."""
    for payload in payloads():
        if payload.facts is None:
            path = GOLDEN / payload.kind.name / FACTS
            recorded = json.loads(path.read_text()) if path.exists() else {}
            found = read(payload)
            assert not found.rejections, (payload.kind.name, payload.name, found.rejections)
            recorded[payload.name] = rows(found)
            path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
