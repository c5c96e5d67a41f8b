"""`usage migrate`: makes the database and its tables what this release needs.

1. the server is new enough; the database exists; a cluster is as the settings say (:mod:`.layout`);
2. the lease is ours (:mod:`.lock`): one migrator at a time;
3. what was applied is what this release knows: unchanged, and nothing newer;
4. each missing migration, statement by statement; none at all while a chunk is open, if one of
   them touches materialized views;
5. the TTLs are those of the settings; how parts lie on the disk is as in :mod:`.table_settings`;
   new chunks are not held back any more by a backup that was killed (:mod:`.quiet`).
   On a cluster, the tables that stand for those of all shards follow (:mod:`.distributed`);
6. the zones are those of the installed tzdata;
7. the views are those of this release, for the zones that the server has: what differs is made anew
   (:mod:`.views`, :mod:`.engine_zones`);
8. what is made from the views follows them; on a cluster, every server has every table;
9. users' days may be made later from now on, for the views heed it (:mod:`.users_days`).

Killed anywhere and run again it ends the same: every statement may run twice (``IF NOT EXISTS``),
and a migration is written down after its last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import (
    distributed,
    engine_zones,
    files,
    layout,
    lock,
    old_latency,
    quiet,
    resources,
    retention,
    table_settings,
    users_days,
    views,
    zones,
)
from pipeline.clickhouse.schema.files import Migration
from pipeline.clickhouse.schema.quiet import IsGone
from pipeline.clickhouse.schema.server import check_server
from pipeline.clickhouse.schema.views import View
from pipeline.errors import MigrationError, StoreRefused

if TYPE_CHECKING:
    from pipeline.settings import Settings

LEASE_SECONDS = 90.0
"""Longer than the read timeout: a statement that is still running still holds the lease."""

WAIT_SECONDS = 300.0

Made = Callable[[Store, str], Iterable[str]]
"""The statements that make something from the views of a store, on a cluster or not."""

_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
_COPIED = re.compile(r"^FROM (\w+)$", re.MULTILINE)

_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations{cluster}
(
    number UInt32 COMMENT 'of the migration''s file',
    name String COMMENT 'of the migration''s file',
    checksum String COMMENT 'SHA-256 of the file',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was applied'
)
ENGINE = {engine:ReplacingMergeTree(applied_at)}
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Migrations that were applied, with the checksum of each file'
"""


class Migrated(NamedTuple):
    """What a migrator did."""

    applied: tuple[Migration, ...]
    remade: tuple[str, ...]
    """Views by name, made anew or for the first time."""
    dropped: tuple[str, ...]
    """Views that this release has no more."""


class Release(NamedTuple):
    """What a release brings along."""

    migrations: Sequence[Migration]
    views: Sequence[View] | None
    """None: those of this release, as the server's zones want them."""


def migrate(
    store: Store,
    settings: Settings,
    *,
    migrations: Sequence[Migration] | None = None,
    views: Sequence[View] | None = None,
    lease_seconds: float = LEASE_SECONDS,
    then: Made | None = None,
    is_gone: IsGone = lambda _: False,
    restoring: lock.MigratorLock | None = None,
) -> Migrated:
    """Bring the database to what this release needs; returns what was done, if anything.

    ``migrations`` and ``views`` are those of this release where they are not given; ``then``: what
    is made from the views, after them; ``is_gone``: logs whose open chunks are in nobody's way;
    ``restoring``: the lease of a restore, which fills the tables then, and has their migrations
    with them: none is written down.

    Raises:
        MigrationError: it cannot be brought there, and nothing was changed; or it was, and a server
            of a cluster lacks tables that the others have.
        StoreUnavailable, StoreRefused: the store's own reasons; run it again.
    """
    release = _release(migrations, views)
    check_server(store)
    with _whole(store, settings) as whole:
        whole.make_databases()
        if restoring is not None:
            return _apply(whole, settings, release, restoring, then, is_gone, lambda *_: None)
        while True:
            try:
                with lock.exclusive(whole.shards[0], lease_seconds, WAIT_SECONDS) as held:
                    quiet.refuse_half_restored(whole.shards[0], whole.front, whole.cluster)
                    done = _apply(whole, settings, release, held, then, is_gone, _record)
                    if whole.cluster:
                        layout.require_same_tables(settings)
                        whole.clear(held)
                    return done
            except lock.Lost:
                continue  # another one took over: wait for it, and see what is left to do


def check(store: Store, *, migrations: Sequence[Migration] | None = None) -> None:
    """Refuse a store whose tables are not exactly what this release needs.

    Raises:
        MigrationError: it is not; the sentence says what to do.
    """
    known = _release(migrations, ()).migrations
    check_server(store)
    missing = known[len(_compare(store, known)) :]
    if missing:
        raise MigrationError(
            f"the database `{store.database}` lacks {len(missing)} of {len(known)} migrations "
            "(run: usage migrate)"
        )


def _release(migrations: Sequence[Migration] | None, shown: Sequence[View] | None) -> Release:
    return Release(
        files.read(resources.migrations()) if migrations is None else migrations,
        shown,
    )


