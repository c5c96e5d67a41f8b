"""Rows for programs: JSON, CSV.

JSON and CSV are exact: money is written with all its nine decimals, in JSON as a string (a reader
would make a float of a number), what a user-defined metric comes to without zeros at its end;
counts are JSON numbers, in full. Instants and buckets are ISO 8601 with their offset, days plain;
what is not known is ``null``, in CSV empty.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from pipeline.process.printable import printable_json

Rows = Sequence[Sequence[Any]]
_MONEY_DECIMALS = 9


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        wide = len(text.partition(".")[2]) > _MONEY_DECIMALS
        return text.rstrip("0").rstrip(".") if wide else text
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
    """Print rows as JSON for programs."""
    out.write(printable_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else plain(value)
