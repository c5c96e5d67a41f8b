"""A database as `usage migrate` leaves it, copied from one that was migrated.

Migrating an empty database costs a store seconds, and hundreds of tests want one. So what the first
test of a store has waited for is copied, statement by statement, for those that come later. They
migrate the copy for all that, with settings of their own: there is nothing left to do, or little.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import Settings, load
from tests.support.harness.store import url_at

_FILLED = ("_zone_offsets", "_zone_versions", "migrations")
"""Tables into which a migration writes, and that it does not look at again."""
_KINDS = ("MaterializedView", "View")
_numbers = itertools.count(1)
_asked: Counter[tuple[int, int, int]] = Counter()
_ready: dict[tuple[int, int, int], str] = {}
"""Databases by their store's port and for how long they keep rows; no test touches them."""


def prepare(port: int, database: str, settings: Settings) -> bool:
    """Copy what an empty database needs, if the same was wanted in its store before.

    ``settings`` are those with which it is going to be migrated. Returns whether it was copied.
    """
    wanted = (port, settings.keep_minute_rows, settings.keep_product_events_days)
    _asked[wanted] += 1
    if _asked[wanted] == 1:
        return False  # it may be the only one, in a store of its own
    store = Store.connect(load({"USAGE_CLICKHOUSE": url_at(port, database)}))
    try:
        store.command(f"CREATE DATABASE IF NOT EXISTS {database}", in_database=False)
        if _tables(store, database):
            return False
        ready = _ready.get(wanted, "")
        if not _tables(store, ready):  # of another store, which had that port
            ready = _ready[wanted] = _migrated(port, settings)
        _copy(store, ready)
        return True
    finally:
        store.close()


def _migrated(port: int, settings: Settings) -> str:
    name = f"ready{os.getpid()}_{next(_numbers)}"
    kept = {
        "USAGE_KEEP_MINUTE_ROWS": str(settings.keep_minute_rows),
        "USAGE_KEEP_PRODUCT_EVENTS_DAYS": str(settings.keep_product_events_days),
    }
    own = load({"USAGE_CLICKHOUSE": url_at(port, name)} | kept)
    store = Store.connect(own)
    migrate(store, own)
    store.close()
    return name


def _copy(store: Store, ready: str) -> None:
    for _, statement in sorted(_tables(store, ready)):
        store.command(statement.replace(ready, store.database))
    for table in _FILLED:
        store.command(f"INSERT INTO {table} SELECT * FROM {ready}.{table}")


def _tables(store: Store, database: str) -> list[tuple[int, str]]:
    """The statements that make what a database has, and the order in which one needs another."""
    rows = store.query(
        "SELECT engine, create_table_query FROM system.tables WHERE database = {database:String}",
        {"database": database},
    )
    kinds = ("", *_KINDS)
    return [(kinds.index(engine) if engine in kinds else 0, made) for engine, made in rows]
