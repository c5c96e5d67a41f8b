"""How a cluster is laid out: which shard each server is of, as the servers and the settings say.

What decides is the servers' macros: they are the paths of replicated tables, so that servers of
one ``{shard}`` have the same rows, whatever anybody calls them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse import rehearsal
from pipeline.clickhouse.client import Place, Store
from pipeline.clickhouse.cluster import local_database
from pipeline.clickhouse.schema import files, lock
from pipeline.clickhouse.schema.server import check_server
from pipeline.clickhouse.shards import TABLE, Which
from pipeline.errors import MigrationError, StoreRefused

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.settings.kinds import Address

MACROS = "SELECT macro, substitution FROM system.macros WHERE macro IN ('shard', 'replica')"
CLUSTERS = (
    "SELECT cluster, toUInt32(uniqExact(shard_num)), toUInt32(maxIf(shard_num, is_local)) "
    "FROM system.clusters GROUP BY cluster"
)
_TABLES = (
    "SELECT concat(database, '.', name) FROM system.tables "
    "WHERE database IN {databases:Array(String)} AND engine NOT IN ('View', 'Null') "
    "AND NOT startsWith(name, {lock:String}) AND NOT startsWith(name, {rehearsal:String})"
)
_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81

_SHARD = f"""
CREATE TABLE IF NOT EXISTS {TABLE}{{cluster}}
(
    number UInt32 COMMENT 'of the shard that this server is of, from 1',
    shards UInt32 COMMENT 'how many there are'
)
ENGINE = {{engine:ReplacingMergeTree}}
ORDER BY tuple()
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Which shard this server is of: partitions are at the shard that their number says'
"""


class Server(NamedTuple):
    """One server, as it describes itself."""

    where: str
    shard: str
    """Its macro ``{shard}``; empty where it has none."""
    replica: str
    """Its macro ``{replica}``; likewise."""
    clusters: Mapping[str, tuple[int, int]]
    """The clusters that it knows: how many shards each has, and in which it finds itself, or 0."""
    tables: frozenset[str] = frozenset()
    """Those of ours that keep or stand for rows, with their databases."""


Layout = Sequence[Sequence[Server]]
"""The servers, shard by shard, as the settings have them."""


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Store, ...]]:
    """The first server of each shard, in the database of its own tables, for the block."""
    url = settings.clickhouse
    local = local_database(url.database)
    stores: list[Store] = []
    try:
        stores.extend(Store.connect(settings, Place(some[:1], local)) for some in url.shards)
        yield tuple(stores)
    finally:
        for store in stores:
            store.close()


def found(settings: Settings) -> Layout:
    """Ask every server. Raises `StoreUnavailable` for one that is away: no table would be there."""
    url = settings.clickhouse
    return [[_server(settings, address) for address in some] for some in url.shards]


def _server(settings: Settings, address: Address) -> Server:
    store = Store.connect(settings, Place((address,), "system"))  # ours need not be there yet
    try:
        check_server(store)
        macros = dict(store.query(MACROS))
        clusters = {name: (shards, own) for name, shards, own in store.query(CLUSTERS)}
        database = settings.clickhouse.database
        ours = [database, local_database(database)]
        passing = {"lock": lock.PREFIX, "rehearsal": rehearsal.PREFIX}
        tables = store.query(_TABLES, {"databases": ours, **passing})
    finally:
        store.close()
    names = frozenset(name for (name,) in tables)
    return Server(store.where, macros.get("shard", ""), macros.get("replica", ""), clusters, names)


def problems(cluster: str, layout: Layout) -> Iterator[str]:
    """What is wrong between the servers and USAGE_CLICKHOUSE, each a sentence."""
    for server in (server for replicas in layout for server in replicas):
        if cluster not in server.clusters:
            known = ", ".join(sorted(server.clusters)) or "none"
            yield (
                f"{server.where} knows no cluster {cluster!r} (USAGE_CLICKHOUSE_CLUSTER); it knows "
                f"{known}: add it to `remote_servers` in its configuration"
            )
        elif (shards := server.clusters[cluster][0]) != len(layout):
            yield (
                f"the cluster {cluster} has {shards} shards at {server.where}, but "
                f"USAGE_CLICKHOUSE names {len(layout)}: name a server of each, with ';' between"
            )
        if not server.shard or not server.replica:
            yield f"{server.where} has no macros `shard` and `replica`: add them to its `macros`"
    yield from _between(layout)
    yield from _of_numbers(cluster, layout)
    yield from _without_tables(layout)


def _of_numbers(cluster: str, layout: Layout) -> Iterator[str]:
    """Where `remote_servers` puts servers of different macros into one shard, or apart.

    A table of all shards would read one's rows twice and another's never.
    """
    named: dict[int, Server] = {}
    for server in (server for replicas in layout for server in replicas):
        own = server.clusters.get(cluster, (0, 0))[1]
        if not own:  # it does not find itself by its name; its macros are known all the same
            continue
        first = named.setdefault(own, server)
        if first.shard != server.shard:
            yield (
                f"the cluster {cluster} has {first.where} and {server.where} both in its shard "
                f"{own}, but their macros are of the shards {first.shard!r} and {server.shard!r}: "
                "let `remote_servers` and `macros` say the same"
            )
    shards = {number: server.shard for number, server in named.items()}
    for number, shard in shards.items():
        if list(shards.values()).count(shard) > 1:
            yield (
                f"{named[number].where} is of the shard {shard!r} by its macros, which is more "
                f"than one shard of the cluster {cluster}: let `remote_servers` and `macros` say "
                "the same"
            )


def _without_tables(layout: Layout) -> Iterator[str]:
    """Which servers have none of the tables that others have, as one does that was added later."""
    for server, lacking in _lacking(layout):
        if any(name.endswith(".migrations") for name in lacking):
            yield _making(server, lacking)


def _lacking(layout: Layout) -> Iterator[tuple[Server, list[str]]]:
    """The servers that lack tables which others have, each with these."""
    servers = [server for replicas in layout for server in replicas]
    everything = frozenset().union(*(server.tables for server in servers))
    for server in servers:
        if everything - server.tables:
            yield server, sorted(everything - server.tables)


def _making(server: Server, lacking: Sequence[str]) -> str:
    return (
        f"{server.where} lacks {len(lacking)} tables that other servers have (the first: "
        f"{lacking[0]}): make there what SHOW CREATE TABLE says at another server of its "
        "shard, heads and materialized views too, then run this again"
    )


def _between(layout: Layout) -> Iterator[str]:
    """What the servers of one shard, and of different shards, contradict each other in."""
    for number, replicas in enumerate(layout, 1):
        for place, server in enumerate(replicas):
            same = [one for one in replicas[:place] if one.replica == server.replica]
            if server.shard != replicas[0].shard:
                yield (
                    f"{server.where} is of the shard {server.shard!r} and {replicas[0].where} of "
                    f"{replicas[0].shard!r} (their macros), but USAGE_CLICKHOUSE names both as "
                    f"replicas of shard {number}: ',' stands between replicas, ';' between shards"
                )
            elif same:
                yield (
                    f"{server.where} and {same[0].where} are both the replica "
                    f"{server.replica!r} of {server.shard!r}: give each a macro of its own"
                )
        for other in layout[number:]:
            if other[0].shard == replicas[0].shard:
                yield (
                    f"{replicas[0].where} and {other[0].where} are both of the shard "
                    f"{replicas[0].shard!r}, but USAGE_CLICKHOUSE names them as different shards"
                )


def require(settings: Settings) -> Layout:
    """Ask every server, and refuse what does not fit. Raises `MigrationError`, `StoreError`."""
    layout = found(settings)
    wrong = list(problems(settings.clickhouse_cluster, layout))
    if wrong:
        raise MigrationError("; ".join(wrong))
    return layout


def require_same_tables(settings: Settings) -> None:
    """Refuse servers that lack tables when all migrations are applied: none is run there again.

    Raises:
        MigrationError: one does; what is asked of it, or inserted there, would be refused.
        StoreError: a server does not answer.
    """
    lacking = [_making(*one) for one in _lacking(found(settings))]
    if lacking:
        raise MigrationError("; ".join(lacking))


def require_same_shards(stores: Sequence[Store]) -> None:
    """Refuse shards in another order, or of another number, than the cluster was made with.

    Raises:
        MigrationError: they are; the rows and tokens of most partitions would be elsewhere.
    """
    for number, store in enumerate(stores, 1):
        known = _known(store)
        if known and known != [Which(number, len(stores))]:
            said = " and ".join(map(str, known))
            raise MigrationError(
                f"ClickHouse at {store.where} is {said}, but USAGE_CLICKHOUSE names it as "
                f"{Which(number, len(stores))}: the number and the order of shards stay what they "
                "were, for a partition's rows and tokens are at the shard that its number says"
            )


def write_down(stores: Sequence[Store], cluster: str) -> None:
    """Let each shard know which one it is, for good."""
    stores[0].command(files.fill_in(_SHARD, cluster))
    for number, store in enumerate(stores, 1):
        if not _known(store):
            columns = (("number", "UInt32"), ("shards", "UInt32"))
            store.insert(TABLE, columns, ([number], [len(stores)]))


def _known(store: Store) -> list[Which]:
    try:
        asked = f"SELECT DISTINCT number, shards FROM {TABLE}"  # noqa: S608 - a name of ours
        rows = store.query(asked, consistent=True)
    except StoreRefused as error:
        if error.code in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            return []
        raise
    return [Which(*row) for row in rows]