class _Whole(NamedTuple):
    """All that is migrated together: one server, or a cluster."""

    front: Store
    """The database of the views, and of what they read."""
    shards: Sequence[Store]
    """The first server of each shard, in the database of its own tables; of one server, front."""
    cluster: str

    def make_databases(self) -> None:
        for name in dict.fromkeys((self.front.database, self.shards[0].database)):
            everywhere = files.fill_in("{cluster}", self.cluster)
            statement = f"CREATE DATABASE IF NOT EXISTS `{name}`{everywhere}"
            self.shards[0].command(statement, in_database=False)

    def run_migration(self, migration: Migration, held: lock.MigratorLock) -> None:
        """Each statement where its table is; rows are inserted at each shard."""
        for statement in migration.statements(self.cluster):
            held.renew()
            if files.table_of(statement) in files.EVERYWHERE:
                self.front.command(statement)
            elif statement.startswith("INSERT"):
                for shard in self.shards:
                    self._sync(shard, statement)
                    shard.command(statement)
            else:
                self.shards[0].command(statement)

    def _sync(self, shard: Store, statement: str) -> None:
        """Have a server first get what it lacks of the tables that a statement copies from."""
        for table in _COPIED.findall(statement) if self.cluster else ():
            shard.command(f"SYSTEM SYNC REPLICA `{table}`")

    def spread(self, held: lock.MigratorLock) -> None:
        """Let the tables of a cluster's front be those of its shards."""
        if self.cluster:
            made = distributed.statements(self.front, self.shards[0], self.cluster)
            _run(self.front, made, held)

    def clear(self, held: lock.MigratorLock) -> None:
        """Drop those whose table is gone; only when all servers are known to have the same."""
        _run(self.front, distributed.left(self.front, self.shards[0], self.cluster), held)


@contextmanager
def _whole(store: Store, settings: Settings) -> Iterator[_Whole]:
    """What is migrated, for the block; of a cluster, if the settings fit it."""
    cluster = settings.clickhouse_cluster
    if not cluster:
        yield _Whole(store, [store], "")
        return
    layout.require(settings)
    with layout.opened(settings) as shards:
        layout.require_same_shards(shards)
        yield _Whole(store, shards, cluster)


def _apply(
    whole: _Whole,
    settings: Settings,
    release: Release,
    held: lock.MigratorLock,
    then: Made | None,
    is_gone: IsGone,
    record: Callable[[Store, Migration], None],
) -> Migrated:
    store, own, cluster = whole.front, whole.shards[0], whole.cluster
    held.renew()
    store.command(files.fill_in(_MIGRATIONS, cluster))
    done = _compare(store, release.migrations)
    missing = release.migrations[len(done) :]
    if done:
        _require_kind(store, cluster)
    changing = [migration for migration in missing if migration.touches_views]
    if done and changing:  # before anything: the old release must still know the store
        whole.spread(held)
        _refuse_while_open(store, changing[0], is_gone)
    for migration in missing:
        if done and migration.touches_views:
            _refuse_while_open(store, migration, is_gone)
        whole.run_migration(migration, held)
        held.renew()
        record(store, migration)
    _run(own, old_latency.statements(own, missing, cluster), held)
    if cluster:
        layout.write_down(whole.shards, cluster)
    kept = retention.lifetimes(store, own, settings)
    for one in dict.fromkeys((own, store)):
        _run(one, table_settings.statements(one, cluster), held)
        _run(one, retention.statements(one, settings, cluster), held)
    _run(own, quiet.let_go_statements(whole.shards, cluster), held)
    whole.spread(held)
    if any(migration.name == "zones" for migration in release.migrations):
        zones.load(store, held.renew)
    shown = release.views
    if shown is None:
        shifts = engine_zones.compare(store).shifts
        shown = views.shipped(shifts, old_latency=old_latency.may_be_there(store))
    changes = views.changes(store, shown, kept)
    _run(store, changes.statements(cluster, kept, store.database), held)
    if then is not None:
        _run(store, then(store, cluster), held)
    _begin_users_days(whole, release, held)
    return Migrated(tuple(missing), tuple(view.name for view in changes.remade), changes.dropped)


def _require_kind(store: Store, cluster: str) -> None:
    """Refuse to make a cluster of one server's store, or the other way round."""
    if ("chunks" in retention.tables(store)) == (not cluster):
        return
    found, wanted = ("one server", "a cluster") if cluster else ("a cluster", "one server")
    raise MigrationError(
        f"the database `{store.database}` is that of {found}, but USAGE_CLICKHOUSE_CLUSTER says "
        f"{wanted}: put the setting back, or name another database, which Kafka is read into again"
    )


def _begin_users_days(whole: _Whole, release: Release, held: lock.MigratorLock) -> None:
    if whole.cluster or all(one.name != "users_days" for one in release.migrations):
        return
    held.renew()
    users_days.begin(whole.front)


def _run(store: Store, statements: Iterable[str], held: lock.MigratorLock) -> None:
    for statement in statements:
        held.renew()
        store.command(statement)


def _compare(store: Store, known: Sequence[Migration]) -> Sequence[Migration]:
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
        if not migration.is_what_was_applied(there):
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


def _refuse_while_open(store: Store, migration: Migration, is_gone: IsGone) -> None:
    """A chunk that is inserted again after its views changed is another block, and counts twice."""
    found = quiet.open_chunks(store, is_gone)
    if found:
        raise MigrationError(
            f"migration {migration.number} ({migration.name}) changes views, and "
            f"{len(found)} chunks are open (the first: {found[0]}): "
            "start the workers of the old release until they have finished them, stop them, and "
            "run this again"
        )
