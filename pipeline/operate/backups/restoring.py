"""``usage restore``: a backup in a database that has nothing.

The seal comes first and stands in the database until all is over (`RESTORING`), the rows of the
table of migrations last. Killed in between, ``usage migrate`` refuses the database, and workers
find no migrations in it.

Of a cluster the migrator's statements make the tables first, as the backup has them, at every
server: what a backup would make of them, it makes at one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import identifier
from pipeline.clickhouse.schema import files, lock, quiet, resources, users_days
from pipeline.clickhouse.schema.migrate import LEASE_SECONDS, migrate
from pipeline.clickhouse.schema.server import check_server
from pipeline.errors import Halted, StoreRefused
from pipeline.operate.backups import seal, statement
from pipeline.operate.backups.whole import EVERYWHERE_PART

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.operate.backups.place import Place
    from pipeline.operate.backups.seal import Seal
    from pipeline.operate.backups.whole import Whole
    from pipeline.settings import Settings

LEASE_WAIT_SECONDS = 60.0
_INTO_TABLES = "allow_different_table_def = 1, "
"""They are there, and may be kept for other times, or otherwise on disks, than at the backup."""


def make_room(whole: Whole) -> None:
    """Make the database if it is not there; nothing else can be asked for before.

    Raises:
        Halted: it has tables, or another restore goes on in the store.
        MigrationError, StoreError: the server is too old, or has reasons of its own.
    """
    for store in whole.databases:
        check_server(store)
        everywhere = files.fill_in("{cluster}", whole.cluster)
        made = f"CREATE DATABASE IF NOT EXISTS {_database(store)}{everywhere}"
        whole.own.command(made, in_database=False)
    for store in whole.databases:
        if statement.restores(store):
            raise Halted(
                f"a restore is under way at {store.where}, also if whoever began it was stopped; "
                "wait for its end (`system.backups`), drop the database if it is this one, and "
                "begin again"
            )
        _refuse_tables(whole, store)


def restore(settings: Settings, whole: Whole, place: Place) -> Seal:
    """Put a backup back; no worker of the group may run.

    Args:
        settings: of the store.
        whole: for whose database there is room (`make_room`).
        place: where the backup is.

    Raises:
        Halted: the database has tables; there is no sealed backup of it in this place; it is of a
            newer release, or of other shards.
        StoreUnavailable, StoreRefused: the store's own reasons: drop the database and start again.
    """
    try:
        with lock.exclusive(whole.own, LEASE_SECONDS, LEASE_WAIT_SECONDS) as lease:
            for store in whole.databases:
                _refuse_tables(whole, store)
            found = seal.restore(whole.own, place, lease.renew)
            _refuse_others(whole, place, found)
            if whole.cluster:
                _make_tables(settings, whole, found, lease)
                _put_back_in_shards(whole, place, found, lease)
            else:
                _put_back(whole, place, found, lease)
            _compare(whole, place, found)
            if not whole.cluster and _has_settled_days(whole.own):
                users_days.publish(whole.own, nobody_asks=True)
            quiet.let_go(whole.own, whole.cluster)
            _drop_seal(whole.own)
    except lock.Lost as error:
        raise Halted(f"a migrator took over meanwhile; {_not_whole(whole)}") from error
    return found


def _make_tables(settings: Settings, whole: Whole, found: Seal, lease: lock.MigratorLock) -> None:
    """Make the tables of a cluster as they were when the backup was taken."""
    known = files.read(resources.migrations())[: found.migrations]
    migrate(whole.front, settings, migrations=known, views=(), restoring=lease)


def _put_back(whole: Whole, place: Place, found: Seal, lease: lock.MigratorLock) -> None:
    database = _database(whole.own)
    migrations = f"{database}.migrations"
    for what in (f"DATABASE {database} EXCEPT TABLES {migrations}", f"TABLE {migrations}"):
        _run(whole, whole.own, what, place, found.part, lease)


def _put_back_in_shards(whole: Whole, place: Place, found: Seal, lease: lock.MigratorLock) -> None:
    for shard, part in whole.parts(found.part):
        _run(whole, shard, f"DATABASE {_database(shard)}", place, part, lease)
    for table in whole.everywhere():
        what = f"TABLE {_database(whole.front)}.{identifier(table)}"
        _run(whole, whole.front, what, place, f"{found.part}{EVERYWHERE_PART}", lease)


def _has_settled_days(store: Store) -> bool:
    """Whether views look up which days are settled: a backup has only the record of it."""
    tables = (
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String}"
    )
    return bool(store.query(tables, {"database": store.database, "name": files.SETTLED_TABLE}))


def _refuse_tables(whole: Whole, store: Store) -> None:
    [(tables,)] = store.query(
        "SELECT count() FROM system.tables WHERE database = {database:String} "
        "AND NOT match(name, {lease:String})",
        {"database": store.database, "lease": f"^{lock.PREFIX}[0-9]+$"},
    )
    if tables:
        raise Halted(
            f"the database `{store.database}` at {store.where} has {tables} tables and views; a "
            "backup is restored where there is nothing: stop what uses it and drop it "
            f"({whole.dropping()}), or name another store"
        )


def _refuse_others(whole: Whole, place: Place, found: Seal) -> None:
    known = len(files.read(resources.migrations()))
    if found.migrations > known:
        _drop_seal(whole.own)
        raise Halted(
            f"the backup {place} is at migration {found.migrations}, this release knows {known}: "
            f"restore it with release {found.release}, which took it, or a later one"
        )
    if found.shards != len(whole.shards):
        _drop_seal(whole.own)
        raise Halted(
            f"the backup {place} is of {found.shards} shards, USAGE_CLICKHOUSE names "
            f"{len(whole.shards)}: a partition's rows are at the shard that its number says"
        )


def _run(
    whole: Whole, store: Store, what: str, place: Place, part: str, lease: lock.MigratorLock
) -> None:
    sql = f"RESTORE {what} FROM {place.part(part)}"
    try:
        statement.run(store, sql, lease.renew, _INTO_TABLES if whole.cluster else "")
    except StoreRefused as error:
        raise StoreRefused(
            f"the backup {place} could not be restored, and {_not_whole(whole)}; {error.message}",
            error.code,
            error.reason,
        ) from error


def _compare(whole: Whole, place: Place, found: Seal) -> None:
    """Hold what was restored against what was backed up."""
    chunks = whole.chunks()
    if (whole.announced(), chunks) != (found.announced, found.chunks):
        raise Halted(
            f"the backup {place} is damaged: its seal says {found.chunks} chunks, and other "
            f"intents, {chunks} chunks are in it; {_not_whole(whole)}"
        )


def _not_whole(whole: Whole) -> str:
    return (
        f"what is in the database is not whole: drop it ({whole.dropping()}) before anything else"
    )


def _drop_seal(store: Store) -> None:
    store.command(f"DROP TABLE {identifier(quiet.RESTORING)} SYNC")


def _database(store: Store) -> str:
    return identifier(store.database)
