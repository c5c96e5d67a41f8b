"""All that is backed up and restored together: one server, or the shards of a cluster.

Of a cluster, each shard's own tables are a part of the backup, written by the first server of the
shard; so are the tables that all servers have whole, by the first of all. What stands for the
tables of all shards, and the views, `usage migrate` makes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.quoting import identifier
from pipeline.clickhouse.schema import files, layout, lock
from pipeline.clickhouse.schema.quiet import announced, dropping
from pipeline.clickhouse.shards import TABLE as SHARD

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings

EVERYWHERE_PART = "-everywhere"
"""Behind the name of the part with the tables that all servers of a cluster have whole."""
_KEPT = """
SELECT name FROM system.tables
WHERE database = {database:String} AND endsWith(engine, 'MergeTree') ORDER BY name
"""
_MADE_BY_MIGRATOR = frozenset(["_zone_offsets", "_zone_versions"])


class Whole(NamedTuple):
    """The stores of one database."""

    front: Store
    """The database of the setting."""
    shards: tuple[Store, ...]
    """Of each shard the tables that have rows; of one server, the same database."""
    cluster: str = ""

    @classmethod
    def of_one(cls, store: Store) -> Whole:
        """A server that is in no cluster."""
        return cls(store, (store,))

    @property
    def own(self) -> Store:
        """Where leases and seals are."""
        return self.shards[0]

    @property
    def databases(self) -> tuple[Store, ...]:
        """Each database once."""
        return (self.front, *self.shards) if self.cluster else self.shards

    def parts(self, part: str) -> Iterator[tuple[Store, str]]:
        """The database of each shard, and what its part of a backup is called."""
        for number, shard in enumerate(self.shards, 1):
            yield shard, f"{part}-shard-{number}" if self.cluster else part

    def passed_over(self, shard: Store) -> tuple[str, ...]:
        """The tables of a shard that no backup has."""
        tables = [name for (name,) in shard.query(_OURS, {"database": shard.database})]
        return tuple(n for n in tables if n == SHARD or n.startswith(lock.PREFIX))

    def everywhere(self) -> list[str]:
        """The tables that all servers of a cluster have whole, that of migrations last."""
        if not self.cluster:
            return []
        kept = [name for (name,) in self.front.query(_KEPT, {"database": self.front.database})]
        found = [n for n in kept if n in files.EVERYWHERE and n not in _MADE_BY_MIGRATOR]
        return sorted(found, key=lambda name: name == "migrations")

    def synchronize(self, meanwhile: Callable[[], None]) -> None:
        """Have the servers that are asked get what other replicas have taken."""
        for store in self.databases if self.cluster else ():
            for (name,) in store.query(_KEPT, {"database": store.database}):
                store.command(f"SYSTEM SYNC REPLICA {identifier(name)}")
                meanwhile()

    def dropping(self) -> str:
        """What drops all of it."""
        return dropping(self.databases, self.cluster)

    def announced(self) -> str:
        """What tells one state of the newest intents from any other."""
        return ",".join(map(announced, self.shards))

    def chunks(self) -> int:
        """How many chunks there are in the ledgers."""
        return sum(int(shard.query(_CHUNKS, consistent=True)[0][0]) for shard in self.shards)


_OURS = "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name"
_CHUNKS = "SELECT uniqExact(topic, partition, incarnation, from_offset) FROM chunks"


@contextmanager
def whole(settings: Settings, front: Store) -> Iterator[Whole]:
    """What is backed up and restored, for the block; of a cluster, every server must answer.

    Raises:
        MigrationError: the settings do not fit the cluster.
        StoreUnavailable: a server does not answer.
    """
    cluster = settings.clickhouse_cluster
    if not cluster:
        yield Whole.of_one(front)
        return
    layout.require(settings)
    with layout.opened(settings) as shards:
        layout.require_same_shards(shards)
        yield Whole(front, shards, cluster)
