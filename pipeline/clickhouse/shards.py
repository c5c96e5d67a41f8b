"""The shards of the store: where the rows of each partition are, and only there.

Everything of a chunk, its intent and its ledger row too, is at the shard of its partition, in the
servers' own tables: a retry meets its token there, whichever replica takes it. One server is one
shard, and nothing is asked of it that would not be asked otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from pipeline.clickhouse.client import Place, Store
from pipeline.clickhouse.cluster import local_database, shard_of
from pipeline.errors import StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from pipeline.settings import Settings

TABLE = "_shard"
"""Of each server's own tables: which shard it is of how many, as the first migration wrote it."""

_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
_WHICH = f"SELECT DISTINCT number, shards FROM {TABLE}"  # noqa: S608 - a name of ours


class Which(NamedTuple):
    """A shard's number, from 1, and how many there are."""

    number: int
    shards: int

    def __str__(self) -> str:
        return f"shard {self.number} of {self.shards}"


T = TypeVar("T")


class Shards:
    """A `Store` for each shard, in the order of their numbers."""

    def __init__(self, stores: Sequence[Store], *, are_ours: bool = False) -> None:
        self.stores = tuple(stores)
        self._are_ours = are_ours

    @classmethod
    def connect(cls, settings: Settings, front: Store) -> Shards:
        """Open each shard of a cluster; of one server, it is ``front``.

        Raises:
            StoreUnavailable: of some shard no server answers.
            StoreRefused: a server is of another shard than the settings say.
        """
        if not settings.clickhouse_cluster:
            return cls([front])
        stores = [Store.connect(settings, place) for place in places(settings)]
        return cls(stores, are_ours=True)

    def number(self, partition: int) -> int:
        """The shard that has a partition's rows, from 0."""
        return shard_of(partition, len(self.stores))

    def of(self, partition: int) -> Store:
        """The store that has a partition's rows."""
        return self.stores[self.number(partition)]

    def parted(
        self, them: Iterable[T], partition_of: Callable[[T], int]
    ) -> Iterator[tuple[Store, list[T]]]:
        """What is of partitions, by the shard that has them."""
        parts: dict[int, list[T]] = {}
        for one in them:
            parts.setdefault(self.number(partition_of(one)), []).append(one)
        for number, some in sorted(parts.items()):
            yield self.stores[number], some

    def close(self) -> None:
        """Close the connections that were opened for them."""
        for store in self.stores if self._are_ours else ():
            store.close()


def places(settings: Settings) -> Iterator[Place]:
    """Each shard's servers and their own tables; each server is asked which shard it is."""
    url = settings.clickhouse
    for number, addresses in enumerate(url.shards, 1):
        which = Which(number, len(url.shards))
        yield Place(addresses, local_database(url.database), partial(verify, which))


def verify(expected: Which, client: HttpClient, where: str) -> None:
    """Make sure that a server is of a shard, before anything is sent to it.

    Raises:
        StoreUnavailable: it does not know, as a replica that was added and has fetched nothing yet.
        StoreRefused: it is of another shard.
    """
    try:
        found = [Which(*row) for row in client.query(_WHICH).result_rows]
    except DatabaseError as error:
        if error.code not in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            raise
        found = []
    if not found:
        raise StoreUnavailable(
            f"ClickHouse at {where} does not know yet which shard it is; run: usage migrate"
        )
    if found != [expected]:
        said = " and ".join(map(str, found))
        raise StoreRefused(
            f"ClickHouse at {where} is {said}, but USAGE_CLICKHOUSE names it as {expected}: "
            "shards are in the order, and as many, as when the cluster was first migrated, with "
            "';' between shards and ',' between the replicas of one"
        )
