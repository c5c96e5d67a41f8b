"""A database of its own for each ClickHouse test, and small chains of tables to break."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import table_settings
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import Settings, load
from tests.support.harness import ready_tables
from tests.support.harness.store import url_at

_numbers = itertools.count(1)

MONTHS = (1767225600, 1769904000, 1772323200)
"""1 January, February, March 2026: three table partitions."""

COLUMNS = (("minute", "DateTime('UTC')"), ("key", "String"), ("n", "UInt64"))
WINDOW = "non_replicated_deduplication_window"
LAYOUT = ", ".join(f"{name} = {to}" for name, to in table_settings.SETTINGS.items())


def settings_for(port: int, database: str, **more: str) -> Settings:
    """Return settings for a database of the store at a port."""
    return load({"USAGE_CLICKHOUSE": url_at(port, database)} | more)


def new_database(port: int) -> Store:
    """Connect to an empty database of its own."""
    name = f"ch{os.getpid()}_{next(_numbers)}"
    store = Store.connect(settings_for(port, name))
    store.command(f"CREATE DATABASE {name}", in_database=False)
    return store


@contextmanager
def migrated_database(port: int, **more: str) -> Iterator[Store]:
    """Provide a database of its own with the pipeline's tables and views, for the block."""
    store = new_database(port)
    settings = settings_for(port, store.database, **more)
    ready_tables.prepare(port, store.database, settings)
    migrate(store, settings)
    yield store
    store.command(f"DROP DATABASE {store.database}")
    store.close()


class Chain:
    """A Null head whose two views feed two tables, as the pipeline's: ``head`` → ``a``, ``b``."""

    def __init__(self, store: Store, windows: tuple[int, int] = (1000, 1000)) -> None:
        self.store = store
        store.command(
            "CREATE TABLE head (minute DateTime('UTC'), key String, n UInt64) ENGINE=Null"
        )
        for table, window in zip("ab", windows, strict=True):
            store.command(
                f"CREATE TABLE {table} (minute DateTime('UTC'), key String,"
                " n SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree"
                " PARTITION BY toYYYYMM(minute) ORDER BY (key, minute)"
                f" SETTINGS {WINDOW} = {window}, {LAYOUT}"
            )
            store.command(f"CREATE MATERIALIZED VIEW {table}_mv TO {table} AS SELECT * FROM head")

    def insert(self, rows: Iterable[tuple[int, str, int]], token: str, table: str = "head") -> None:
        """Insert (minute, key, n) under a token, as the pipeline does."""
        self.store.insert(
            table, COLUMNS, [list(column) for column in zip(*rows, strict=True)], token=token
        )

    def sums(self) -> tuple[int, int]:
        """Return what each of the two tables adds up to."""
        return total(self.store, "a"), total(self.store, "b")


def total(store: Store, table: str, column: str = "n") -> int:
    """Add up a column of all rows, whatever is merged."""
    return int(store.query(f"SELECT sum({column}) FROM {table}")[0][0])


def rows(count: int, months: int = 1, value: int = 1) -> list[tuple[int, str, int]]:
    """Make ``count`` rows of one value over some months."""
    return [(MONTHS[i % months], f"key-{i}", value) for i in range(count)]
