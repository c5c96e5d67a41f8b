"""Embedded stores that take a cluster's statements, each as one server of it would.

What is for all servers goes to each; replicated tables are plain ones, and a table of all shards is
the server's own. So the migrator runs as it does on a cluster, and what it says is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, layout
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.store import EmbeddedStore

EVERYWHERE = " ON CLUSTER 'main'"
_REPLICATED = re.compile(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?")
_DISTRIBUTED = re.compile(r"ENGINE = Distributed\('main', '(\w+)', '(\w+)'\)")
_WINDOW, _OF_ONE = files.fill_in("{window}", "main"), files.fill_in("{window}", "")


class Said(NamedTuple):
    """A statement, and the database of which it was said."""

    database: str
    statement: str


def as_one_server_takes_it(statement: str) -> str:
    """A statement for a cluster, for a server that is in none."""
    statement = statement.replace(EVERYWHERE, "", 1).replace(_WINDOW, _OF_ONE)
    statement = _REPLICATED.sub(r"ENGINE = \1(", statement)
    return _DISTRIBUTED.sub(r"ENGINE = Merge('\1', '^\2$')", statement)


@contextmanager
def clustered(stores: Sequence[EmbeddedStore]) -> Iterator[list[Said]]:
    """Let `Store` find each a shard of the cluster ``main``; provides what is said to them."""
    said: list[Said] = []
    opened: dict[tuple[int, str], Store] = {}
    command, query = Store.command, Store.query

    def commanded(self: Store, sql: str, *arguments: Any, **options: Any) -> None:
        said.append(Said(self.database, sql))
        if sql.startswith("SYSTEM SYNC REPLICA "):  # its tables are plain ones
            return None
        if EVERYWHERE not in sql:
            return command(self, sql, *arguments, **options)
        for store in stores:
            key = store.port, self.database
            if key not in opened:
                opened[key] = Store.connect(settings_for(*key))
            command(opened[key], as_one_server_takes_it(sql), *arguments, **options)
        return None

    def queried(
        self: Store, sql: str, parameters: Mapping[str, Any] | None = None, **options: Any
    ) -> list[tuple[Any, ...]]:
        rows = query(self, sql, parameters, **options)
        if sql == layout.MACROS:
            [number] = [n for n, one in enumerate(stores, 1) if self.where.endswith(f":{one.port}")]
            return [("shard", str(number)), ("replica", "a")]
        if sql == layout.CLUSTERS:
            return [("main", len(stores), 0)]
        return rows

    with patch.object(Store, "command", commanded), patch.object(Store, "query", queried):
        yield said
    for store in opened.values():
        store.close()
