"""Views and their answers for people: the catalogue, and rows as a table, or upright."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from pipeline.process import terminal
from pipeline.views.catalogue import Column
from pipeline.views.rows import as_json as records
from pipeline.views.rows import show_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from pipeline.views.catalogue import View
    from pipeline.views.rows import Rows

MOST_ROWS = 2_000
"""Rows of a table; more would take long to lay out, and nobody reads them."""

_MONEY_DECIMALS = 9
MOST_UPRIGHT = 20
"""Rows that are shown upright where they are too wide for a table; of more, words are broken."""


def show_catalogue(views: Sequence[View], to: Console) -> None:
    """Print what each view answers, wants and gives."""
    for view in views:
        to.print(terminal.line((view.name, "bold"), "  ", (" ".join(view.rows), "cyan")))
        if view.sentence:
            to.print(terminal.line("  ", view.sentence))
        wants = ", ".join(f"{one.name} {one.type}" for one in view.parameters)
        to.print(terminal.line(f"  parameters: {wants or 'none'}"))
        table = terminal.Cells(head=False)
        for column in view.columns:
            table.add_row("   ", column.name, terminal.line((column.type, "dim")), column.unit)
        to.print(table)
        to.print()


def show_answer(columns: Sequence[Column], rows: Rows, fresh: Rows, to: Console) -> None:
    """Print rows, and how fresh they are.

    ``fresh``: of each type its newest event and newest arrival.
    """
    show_rows(columns, rows[:MOST_ROWS], to)
    if not rows:
        to.print("no rows")
    if len(rows) > MOST_ROWS:
        to.print(f"… and {len(rows) - MOST_ROWS:,} more rows: --format csv has them all")
    newest = max((event for _, event, _ in fresh), default=None)
    arrival = max((arrival for _, _, arrival in fresh), default=None)
    if newest and arrival:
        as_of = f"newest event {_minute(newest)}, newest arrival {_minute(arrival)}"
        to.print()
        to.print(terminal.line(f"as of: {as_of} (UTC)", style="dim"))


def print_records(names: Sequence[str], rows: Rows, as_json: bool, nothing: str) -> None:
    """Print what is no view's answer: as JSON, as a table, or the sentence that there is none."""
    if as_json:
        show_json(records(names, rows), sys.stdout)
    elif rows:
        show_rows([Column(name, "String", "") for name in names], rows, terminal.console())
    else:
        click.echo(nothing)


def show_rows(columns: Sequence[Column], rows: Rows, to: Console) -> None:
    """Print rows as a table; upright, a column a line, where they are few and too wide for it."""
    table = terminal.Cells()
    for number, column in enumerate(columns):
        is_number = any(_is_number(row[number]) for row in rows)
        justify: Any = "right" if is_number else "left"
        table.add_column(_heading(column), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    if 0 < len(rows) <= MOST_UPRIGHT and terminal.breaks_words(table, to):
        _show_upright(columns, rows, to)
    else:
        to.print(table)


def _show_upright(columns: Sequence[Column], rows: Rows, to: Console) -> None:
    for number, row in enumerate(rows, 1):
        if len(rows) > 1:
            to.print(terminal.line((f"row {number} of {len(rows)}", "dim")))
        table = terminal.Cells(head=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for column, value in zip(columns, row, strict=True):
            table.add_row(_heading(column, "bold"), _cell(value))
        to.print(table)


def _heading(column: Column, style: str = "") -> RenderableType:
    """A column's name, with its unit where the name does not say it."""
    has_unit = column.unit and column.unit not in column.name
    unit = (f" ({column.unit})" if has_unit else "", "dim")
    return terminal.line((column.name, style), unit)


def _cell(value: Any) -> RenderableType:
    if value is None:
        return terminal.line(("–", "dim"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Decimal):
        whole, _, decimals = f"{value:,f}".partition(".")
        if len(decimals) > _MONEY_DECIMALS:  # of a user-defined metric, which may be a count
            return f"{whole}.{decimals}".rstrip("0").rstrip(".")
        return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
