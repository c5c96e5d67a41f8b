"""Tables that refuse what the store's own refuse, and keep nothing: to ask without inserting.

An insert into a head of views may be refused by one target when another has it already, and an
insert cannot be taken back. So whoever must know beforehand asks copies of the whole chain whose
engine is ``Null``: the same columns, constraints and views, also those that an operator has added.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pipeline.errors import ValueRefused

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Prepared, Store

PREFIX = "rehearsal_"
"""Begins the copies' names; whatever has it holds nothing and may be dropped."""

_VIEWS = """
SELECT name, extract(create_table_query, ' TO (\\\\S+)') AS target, as_select FROM system.tables
WHERE database = {database:String} AND engine = 'MaterializedView' AND target != ''
    AND has((SELECT dependencies_table FROM system.tables
             WHERE database = {database:String} AND name = {source:String}), name)
ORDER BY name
"""
_CONSTRAINED = """
SELECT create_table_query FROM system.tables
WHERE database = {database:String} AND engine LIKE '%MergeTree'
    AND create_table_query LIKE '% CONSTRAINT %'
ORDER BY name
"""
_LEFT_BEHIND = """
SELECT name FROM system.tables
WHERE database = {database:String} AND startsWith(name, {prefix:String})
    AND metadata_modification_time < now() - INTERVAL 1 HOUR
"""


def constrained(store: Store) -> tuple[str, ...]:
    """Return how the tables are made that have a constraint: these may refuse single rows.

    None of ours has one.
    """
    return tuple(made for (made,) in store.query(_CONSTRAINED, {"database": store.database}))


class Rehearsal:
    """Copies of tables and of all that their views feed; blocking, for one thread at a time.

    Every method raises what `Store` does; without the right to make tables, `StoreRefused`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._prefix = f"{PREFIX}{uuid.uuid4().hex[:12]}_"
        self._made: list[str] = []

    def include(self, tables: Iterable[str]) -> None:
        """Copy what is not copied yet."""
        for table in tables:
            self._copy(table)

    def drop(self) -> None:
        """Drop the copies, and whatever somebody who was killed has left behind."""
        left = {"database": self._store.database, "prefix": PREFIX}
        behind = [name for (name,) in self._store.query(_LEFT_BEHIND, left)]
        for name in [*reversed(self._made), *behind]:
            self._store.command(f"DROP TABLE IF EXISTS `{name}`")
        self._made.clear()

    def refusal(self, blocks: Sequence[Prepared]) -> str | None:
        """Return what the store says of a value in these blocks; None where it takes them all."""
        for block in blocks:
            try:
                self._store.send(block._replace(table=self._prefix + block.table))
            except ValueRefused as error:
                return error.reason.replace(self._prefix, "")
        return None

    def _copy(self, table: str) -> None:
        name = self._prefix + table
        if name in self._made:
            return
        self._store.command(f"CREATE TABLE IF NOT EXISTS `{name}` AS `{table}` ENGINE = Null")
        views = self._store.query(_VIEWS, {"database": self._store.database, "source": table})
        for view, target, select in views:
            to = target.rpartition(".")[2].strip("`")
            self._copy(to)
            self._store.command(
                f"CREATE MATERIALIZED VIEW IF NOT EXISTS `{self._prefix}{view}` "
                f"TO `{self._prefix}{to}` AS {self._reading(select, table)}"
            )
            self._made.append(self._prefix + view)
        self._made.append(name)

    def _reading(self, select: str, table: str) -> str:
        """The view's query, from the copy of the table that it reads."""
        source = rf"(?:`?{re.escape(self._store.database)}`?\.)?`?{re.escape(table)}`?(?!\w)"
        return re.sub(rf"\b(FROM|JOIN)\s+{source}", rf"\1 `{self._prefix}{table}`", select)
