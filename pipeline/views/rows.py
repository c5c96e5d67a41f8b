"""Rows for people and programs: a table, JSON, CSV.

JSON and CSV are exact: money is written with all its nine decimals, in JSON as a string (a reader
would make a float of a number); counts are JSON numbers, in full. Instants and buckets are ISO 8601
with their offset, days plain; what is not known is ``null``, in CSV empty.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

Rows = Sequence[Sequence[Any]]


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):  # an instant is one
        return value.isoformat()
    return value


def in_zone(rows: Rows, tz: str) -> list[Sequence[Any]]:
    """The rows, their instants and buckets with the offset of a zone."""
    zone = ZoneInfo(tz)
    return [
        [value.astimezone(zone) if isinstance(value, datetime) else value for value in row]
        for row in rows
    ]


def as_csv(columns: Sequence[str], rows: Rows, out: TextIO) -> None:
    """A line of names, then one for each row."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])


def as_json(columns: Sequence[str], rows: Rows) -> list[dict[str, Any]]:
    """One object for each row."""
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def show_json(document: Any, out: TextIO) -> None:
    """Print for programs."""
    json.dump(document, out, indent=2, ensure_ascii=False)
    out.write("\n")


def show_table(columns: Sequence[str], units: Sequence[str], rows: Rows, console: Console) -> None:
    """Print for people; numbers to the right, with their units in the head."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, (name, unit) in enumerate(zip(columns, units, strict=True)):
        is_number = any(_is_number(row[number]) for row in rows)
        heading = Text(name)
        if unit and unit not in name:
            heading.append(f" ({unit})", "dim")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else plain(value)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("–", "dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M"))
    if isinstance(value, Decimal):
        whole, _, decimals = f"{value:,f}".partition(".")
        return Text(f"{whole}.{decimals.rstrip('0').ljust(2, '0')}")
    if isinstance(value, float):
        return Text(f"{value:,.3f}")
    return Text(f"{value:,}" if isinstance(value, int) else str(value))
