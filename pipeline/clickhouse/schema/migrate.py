"""`usage migrate`: makes the database and its tables what this release needs.

1. the server is new enough; the database exists;
2. the lease is ours (:mod:`.lease`): one migrator at a time;
3. what was applied is what this release knows: unchanged, and nothing newer;
4. each missing migration, statement by statement; none that touches views while a chunk is open;
5. the TTLs are those of the settings, and so are the views that end where they do;
6. the zones are those of the installed tzdata.

Killed anywhere and run again it ends the same: every statement may run twice (``IF NOT EXISTS``),
and a migration is written down after its last one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, lock, resources, retention, zones
from pipeline.clickhouse.schema.files import Migration
from pipeline.errors import MigrationError, StoreRefused

if TYPE_CHECKING:
    from pipeline.settings import Settings

LEASE_SECONDS = 90.0
"""Longer than the read timeout: a statement that is still running still holds the lease."""

WAIT_SECONDS = 300.0

OLDEST_SERVER = (26, 2)
"""The first with `deduplicate_insert`, which decides whether a token in an insert is heeded."""

_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81

_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations{cluster}
(
    number UInt32,
    name String,
    checksum String COMMENT 'SHA-256 of the file',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(applied_at)}
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""

_OPEN = """
SELECT topic, partition, opened, upto
FROM
(
    SELECT topic, partition, incarnation,
           max(from_offset) AS opened, argMax(to_offset, from_offset) AS upto
    FROM intents GROUP BY topic, partition, incarnation
) AS intended
LEFT JOIN
(
    SELECT topic, partition, incarnation, max(from_offset) AS closed, count() AS closings
    FROM chunks GROUP BY topic, partition, incarnation
) AS ledger USING (topic, partition, incarnation)
WHERE closings = 0 OR opened > closed
ORDER BY topic, partition
"""


def migrate(
    store: Store,
    settings: Settings,
    *,
    migrations: list[Migration] | None = None,
    cluster: str = "",
    lease_seconds: float = LEASE_SECONDS,
) -> list[Migration]:
    """Bring the database to what this release needs; returns what was applied, if anything.

    Raises:
        MigrationError: it cannot be brought there; nothing was changed.
        StoreUnavailable, StoreRefused: the store's own reasons; run it again.
    """
    known = files.read(resources.migrations()) if migrations is None else migrations
    check_server(store)
    store.command(f"CREATE DATABASE IF NOT EXISTS `{store.database}`", in_database=False)
    while True:
        try:
            with lock.exclusive(store, lease_seconds, WAIT_SECONDS) as held:
                return _apply(store, settings, known, cluster, held)
        except lock.Lost:
            continue  # another one took over: wait for it, and see what is left to do


def check(store: Store, *, migrations: list[Migration] | None = None) -> None:
    """Refuse a store that is not migrated to exactly what this release needs.

    Raises:
        MigrationError: it is not; the sentence says what to do.
    """
    known = files.read(resources.migrations()) if migrations is None else migrations
    check_server(store)
    missing = known[len(_compare(store, known)) :]
    if missing:
        raise MigrationError(
            f"the database `{store.database}` lacks {len(missing)} of {len(known)} migrations "
            "(run: usage migrate)"
        )


def check_server(store: Store) -> None:
    """Refuse a server that does not know the settings on which exactness rests."""
    numbers = re.findall(r"\d+", store.version)[:2]
    if tuple(int(number) for number in numbers) >= OLDEST_SERVER:
        return
    oldest = ".".join(str(number) for number in OLDEST_SERVER)
    raise MigrationError(
        f"ClickHouse at {store.where} is version {store.version}; version {oldest} or newer is "
        "needed, for the insert setting deduplicate_insert"
    )


def _apply(
    store: Store, settings: Settings, known: list[Migration], cluster: str, held: lock.Lease
) -> list[Migration]:
    held.renew()
    store.command(files.fill_in(_MIGRATIONS, cluster))
    done = _compare(store, known)
    missing = known[len(done) :]
    for migration in missing:
        if done and migration.touches_views:
            _refuse_while_open(store, migration)
        for statement in migration.statements(cluster, settings.keep_minute_rows):
            held.renew()
            store.command(statement)
        held.renew()
        _record(store, migration)
    for statement in (
        *retention.statements(store, settings, cluster),
        *retention.views(store, settings, known, cluster),
    ):
        held.renew()
        store.command(statement)
    if any(migration.name == "zones" for migration in known):
        zones.load(store, held.renew)
    return missing


def _compare(store: Store, known: list[Migration]) -> list[Migration]:
    """The migrations that are applied, after making sure that this release knows them all."""
    applied = _applied(store)
    newer = [number for number in applied if number > len(known)]
    if newer:
        raise MigrationError(
            f"the database `{store.database}` is at migration {max(newer)}, this release knows "
            f"{len(known)}: it belongs to a newer release; run that one"
        )
    done = known[: len(applied)]
    for migration in done:
        there = applied.get(migration.number)
        if there is None:
            raise MigrationError(
                f"the database `{store.database}` lacks migration {migration.number} "
                f"({migration.name}) but has later ones; restore it from a backup"
            )
        if there != migration.checksum:
            raise MigrationError(
                f"migration {migration.number} ({migration.name}) was changed after it was applied "
                f"to `{store.database}`: put the file back as it was, and add a new one instead"
            )
    return done


def _applied(store: Store) -> dict[int, str]:
    """Number and checksum of what is applied; nothing where there is no table or database yet."""
    try:
        rows = store.query(
            "SELECT number, argMax(checksum, applied_at) FROM migrations GROUP BY number",
            consistent=True,
        )
    except StoreRefused as error:
        if error.code in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            return {}
        raise
    return dict(rows)


def _record(store: Store, migration: Migration) -> None:
    store.insert(
        "migrations",
        (("number", "UInt32"), ("name", "String"), ("checksum", "String")),
        ([migration.number], [migration.name], [migration.checksum]),
    )


def _refuse_while_open(store: Store, migration: Migration) -> None:
    """A chunk that is inserted again after its views changed is another block, and counts twice."""
    rows = store.query(_OPEN, consistent=True, settings={"join_use_nulls": 0})
    if rows:
        topic, partition, from_offset, to_offset = rows[0]
        raise MigrationError(
            f"migration {migration.number} ({migration.name}) changes views, and "
            f"{len(rows)} chunks are open (the first: {topic}[{partition}], "
            f"offsets {from_offset} to {to_offset}): "
            "start the workers of the old release until they have finished them, stop them, and "
            "run this again"
        )
