"""What a cluster of ClickHouse changes: names of databases, settings, which shard has a partition.

Why it is so: ``docs/decisions/clickhouse-cluster.md``. Without a cluster nothing here is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUORUM_SECONDS = 30
"""How long an insert waits for a majority of replicas: less than a connection may be silent."""

QUERIES: Mapping[str, Any] = {
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,
    "skip_unavailable_shards": 0,
}
"""Of everything that is asked: what one side of a join or ``IN`` gives is asked of all shards,
before the other is read, and a shard that does not answer is an error, never a lower number."""

ACKNOWLEDGED: Mapping[str, Any] = {
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "insert_quorum_timeout": QUORUM_SECONDS * 1000,
}
"""Of inserts: a majority of the shard's replicas has it before it counts as done. One at a time,
for only then does ``select_sequential_consistency`` refuse a replica that lacks one."""

IN_PARALLEL: Mapping[str, Any] = {"insert_quorum_parallel": 1}
"""Of inserts under a token, which is what they are found by. What is read of them consistently, the
minutes of live windows, may lack the newest where another replica is asked after a failover."""


CHANGES: Mapping[str, Any] = {
    **ACKNOWLEDGED,
    "distributed_ddl_task_timeout": 50,
    "distributed_ddl_output_mode": "throw",
}
"""Of statements: those for all servers are over, or an error, before the connection is given up."""


def local_database(database: str) -> str:
    """The database of each server's own tables, beside the one whose tables are of all shards."""
    return f"{database}_local"


def shard_of(partition: int, shards: int) -> int:
    """The shard, from 0, that has the rows of a topic's partition, whoever inserts them."""
    return partition % shards
