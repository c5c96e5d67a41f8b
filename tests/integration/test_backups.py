"""Backups of a store that nobody writes to: what is restored, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, lock, quiet
from pipeline.clickhouse.schema.files import SLOTS
from pipeline.clickhouse.schema.migrate import check, migrate
from pipeline.errors import Halted, MigrationError, StoreUnavailable
from pipeline.operate.backups import restoring, seal
from pipeline.operate.backups.place import Place
from pipeline.operate.backups.seal import Seal
from pipeline.operate.backups.taking import back_up
from pipeline.operate.backups.whole import Whole
from pipeline.protocol.ledger import INTENTS
from pipeline.protocol.settled import Settled
from tests.support.harness.clickhouse_parts import migrated_database, settings_for
from tests.support.harness.store import EmbeddedStore


def nothing_is_gone(_: str) -> bool:
    return False


@pytest.fixture(scope="module")
def database(store: EmbeddedStore) -> Iterator[tuple[Store, Place]]:
    with migrated_database(store.port) as connected:
        place = Place(f"{connected.database}/first")
        back_up(Whole.of_one(connected), place, nothing_is_gone)
        yield connected, place


@pytest.fixture
def migrated(database: tuple[Store, Place]) -> Store:
    """The tables as they were made, whatever a test before has left of them."""
    store, place = database
    drop(store)
    restoring.make_room(Whole.of_one(store))
    restored(store, place)
    return store


def drop(store: Store) -> None:
    store.command(f"DROP DATABASE `{store.database}` SYNC", in_database=False)


def restored(store: Store, place: Place) -> Seal:
    port = int(store.where.rpartition(":")[2])
    return restoring.restore(settings_for(port, store.database), Whole.of_one(store), place)


def names(store: Store) -> list[str]:
    rows = store.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
    return sorted(name for (name,) in rows)


def test_everything_is_back_but_what_the_backup_needed_itself(
    store: EmbeddedStore, migrated: Store
) -> None:
    place, before = Place(f"{migrated.database}/all"), names(migrated)
    rows = ["t", 0, "i" * 22, 0, 0, "", "", ""]
    migrated.insert("intents", INTENTS, [[value] for value in rows])
    taken = back_up(Whole.of_one(migrated), place, lambda incarnation: incarnation == rows[2])
    assert names(migrated) == before
    drop(migrated)
    restoring.make_room(Whole.of_one(migrated))
    assert restored(migrated, place) == taken
    assert names(migrated) == before
    check(migrated)
    assert migrated.query("SELECT topic FROM intents") == [("t",)]
    settled = Settled(migrated).read().settled  # a backup has nothing of what views look up
    assert migrated.query("SELECT days FROM users_settled") == [([settled] * SLOTS,)]
    migrated.insert("intents", INTENTS, [[value] for value in rows])  # it is not held any more
    assert not any(migrate(migrated, settings_for(store.port, migrated.database)))


def test_what_was_killed_before_is_in_no_later_backup_s_way(
    migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that has run out, of a migrator or a backup; and a store that is away for a while."""
    ran_out = f"{'0' * 32} until 1000"
    for number in (1, 4):
        left = f"{lock.PREFIX}{number}"
        migrated.command(f"CREATE TABLE {left} (nothing UInt8) ENGINE = Null COMMENT '{ran_out}'")
    asked = []

    def away_at_first(store: Store, _: str) -> None:
        asked.append(store)
        if len(asked) < 3:
            raise StoreUnavailable("it starts again")
        let_go(store)

    let_go = quiet.let_go
    monkeypatch.setattr(quiet, "let_go", away_at_first)
    monkeypatch.setattr(quiet, "LET_GO_EVERY_SECONDS", 0)
    place = Place(f"{migrated.database}/later")
    taken = back_up(Whole.of_one(migrated), place, nothing_is_gone)
    assert quiet.let_go_statements([migrated]) == []
    drop(migrated)
    restoring.make_room(Whole.of_one(migrated))
    assert restored(migrated, place) == taken


