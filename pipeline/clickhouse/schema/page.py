"""The tables as a page of the documentation, from what the store says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_HEAD = """\
# The tables

What the store keeps, as the comments in `deploy/clickhouse/migrations/` say it; `usage docs tables`
wrote this page. For numbers ask the [views](views.md): what a table means may change, what a view
says does not. Why tables and keys are as they are: [decisions/tables.md](decisions/tables.md).

Sums are aggregates (`SimpleAggregateFunction`): rows of one key are added up when parts merge, so
a query sums them.

"""


@dataclass(frozen=True)
class Column:
    """A column as it is deployed: its type as ClickHouse writes it, its comment."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """A table as it is deployed: its engine, its sorting key, what it is for, its columns."""

    name: str
    engine: str
    key: str
    comment: str
    columns: tuple[Column, ...]


def tables(store: Store) -> list[Table]:
    """Read all tables of the store's database by name; views of any kind are left out."""
    columns: dict[str, list[Column]] = {}
    for table, *column in store.query(
        "SELECT table, name, type, comment FROM system.columns "
        "WHERE database = currentDatabase() ORDER BY table, position"
    ):
        columns.setdefault(table, []).append(Column(*column))
    rows = store.query(
        "SELECT name, engine, sorting_key, comment FROM system.tables "
        "WHERE database = currentDatabase() AND engine NOT LIKE '%View' ORDER BY name"
    )
    return [
        Table(name, engine, key, comment, tuple(columns[name]))
        for name, engine, key, comment in rows
    ]


def markdown(found: Iterable[Table]) -> str:
    """Write the page ``docs/tables.md``."""
    return _HEAD + "\n".join(line for table in found for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    kept = f"{table.engine}, ordered by `{table.key}`" if table.key else table.engine
    yield f"## {table.name}\n\n{table.comment}.\n\n{kept}\n"
    yield "| column | type | |\n| --- | --- | --- |"
    for column in table.columns:
        yield f"| `{column.name}` | {column.type} | {column.comment} |"
    yield ""
