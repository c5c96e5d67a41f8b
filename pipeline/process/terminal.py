"""What people see: the one console, and lines and tables into which nobody else's text breaks.

Whatever is shown to people is built here, so that every text goes through
:func:`pipeline.process.printable.printable`; nothing else makes rich's texts, tables and consoles.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.filesize import decimal
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.process.printable import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 160
"""Columns where nobody's terminal says how wide it is."""

_UNBOUNDED = 1 << 16

Part = str | tuple[str, str]
"""A piece of a line: text that anybody may have written, or that and its style."""


def line(*parts: Part, style: str = "", is_cut: bool = False) -> Text:
    """A line of parts, each with its style; a part cannot begin another line.

    ``is_cut``: what does not fit is left out, instead of going on below.
    """
    text = Text.assemble(*map(_part, parts), style=style)
    if is_cut:
        text.no_wrap, text.overflow = True, "ellipsis"
    return text


def size(octets: int) -> str:
    """A number of bytes, in the unit that suits it: 1.2 GB."""
    return decimal(octets)


def lines(*several: Text) -> Text:
    """Several lines as one thing to print."""
    return Text("\n").join(several)


class Cells(Table):
    """A table without rules whose texts, whoever wrote them, stay within their cells."""

    def __init__(self, *, head: bool = True, **options: Any) -> None:
        look = {"box": None, "padding": (0, 2, 0, 0), "header_style": "bold", "show_header": head}
        super().__init__(**{**look, **options})

    def add_column(self, header: RenderableType = "", *args: Any, **options: Any) -> None:
        """As rich does, the heading made printable."""
        super().add_column(_cell(header) or "", *args, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """As rich does, each text made printable."""
        super().add_row(*map(_cell, cells), **options)


def console(**options: Any) -> Console:
    """A console on standard output: as wide as its terminal, as ``COLUMNS``, else `PIPE_WIDTH`."""
    made = Console(highlight=False, markup=False, emoji=False, soft_wrap=False, **options)
    is_told = "width" in options or os.environ.get("COLUMNS", "").isdigit()
    if not made.is_terminal and not is_told:
        made.width = PIPE_WIDTH
    return made


def breaks_words(table: Table, on: Console) -> bool:
    """Whether the table is too narrow on this console for the longest words of its columns."""
    return _measured(table, on).minimum > on.width


def breaks_lines(table: Table, on: Console, room: int = 0) -> bool:
    """Whether a cell would go over several lines, with ``room`` columns left beside the table."""
    return _measured(table, on).maximum + room > on.width


def indented(line: Text) -> RenderableType:
    """A line that begins four columns to the right, also where it goes on below."""
    return Padding(line, (0, 0, 0, 4), expand=False)


def _measured(table: Table, on: Console) -> Measurement:
    return on.measure(table, options=on.options.update(max_width=_UNBOUNDED))


def _cell(cell: RenderableType | None) -> RenderableType | None:
    return Text(printable(cell)) if isinstance(cell, str) else cell


def _part(part: Part) -> Part:
    return printable(part) if isinstance(part, str) else (printable(part[0]), part[1])
