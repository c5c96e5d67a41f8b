"""Tables for all shards come and go with the servers' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import distributed


class Database:
    """Answers what it has: columns by table, and which tables stand for those of all shards."""

    def __init__(
        self, database: str, *tables: str, of_all: Mapping[str, str] | None = None
    ) -> None:
        self.database = database
        self._tables = tables
        self._of_all = dict(of_all or {})

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        assert parameters["database"] == self.database
        if "system.columns" in sql:
            return [(name, [("x", "UInt8", "", "")]) for name in (*self._tables, *self._of_all)]
        if "'Distributed'" in sql:
            own = parameters["own"]
            return [(n,) for n, engine in self._of_all.items() if f"{own}, '{n}'" in engine]
        return [(name, "") for name in self._tables]


def test_what_no_server_has_any_more_is_dropped_and_nothing_else() -> None:
    front = Database(
        "usage",
        of_all={
            "chunks": "Distributed('main', 'usage_local', 'chunks')",
            "gone": "Distributed('main', 'usage_local', 'gone')",
            "theirs": "Distributed('main', 'elsewhere', 'theirs')",
            "mine": "Distributed('main', 'usage_local', 'chunks')",
        },
    )
    own = Database("usage_local", "chunks", "new")
    stores = cast("Store", front), cast("Store", own)
    assert list(distributed.left(*stores, "main")) == [
        "DROP TABLE IF EXISTS `gone` ON CLUSTER 'main' SYNC"
    ]
    [made] = distributed.statements(*stores, "main")
    assert made.startswith("CREATE OR REPLACE TABLE `new` ON CLUSTER 'main' AS `usage_local`.`new`")