def test_a_store_that_stays_away_is_said_to_hold_chunks_back(
    migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("it is away")

    with monkeypatch.context() as gone:
        gone.setattr(quiet, "let_go", away)
        gone.setattr(quiet, "LET_GO_SECONDS", 0)
        with pytest.raises(Halted, match=r"new chunks are held back, .* run `usage migrate`"):
            back_up(Whole.of_one(migrated), Place(f"{migrated.database}/held"), nothing_is_gone)
    assert quiet.let_go_statements([migrated])
    quiet.let_go(migrated)


def test_only_what_nobody_holds_any_more_is_let_go(migrated: Store) -> None:
    """Not while a lease runs, for another reason than that, or in a database that is not whole."""
    full, away = StoreUnavailable("too many parts", 252), StoreUnavailable("away", 210)

    def is_held_after(error: StoreUnavailable) -> bool:
        quiet.let_go_of_what_is_left(migrated, error)
        return bool(quiet.let_go_statements([migrated]))

    migrated.command("ALTER TABLE intents MODIFY SETTING parts_to_throw_insert = 1")
    with lock.exclusive(migrated, 60, 0):
        assert is_held_after(full)
    assert is_held_after(away)
    migrated.command(f"CREATE TABLE {quiet.RESTORING} (nothing UInt8) ENGINE = Null")
    assert is_held_after(full)
    migrated.command(f"DROP TABLE {quiet.RESTORING} SYNC")
    ran_out = f"COMMENT '{'0' * 32} until 1000'"
    migrated.command(f"CREATE TABLE {lock.PREFIX}1 (nothing UInt8) ENGINE = Null {ran_out}")
    assert not is_held_after(full)
    migrated.command(f"DROP TABLE {lock.PREFIX}1 SYNC")


def test_a_chunk_that_nobody_finishes_is_named(
    migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.operate.backups.taking.REST_SECONDS", 0)
    rows = ["t", 3, "i" * 22, 5, 9, "", "", ""]
    migrated.insert("intents", INTENTS, [[value] for value in rows])
    place = Place(f"{migrated.database}/open")
    with pytest.raises(Halted, match=r"the first: t\[3\], offsets 5 to 9"):
        back_up(Whole.of_one(migrated), place, nothing_is_gone, quiet_seconds=0)
    assert quiet.let_go_statements([migrated]) == []
    assert not [name for name in names(migrated) if name.startswith(lock.PREFIX)]
    assert seal.TABLE not in names(migrated)


def test_what_cannot_be_restored_is_refused_and_says_what_to_do(
    store: EmbeddedStore, migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(f"{migrated.database}/one")
    back_up(Whole.of_one(migrated), place, nothing_is_gone)
    with pytest.raises(Halted, match=r"there is something in .*/one already; choose another name"):
        back_up(Whole.of_one(migrated), place, nothing_is_gone)
    with pytest.raises(Halted, match="DROP DATABASE"):
        restoring.make_room(Whole.of_one(migrated))
    drop(migrated)
    restoring.make_room(Whole.of_one(migrated))
    with pytest.raises(Halted, match="there is no finished backup nowhere"):
        restored(migrated, Place("nowhere"))
    with monkeypatch.context() as older:
        older.setattr(files, "read", lambda _: [])
        with pytest.raises(Halted, match="this release knows 0: restore it with release"):
            restored(migrated, place)
    restoring.make_room(Whole.of_one(migrated))  # nothing was left of it
    with monkeypatch.context() as dying:
        dying.setattr(restoring, "_compare", _die)
        with pytest.raises(KeyboardInterrupt):
            restored(migrated, place)
    with pytest.raises(MigrationError, match=r"did not come to its end: then drop it"):
        migrate(migrated, settings_for(store.port, migrated.database))
    with pytest.raises(Halted, match="DROP DATABASE"):
        restoring.make_room(Whole.of_one(migrated))


def _die(*_: object) -> None:
    raise KeyboardInterrupt
