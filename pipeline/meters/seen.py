"""What was seen lately, for who defines a metric: names of events, properties and what they are."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.meters.questions import SETTINGS, call

if TYPE_CHECKING:
    from pipeline.clickhouse.reading import Reader

DAYS = 30
"""How far back names are looked for."""

PROPERTY_DAYS = 7
MOST_NAMES = 1000
MOST_PROPERTIES = 2000

MISSING, OBJECT = "missing", "object"
NUMBER, IN_A_STRING, NOT_EXACT = "number", "number in a string", "number that is not exact"
NUMERIC = frozenset({NUMBER, IN_A_STRING, NOT_EXACT})
"""Kinds of what stands at a path, as ``_parts/kinds.sql`` has them."""


class Property(NamedTuple):
    """What stands at one path."""

    path: str
    kinds: Mapping[str, int]
    """Events by kind, the most frequent first."""
    examples: Mapping[str, Sequence[str]]
    """Up to three texts of each kind; of what is missing: organizations and times of events."""
    inside: Sequence[str] = ()
    """Where it is an object: paths of what is in it."""

    @property
    def events(self) -> int:
        """Events that were looked at."""
        return sum(self.kinds.values())

    def __str__(self) -> str:
        parts = (f"{share(n, self.events)} {kind}" for kind, n in self.kinds.items())
        return f"{self.path}: {', '.join(parts)}"

    def as_json(self) -> dict[str, Any]:
        """The property for programs."""
        return {
            "path": self.path,
            "events": self.events,
            "kinds": dict(self.kinds),
            "examples": {kind: list(some) for kind, some in self.examples.items()},
        }


async def events(reader: Reader, as_of: datetime, days: int = DAYS) -> list[dict[str, Any]]:
    """The names of product events, the most frequent first: name, events, last_seen."""
    view = call("_seen_events", as_of=as_of, days=days, k=MOST_NAMES)
    last = "formatDateTime(last_seen, '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS last_seen"
    sql = f"SELECT name, events, {last} FROM {view}"  # noqa: S608 - quoted
    return await reader.rows(sql, SETTINGS)


async def properties(
    reader: Reader, names: Sequence[str], as_of: datetime, days: int = PROPERTY_DAYS
) -> list[Property]:
    """The properties of the events of these names, the most frequent first."""
    view = call("_seen_properties", names=names, as_of=as_of, days=days, k=MOST_PROPERTIES)
    return by_path(await reader.rows(f"SELECT * FROM {view}", SETTINGS))  # noqa: S608 - quoted


def by_path(rows: Iterable[Mapping[str, Any]]) -> list[Property]:
    """Rows of path, kind, events and examples, as one a path; in the order in which they come."""
    of_path: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        of_path[row["path"]].append(row)
    return [_property(path, kinds) for path, kinds in of_path.items()]


def _property(path: str, rows: Iterable[Mapping[str, Any]]) -> Property:
    by_kind = {row["kind"]: row for row in sorted(rows, key=lambda row: -row["events"])}
    examples = {
        kind: row["of_events"] if kind == MISSING else [_shown(kind, t) for t in row["examples"]]
        for kind, row in by_kind.items()
        if kind != OBJECT
    }
    return Property(
        path,
        {kind: row["events"] for kind, row in by_kind.items()},
        {kind: sorted(some) for kind, some in examples.items()},
        tuple(by_kind[OBJECT]["inside"]) if OBJECT in by_kind else (),
    )


def meant(name: str, known: Iterable[str]) -> str:
    """``; did you mean "api_call"?``, or nothing where none comes near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def share(part: int, whole: int) -> str:
    """``98 %``; what is little, but not nothing, is ``under 1 %``."""
    percent = 100 * part / whole if whole else 0
    if 0 < percent < 1:
        return "under 1 %"
    if 99 < percent < 100:
        return "over 99 %"
    return f"{percent:.0f} %"


def _shown(kind: str, text: str) -> str:
    return {"1": "true", "0": "false"}.get(text, text) if kind == "boolean" else text
