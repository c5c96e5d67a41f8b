"""Metrics and changes of them as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.facts.definitions.definition import written
from pipeline.facts.exact.json_values import compact
from pipeline.meters.changes import Change, Kind
from pipeline.operate.metrics.files import METRICS
from pipeline.process import terminal
from pipeline.process.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from pipeline.meters.stored import Stored

_STYLES = {"-": "red", "+": "green"}
_HEADINGS = {
    Kind.NEW: "is new",
    Kind.CHANGED: "changes",
    Kind.RETURNS: "comes back",
    Kind.RETIRED: "is retired",
    Kind.UNCHANGED: "stays as it is",
}


def show_changes(changes: Iterable[Change], to: Console) -> None:
    """Print what would change, a heading a metric and a line for each part of a field."""
    for one in changes:
        version = f" (version {one.version})" if one.version else ""
        heading = f" {_HEADINGS[one.kind]}{version}"
        to.print(terminal.line((one.after.metric_id, "bold"), heading))
        for part in one.lines:
            text = f"{part.sign} {part.field}: {part.text}"
            to.print(terminal.indented(terminal.line((text, _STYLES[part.sign]))))


def as_yaml(versions: Iterable[Stored]) -> str:
    """Definitions as a file that ``usage metric apply`` takes; values are JSON, which is YAML."""
    lines = [f"{METRICS}:"]
    for one in versions:
        mark = "-"
        for name, value in written(one.definition).items():
            if isinstance(value, list) and name == "filters":
                lines.append(f"  {mark} {name}:")
                lines += [f"      - {_json(item)}" for item in value]
            else:
                lines.append(f"  {mark} {name}: {_json(value)}")
            mark = " "
    return "\n".join(lines) + "\n"


def _json(value: Any) -> str:
    return printable_json(compact(value))
