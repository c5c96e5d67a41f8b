"""A scene whose store is a cluster of two shards, each an embedded store of its own.

They know nothing of each other: the tables of all shards are a database of the first one, into
which the rows of both are copied whenever somebody looks.
"""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.cluster import local_database, shard_of
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.clickhouse.shards import TABLE, Shards
from tests.support.harness import compare
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.clustered import Said, clustered
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.scene import Scene
from tests.support.harness.store import EmbeddedStore, url_at

OF_PARTITIONS = ("chunks", "intents", "partitions_1m", "entities")
"""The tables whose rows tell their partition."""

_KEPT = """
SELECT name FROM system.tables
WHERE database = {database:String} AND endsWith(engine, 'MergeTree') AND name != {shard:String}
"""


class ShardedScene(Scene):
    """Topics and a group on a broker, and a database on each of several stores."""

    def __init__(self, kafka: KafkaBroker, stores: Sequence[EmbeddedStore], folder: Path) -> None:
        super().__init__(kafka, stores[0], folder)
        self.stores = tuple(stores)
        self.settings["USAGE_CLICKHOUSE_CLUSTER"] = "main"
        self.said: list[Said] = []
        """What the migrator said to the stores."""
        self._tables: list[str] = []

    def store_url(self, port: int | None = None) -> str:
        """Return the setting that names all shards."""
        others = (f"http://127.0.0.1:{store.port}" for store in self.stores[1:])
        return ";".join([url_at(port or self.store.port, self.database), *others])

    def migrate(self) -> None:
        """Let the migrator make the cluster, and make what both shards' rows are copied into."""
        settings = self.loaded()
        with clustered(self.stores) as said, closing(Store.connect(settings)) as front:
            migrate(front, settings)
        self.said = said
        own = local_database(self.database)
        with self._opened(self._both) as both:
            both.command(f"CREATE DATABASE {self._both}", in_database=False)
            tables = both.query(_KEPT, {"database": own, "shard": TABLE})
            self._tables = [table for (table,) in tables]
            for table in self._tables:
                both.command(f"CREATE TABLE {table} AS {own}.{table}")

    @property
    def _both(self) -> str:
        return f"{self.database}_both"

    @contextmanager
    def _opened(self, database: str) -> Iterator[Store]:
        with closing(Store.connect(settings_for(self.store.port, database))) as store:
            yield store

    @contextmanager
    def shards(self) -> Iterator[Shards]:
        """Open each shard's own tables for the block, as a worker does."""
        with super().connect() as front:
            shards = Shards.connect(self.loaded(), front)
            try:
                yield shards
            finally:
                shards.close()

    @contextmanager
    def connect(self) -> Iterator[Store]:
        """Open the tables of all shards for the block, as they are by now."""
        own = local_database(self.database)
        with self._opened(self._both) as both:
            for table in self._tables:
                both.command(f"TRUNCATE TABLE {table}")
                for store in self.stores:
                    rows = _post(store, f"SELECT * FROM {own}.{table} FORMAT Native")
                    if rows:
                        _post(self.store, f"INSERT INTO {self._both}.{table} FORMAT Native", rows)
            yield both

    def received(self) -> int:
        """Return how many events are in the shards' ledgers."""
        with self.shards() as shards:
            asked = "SELECT toUInt64(sum(received)) FROM chunks FINAL"
            return sum(shard.query(asked)[0][0] for shard in shards.stores)

    def _behind(
        self, store: Store, incarnations: dict[str, str], due: dict[tuple[str, int], int]
    ) -> dict[tuple[str, int], tuple[int, int, int | None]]:
        reached: dict[tuple[str, int], int] = {}
        with self.shards() as shards:
            for shard in shards.stores:
                reached |= compare.coverage(shard, incarnations)
        return self.not_reached(due, reached)

    def misplaced(self) -> list[str]:
        """Return the rows that are not at the shard of their partition, by table."""
        lines = []
        with self.shards() as shards:
            for number, shard in enumerate(shards.stores):
                for table in OF_PARTITIONS:
                    [(partitions,)] = shard.query(f"SELECT groupUniqArray(partition) FROM {table}")
                    wrong = [p for p in partitions if shard_of(p, len(shards.stores)) != number]
                    lines += [f"{table} of shard {number + 1} has partitions {wrong}"] * bool(wrong)
        return lines


def _post(store: EmbeddedStore, statement: str, body: bytes = b"") -> bytes:
    query = urllib.parse.urlencode({"query": statement, "insert_deduplicate": 0})
    url = f"http://127.0.0.1:{store.port}/?{query}"
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
        return bytes(answer.read())
