"""The tables of a cluster that stand for the same table of all shards.

They have the names that views and readers ask, and each server's own tables are in a database
beside theirs, under the same names. None of several shards can be inserted into, having no sharding
key: a row goes to its shard, not to whichever a server chooses (`pipeline.clickhouse.shards`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import identifier, quoted
from pipeline.clickhouse.shards import TABLE

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_COLUMNS = """
SELECT table, groupArray((name, type, default_kind, default_expression))
FROM (SELECT * FROM system.columns WHERE database = {database:String} ORDER BY table, position)
GROUP BY table
"""
_OWN = """
SELECT name, comment FROM system.tables
WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name != {shard:String}
ORDER BY name
"""


def statements(front: Store, own: Store, cluster: str) -> Iterator[str]:
    """What makes those that are missing, or lack a column that the servers' own tables have."""
    there, wanted = _columns(front), _columns(own)
    for table, comment in own.query(_OWN, {"database": own.database, "shard": TABLE}):
        if there.get(table) != wanted[table]:
            yield statement(table, comment, own.database, cluster)


def left(front: Store, own: Store, cluster: str) -> Iterator[str]:
    """What drops those whose table no server has any more, when all have the same.

    Not what somebody else has made, under another name than that of the table it stands for.
    """
    there = front.query(
        "SELECT name FROM system.tables WHERE database = {database:String} "
        "AND engine = 'Distributed' "
        "AND position(engine_full, {own:String} || ', \\'' || name || '\\'') > 0 ORDER BY name",
        {"database": front.database, "own": quoted(own.database)},
    )
    wanted = _columns(own)
    for (table,) in there:
        if table not in wanted:
            yield f"DROP TABLE IF EXISTS {identifier(table)} ON CLUSTER {quoted(cluster)} SYNC"


def statement(table: str, comment: str, own_database: str, cluster: str) -> str:
    """How one of them is made, or made anew: it holds no rows."""
    whose = ", ".join(map(quoted, (cluster, own_database, table)))
    return (
        f"CREATE OR REPLACE TABLE {identifier(table)} ON CLUSTER {quoted(cluster)} "
        f"AS {identifier(own_database)}.{identifier(table)} "
        f"ENGINE = Distributed({whose}) COMMENT {quoted(comment)}"
    )


def _columns(store: Store) -> dict[str, object]:
    return dict(store.query(_COLUMNS, {"database": store.database}))
