"""Whether a store has requests of before rows told how long they took (migration `thin`).

Their latencies are in two tables that nothing is added to. Reading these too costs each question a
fifth more analysis, so the views of a store that never had such requests leave them out. That is
written down once, in a table's comment, by the migrator that made the store: it can only be told
before the store is in use, and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.schema.files import Migration

TABLES = ("latency_1m", "latency_15m")
MIGRATION = "thin"
_NONE = "this store has none"


def statements(store: Store, applied: Sequence[Migration], cluster: str) -> Iterator[str]:
    """What is to be done right after these migrations: write down that there are no such rows.

    A cluster has none: the first release that makes one has this migration.
    """
    if MIGRATION not in {one.name for one in applied}:
        return
    everywhere = f" ON CLUSTER '{cluster}'" if cluster else ""
    if not any(store.query(f"SELECT 1 FROM {table} LIMIT 1") for table in TABLES):  # noqa: S608
        said = f"Histogram of durations, of requests of before rows had latency; {_NONE}"
        for table in TABLES:
            yield f"ALTER TABLE {table}{everywhere} MODIFY COMMENT '{said}'"


def may_be_there(store: Store) -> bool:
    """Whether views have to read them."""
    rows = store.query(
        "SELECT count() FROM system.tables WHERE database = {database:String} "
        "AND name IN {tables:Array(String)} AND endsWith(comment, {none:String})",
        {"database": store.database, "tables": list(TABLES), "none": _NONE},
    )
    return rows != [(len(TABLES),)]
