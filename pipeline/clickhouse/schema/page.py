"""The tables as a page of the documentation, from what the store says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.facts.exact.requests import COST_DIGITS, COST_PLACES
from schemas.fields import MAX_DURATION_MS, MAX_TOKENS

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

_BOUNDS = """\
## Why no number wraps

What the [contract](contracts.md) accepts of one event, what its column holds, and how many of the
largest fit one sum. `tests/integration/test_bounds.py` takes the largest from the event to every
sum. Views add durations up in 128 bits, for 18 million requests of eleven days each are too many
for 64.

| what | of one event, at most | held as | largest ones in one sum |
| --- | --- | --- | --- |
"""

_REST = """\
| minutes, days | 1970 to 2106; other event times are refused | `DateTime`, `Date` | not added up |
| instants | the same, to the millisecond | `DateTime64(3)` | not added up |
| offsets | 2⁶³−1: they are Kafka's | `Int64` | not added up |

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
    rows = "".join(_bound(*one) for one in BOUNDS)
    sections = "\n".join(line for table in found for line in _section(table))
    return _HEAD + _BOUNDS + rows + _REST + sections


BOUNDS = (
    ("requests, actions, events, outcomes", 1, "", "UInt64", 2**64),
    ("tokens", MAX_TOKENS, "", "UInt64", 2**64),
    ("durations", MAX_DURATION_MS * 1000, " µs", "UInt64", 2**64),
    ("a cost, in nano-units, on its way in", 10 ** (COST_DIGITS + COST_PLACES), "", "Int64", 2**63),
    ("sums of costs", 10**COST_DIGITS, " of a currency", "Decimal(38, 9)", 10**29),
)
"""What is added up: of one event at most, its unit, the type of its sums, and what that holds."""


def _bound(what: str, most: int, unit: str, kind: str, held: int) -> str:
    fit = held // most
    times = "one; it is never added up as this" if fit < 10 else f"over {_power(fit)}"
    return f"| {what} | {most:,}{unit} | `{kind}` | {times} |\n"


def _power(number: int) -> str:
    """The number's order of magnitude, as ``1.8 · 10⁹``."""
    exponent = len(str(number)) - 1
    raised = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number // 10 ** (exponent - 1) / 10} · 10{raised}"


def _section(table: Table) -> Iterator[str]:
    kept = f"{table.engine}, ordered by `{table.key}`" if table.key else table.engine
    yield f"## {table.name}\n\n{table.comment}.\n\n{kept}\n"
    yield "| column | type | |\n| --- | --- | --- |"
    for column in table.columns:
        yield f"| `{column.name}` | {column.type} | {column.comment} |"
    yield ""
