"""A view's question as SQL whose answer is ready to be passed on, in any format. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.views.call import Value, literal
from pipeline.views.catalogue import ByDay, Column, View, meant
from pipeline.views.formats import Format

WIDE = "Decimal(76, 18)"
"""The type of what user-defined metrics come to; as text without zeros at its end."""

_INSTANT = re.compile(r"^(?:Nullable\()?DateTime(64)?\b")


@dataclass(frozen=True)
class Source:
    """What rows come from: a view with its parameters, or a query over views."""

    name: str
    """In the answer, and in the name of a file."""
    sql: str
    """What stands behind FROM."""
    columns: tuple[Column, ...]
    parameters: Mapping[str, Value]
    """Resolved; instants are aware."""
    plain: str = ""
    """Instead of ``sql``, of a view's plain case: the same rows, or a refusal (`not_plain`)."""
    by_day: ByDay | None = None
    """Instead of ``plain``, where days hold that were added up before."""

    @property
    def tz(self) -> str:
        """The zone in whose offset instants are written."""
        return str(self.parameters.get("tz", "UTC"))


@dataclass(frozen=True)
class Shape:
    """Which part of the rows, and how they are written."""

    format: Format
    columns: tuple[str, ...] = ()
    """Those wanted, in this order; empty: all."""
    limit: int | None = None
    offset: int = 0
    spreadsheet: bool = False
    """Put an apostrophe before strings that a spreadsheet would take for a formula."""


def of_view(view: View, values: Mapping[str, Value]) -> Source:
    """A view asked with these values."""
    return Source(
        view.name,
        view.asked(values),
        view.columns,
        values,
        view.asked_plainly(values),
        view.asked_by_day(values),
    )


def chosen(text: str, source: Source) -> tuple[str, ...]:
    """The columns that a list with commas names; empty: all of them.

    Raises:
        UsageError: it names one that is not there, or one twice.
    """
    if not text:
        return ()
    known = [column.name for column in source.columns]
    names = [name.strip() for name in text.split(",")]
    for place, name in enumerate(names):
        if name not in known:
            raise UsageError(
                f"columns: {source.name} has no column {name!r}{meant(name, known)}; "
                f"it has {', '.join(known)}"
            )
        if name in names[:place]:
            raise UsageError(f"columns names {name!r} twice")
    return tuple(names)


def columns(source: Source, shape: Shape) -> list[Column]:
    """The columns of the answer, in their order."""
    by_name = {column.name: column for column in source.columns}
    return [by_name[name] for name in shape.columns] or list(source.columns)


def select(source: Source, shape: Shape) -> str:
    """The query, without its format; the rows' order is the view's own."""
    wanted = ", ".join(_expression(one, source.tz, shape) for one in columns(source, shape))
    sql = f"SELECT {wanted} FROM {source.sql} AS v"  # noqa: S608 - quoted
    if shape.limit is not None:
        sql += f" LIMIT {shape.limit:d}"
    if shape.offset:
        sql += f" OFFSET {shape.offset:d}"
    return sql


def _expression(column: Column, tz: str, shape: Shape) -> str:
    name = f"v.`{column.name}`"
    instant = _INSTANT.match(column.type)
    if instant and shape.format.typed:
        # A column of seconds alone becomes a bare number in Arrow.
        written = name if instant[1] else f"toDateTime64({name}, 3, {literal(tz)})"
    elif instant:
        written = _rfc3339(name, tz, fraction=bool(instant[1]))
    elif WIDE in column.type and not shape.format.typed:
        written = f"toString({name})"  # without zeros at its end
    elif shape.spreadsheet and "String" in column.type:
        written = f"if(match({name}, '^[=+@-]'), concat('\\'', {name}), {name})"
    else:
        written = name
    return f"{written} AS `{column.name}`"


def _rfc3339(name: str, tz: str, *, fraction: bool) -> str:
    """An instant as text with its zone's offset, its fraction of a second only where it has one."""
    zone = literal(tz)
    seconds = f"formatDateTime({name}, '%Y-%m-%dT%H:%i:%S', {zone})"
    of_second = f"toUnixTimestamp64Milli({name}) % 1000"
    fractions = (
        f", if({of_second} = 0, '', formatDateTime({name}, '.%f', {zone}))" if fraction else ""
    )
    offset = f"formatDateTime({name}, '%z', {zone})"
    return (
        f"concat({seconds}{fractions}, substring({offset}, 1, 3), ':', substring({offset}, 4, 2))"
    )
