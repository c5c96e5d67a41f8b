"""``usage restore``: a backup in a database that has nothing.

The seal comes first and stands in the database until all is over (`RESTORING`), the table of
migrations last. Killed in between, ``usage migrate`` refuses the database, and workers find no
migrations in it; `intents` is held, as it was when it was backed up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import identifier
from pipeline.clickhouse.schema import files, lock, quiet, resources
from pipeline.clickhouse.schema.migrate import LEASE_SECONDS
from pipeline.clickhouse.schema.server import check_server
from pipeline.errors import Halted, StoreRefused
from pipeline.operate.backups import seal, statement

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.operate.backups.place import Place
    from pipeline.operate.backups.seal import Seal

LEASE_WAIT_SECONDS = 60.0


def make_room(store: Store) -> None:
    """Make the database if it is not there; nothing else can be asked for before.

    Raises:
        Halted: it has tables, or another restore goes on in the store.
        MigrationError, StoreError: the server is too old, or has reasons of its own.
    """
    check_server(store)
    store.command(f"CREATE DATABASE IF NOT EXISTS {_database(store)}", in_database=False)
    if statement.restores(store):
        raise Halted(
            f"a restore is under way at {store.where}, also if whoever began it was stopped; wait "
            "for its end (`system.backups`), drop the database if it is this one, and begin again"
        )
    _refuse_tables(store)


def restore(store: Store, place: Place) -> Seal:
    """Put a backup back; no worker of the group may run.

    Args:
        store: for whose database there is room (`make_room`).
        place: where the backup is.

    Raises:
        Halted: the database has tables; there is no sealed backup of it in this place; it is of a
            newer release.
        StoreUnavailable, StoreRefused: the store's own reasons: drop the database and start again.
    """
    try:
        with lock.exclusive(store, LEASE_SECONDS, LEASE_WAIT_SECONDS) as lease:
            _refuse_tables(store)
            found = seal.restore(store, place, lease.renew)
            _refuse_newer(store, place, found)
            _put_back(store, place, found, lease)
    except lock.Lost as error:
        raise Halted(f"a migrator took over meanwhile; {_not_whole(store)}") from error
    return found


def _put_back(store: Store, place: Place, found: Seal, lease: lock.MigratorLock) -> None:
    source, migrations = place.part(found.part), f"{_database(store)}.migrations"
    _run(
        store,
        place,
        f"RESTORE DATABASE {_database(store)} EXCEPT TABLES {migrations} FROM {source}",
        lease,
    )
    _run(store, place, f"RESTORE TABLE {migrations} FROM {source}", lease)
    _compare(store, place, found)
    quiet.let_go(store)
    _drop_seal(store)


def _refuse_tables(store: Store) -> None:
    [(tables,)] = store.query(
        "SELECT count() FROM system.tables WHERE database = {database:String} "
        "AND NOT match(name, {lease:String})",
        {"database": store.database, "lease": f"^{lock.PREFIX}[0-9]+$"},
    )
    if tables:
        raise Halted(
            f"the database `{store.database}` at {store.where} has {tables} tables and views; a "
            "backup is restored where there is nothing: stop what uses it and drop it (DROP "
            f"DATABASE `{store.database}` SYNC), or name another store"
        )


def _refuse_newer(store: Store, place: Place, found: Seal) -> None:
    known = len(files.read(resources.migrations()))
    if found.migrations > known:
        _drop_seal(store)
        raise Halted(
            f"the backup {place} is at migration {found.migrations}, this release knows {known}: "
            f"restore it with release {found.release}, which took it, or a later one"
        )


def _run(store: Store, place: Place, sql: str, lease: lock.MigratorLock) -> None:
    try:
        statement.run(store, sql, lease.renew)
    except StoreRefused as error:
        raise StoreRefused(
            f"the backup {place} could not be restored, and {_not_whole(store)}; {error.message}",
            error.code,
            error.reason,
        ) from error


def _compare(store: Store, place: Place, found: Seal) -> None:
    """Hold what was restored against what was backed up."""
    [(chunks,)] = store.query(
        "SELECT uniqExact(topic, partition, incarnation, from_offset) FROM chunks"
    )
    if (quiet.announced(store), chunks) != (found.announced, found.chunks):
        raise Halted(
            f"the backup {place} is damaged: its seal says {found.chunks} chunks, and other "
            f"intents, {chunks} chunks are in it; {_not_whole(store)}"
        )


def _not_whole(store: Store) -> str:
    return (
        f"what is in the database is not whole: drop it (DROP DATABASE {_database(store)} SYNC) "
        "before anything else"
    )


def _drop_seal(store: Store) -> None:
    store.command(f"DROP TABLE {identifier(quiet.RESTORING)} SYNC")


def _database(store: Store) -> str:
    return identifier(store.database)
