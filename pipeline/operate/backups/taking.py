"""``usage backup``: the store at a moment at which no chunk is under way.

A backup has the rows of chunks and not the tokens under which they came, so it must have each chunk
whole or not at all. Tables, and shards, are copied one after the other while workers go on; hence:

1. the migrator's lease, so that nobody changes tables;
2. new chunks are held back, and those under way waited for (`pipeline.clickhouse.schema.quiet`);
3. the newest intents are read; the tables are backed up; the intents are read again. If they are
   the same and none is open, no row of a chunk went anywhere meanwhile; else all again, in another
   part of the backup;
4. new chunks are let go on, and the backup is sealed: it says which part is the good one.

What holds is 3; 2 is so that it comes to it. Killed anywhere, there is no seal, hence no backup.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import identifier
from pipeline.clickhouse.schema import lock, quiet, users_days
from pipeline.clickhouse.schema.migrate import LEASE_SECONDS
from pipeline.errors import Halted, StoreRefused
from pipeline.operate.backups import seal, statement
from pipeline.operate.backups.seal import Seal
from pipeline.operate.backups.whole import EVERYWHERE_PART
from pipeline.process.version import program_version

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.schema.quiet import IsGone, OpenChunk
    from pipeline.operate.backups.place import Place
    from pipeline.operate.backups.whole import Whole

ATTEMPTS = 4
QUIET_SECONDS = 15.0
"""How long chunks under way are waited for, in each attempt."""
REST_SECONDS = 5.0
"""Between attempts, where they did not end: whoever takes over such a chunk announces it again."""
LEASE_WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05


def back_up(
    whole: Whole, place: Place, is_gone: IsGone, quiet_seconds: float = QUIET_SECONDS
) -> Seal:
    """Take a backup of the store's database.

    Args:
        whole: migrated to this release.
        place: where to; nothing may be there.
        is_gone: logs whose open chunks are in nobody's way.
        quiet_seconds: how long chunks under way are waited for.

    Raises:
        Halted: something is there, or chunks are open and nobody finishes them.
        StoreUnavailable, StoreRefused: the store's own reasons; there is no backup then.
    """
    waiting: list[OpenChunk] = []
    own = whole.own
    try:
        with lock.exclusive(own, LEASE_SECONDS, LEASE_WAIT_SECONDS) as lease:
            seal.drop(own)
            lease.clear_those_before()  # one in the backup would stand in a restore's way
            for part in range(1, ATTEMPTS + 1):
                if waiting:
                    time.sleep(REST_SECONDS)
                    lease.renew()
                with quiet.held(own, whole.cluster):
                    waiting = _await_quiet(whole, is_gone, quiet_seconds)
                    found = None if waiting else _copy(whole, place, str(part), lease, is_gone)
                if found is not None:
                    seal.write(own, place, found, lease.renew)
                    return found
    except lock.Lost as error:
        raise Halted("a migrator took over meanwhile; there is no backup") from error
    raise _never_quiet(waiting)


def _open(whole: Whole, is_gone: IsGone) -> list[OpenChunk]:
    return [one for shard in whole.shards for one in quiet.open_chunks(shard, is_gone)]


def _await_quiet(whole: Whole, is_gone: IsGone, seconds: float) -> list[OpenChunk]:
    """Wait until no chunk is under way; returns those that are for all that."""
    deadline = time.monotonic() + seconds
    while found := _open(whole, is_gone):
        if time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)
    return []


def _copy(
    whole: Whole, place: Place, part: str, lease: lock.MigratorLock, is_gone: IsGone
) -> Seal | None:
    """Back the tables up; None where a chunk was under way after all."""
    whole.synchronize(lease.renew)
    before, taken_at = _state(whole), datetime.now(UTC)
    for shard, name in whole.parts(part):
        _run(shard, f"DATABASE {_without(shard, whole.passed_over(shard))}", place, name, lease)
    if tables := whole.everywhere():
        front = identifier(whole.front.database)
        named = ", ".join(f"TABLE {front}.{identifier(table)}" for table in tables)
        _run(whole.front, named, place, f"{part}{EVERYWHERE_PART}", lease)
    if _open(whole, is_gone) or _state(whole) != before:
        return None
    announced, chunks, migrations, _ = before
    return Seal(
        release=program_version(),
        taken_at=taken_at.isoformat(timespec="milliseconds"),
        migrations=migrations,
        part=part,
        announced=announced,
        chunks=chunks,
        shards=len(whole.shards),
    )


def _state(whole: Whole) -> tuple[str, int, int, date]:
    """The newest intents, and how many chunks and migrations there are.

    And up to where users' days are settled: of a day that was settled meanwhile the copy could say
    so and lack its rows.
    """
    announced = whole.announced()
    [(migrations, settled)] = whole.front.query(
        f"SELECT (SELECT uniqExact(number) FROM migrations), {users_days.SETTLED}",  # noqa: S608
        consistent=True,
    )
    return announced, whole.chunks(), migrations, settled


def _without(store: Store, tables: Collection[str]) -> str:
    database = identifier(store.database)
    if not tables:
        return database
    return f"{database} EXCEPT TABLES {', '.join(f'{database}.{identifier(t)}' for t in tables)}"


def _run(store: Store, what: str, place: Place, part: str, lease: lock.MigratorLock) -> None:
    try:
        statement.run(store, f"BACKUP {what} TO {place.part(part)}", lease.renew)
    except StoreRefused as error:
        if error.code == statement.ALREADY_THERE:
            raise Halted(f"there is something in {place} already; choose another name") from error
        raise


def _never_quiet(waiting: list[OpenChunk]) -> Halted:
    if not waiting:
        return Halted(
            f"chunks were written during each of {ATTEMPTS} backups, though they were held back: "
            "does something else change the table `intents`? There is no backup"
        )
    return Halted(
        f"{len(waiting)} chunks are open, and nobody finishes them (the first: {waiting[0]}); "
        "start the workers that have them, or wait until another takes them over, and back up again"
    )
