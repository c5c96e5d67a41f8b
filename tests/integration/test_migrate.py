"""`usage migrate` against the embedded store: once, twice, at once, killed, refused."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import (
    files,
    lock,
    migrate,
    resources,
    retention,
    table_settings,
    views,
)
from pipeline.clickhouse.schema.files import Migration
from pipeline.clickhouse.schema.views import View
from pipeline.errors import MigrationError, StoreRefused
from pipeline.operate.audit import sums
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.process import clean_environment
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

KNOWN = files.read(resources.migrations())
ROLLUPS = ("_1m", "_15m", "_1d", "_1mo")
NEXT = Migration(
    len(KNOWN) + 1, "add_a_table", "CREATE TABLE IF NOT EXISTS more (x UInt8) ENGINE = {engine:Log}"
)
NEXT_VIEW = Migration(
    len(KNOWN) + 1,
    "change_a_view",
    "ALTER TABLE tasks_1m_mv MODIFY QUERY SELECT tenant, minute, recipe_id, app, rule_set, "
    "1 AS actions, task AS tasks, failed FROM actions_in",
)


class Place:
    """A database's name on a store, not created yet."""

    def __init__(self, port: int, database: str) -> None:
        self.port = port
        self.database = database
        self.settings = settings_for(port, database)
        self.store = Store.connect(self.settings)

    def migrate(self, migrations: list[Migration] | None = None, **variables: str) -> int:
        """Migrate, and return how many migrations were applied."""
        settings = settings_for(self.port, self.database, **variables)
        done = migrate.migrate(self.store, settings, migrations=migrations, lease_seconds=2)
        return len(done.applied)

    def remake(self, *shown: View, **variables: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Migrate to a release with these views; return those made anew and those dropped."""
        settings = settings_for(self.port, self.database, **variables)
        done = migrate.migrate(self.store, settings, views=shown)
        return done.remade, done.dropped

    def comment(self, view: str) -> str:
        """Return what a view says of itself."""
        [(comment,)] = self.store.query(
            "SELECT comment FROM system.tables WHERE database = currentDatabase() "
            "AND name = {view:String}",
            {"view": view},
        )
        return str(comment)

    def tables(self) -> set[str]:
        """Return the names of all tables and views."""
        return {name for (name,) in self.store.query("SHOW TABLES")}

    def run(self, code: str) -> subprocess.Popen[bytes]:
        """Start Python on ``code`` with the settings of this place."""
        environment = clean_environment() | {
            "USAGE_CLICKHOUSE": url_at(self.port, self.database),
        }
        return subprocess.Popen([sys.executable, "-c", code], env=environment)


@pytest.fixture
def place(store: EmbeddedStore, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Provide a place of the test's own."""
    name = f"m{os.getpid()}_{abs(hash(request.node.name))}"
    place = Place(store.port, name)
    yield place
    place.store.command(f"DROP DATABASE IF EXISTS {name}", in_database=False)
    place.store.close()


class TestMigrate:
    def test_it_makes_database_and_tables_once(self, place: Place) -> None:
        assert place.migrate() == len(KNOWN)
        tables = place.tables()
        assert {"chunks", "intents", "requests_1m", "requests_15m", "tasks_15m"} <= tables
        assert not [name for name in tables if name.startswith(lock.PREFIX)]
        assert place.migrate() == 0
        assert place.tables() == tables
        migrate.check(place.store)

    def test_check_refuses_a_store_that_is_not_migrated(self, place: Place) -> None:
        with pytest.raises(MigrationError, match="run: usage migrate"):
            migrate.check(place.store)
        place.migrate()
        with pytest.raises(MigrationError, match=f"lacks 1 of {len(KNOWN) + 1} "):
            migrate.check(place.store, migrations=[*KNOWN, NEXT])

    def test_every_statement_may_run_twice(self, place: Place) -> None:
        place.store.command(f"CREATE DATABASE {place.database}", in_database=False)
        for migration in KNOWN:
            for statement in migration.statements() * 2:
                place.store.command(statement)
        for view in views.shipped():
            place.store.command(view.statement("", files.Lifetimes(35)))

    def test_a_changed_migration_is_refused(self, place: Place) -> None:
        place.migrate()
        changed = Migration(1, KNOWN[0].name, KNOWN[0].text + " ")
        for refusing in (
            lambda: place.migrate([changed, *KNOWN[1:]]),
            lambda: migrate.check(place.store, migrations=[changed, *KNOWN[1:]]),
        ):
            with pytest.raises(MigrationError, match=r"migration 1 .* was changed"):
                refusing()

    def test_a_newer_database_is_refused(self, place: Place) -> None:
        place.migrate([*KNOWN, NEXT])
        with pytest.raises(MigrationError, match="belongs to a newer release"):
            place.migrate()
        with pytest.raises(MigrationError, match="belongs to a newer release"):
            migrate.check(place.store)

    def test_an_older_server_is_refused(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Store, "version", "26.1.9.1")
        with pytest.raises(MigrationError, match=r"version 26\.2 or newer"):
            place.migrate()
        monkeypatch.setattr(Store, "version", "26.2.1.1139 (official build)")
        assert place.migrate() == len(KNOWN)

    def test_the_servers_settings_are_those_that_are_needed(self, place: Place) -> None:
        place.migrate()
        names = ["deduplicate_insert", "insert_deduplication_token", "async_insert"]
        found = place.store.query(
            "SELECT count() FROM system.settings WHERE name IN {names:Array(String)}",
            {"names": names},
        )
        assert found == [(len(names),)]


class TestAtOnce:
    def test_four_processes_make_one_schema(self, place: Place) -> None:
        code = (
            "from pipeline.settings import load; from pipeline.clickhouse.client import Store\n"
            "from pipeline.clickhouse.schema import migrate\n"
            "settings = load()\n"
            "migrate.migrate(Store.connect(settings), settings)\n"
        )
        running = [place.run(code) for _ in range(4)]
        assert [process.wait(240) for process in running] == [0] * 4
        migrate.check(place.store)
        recorded = place.store.query("SELECT count() FROM migrations")
        assert recorded == [(len(KNOWN),)]  # nobody applied anything a second time
        assert not [name for name in place.tables() if name.startswith(lock.PREFIX)]

    @pytest.mark.parametrize("statement", [3, 9, 20])
    def test_killed_in_the_middle_and_run_again(self, place: Place, statement: int) -> None:
        code = (
            "import os, signal\n"
            "from pipeline.settings import load; from pipeline.clickhouse.client import Store\n"
            "from pipeline.clickhouse.schema import migrate\n"
            "class Mortal(Store):\n"
            f"    left = {statement}\n"
            "    def command(self, *arguments, **options):\n"
            "        self.left -= 1\n"
            "        if not self.left: os.kill(os.getpid(), signal.SIGKILL)\n"
            "        super().command(*arguments, **options)\n"
            "settings = load()\n"
            "migrate.migrate(Mortal.connect(settings), settings, lease_seconds=0.5)\n"
        )
        assert place.run(code).wait(240) == -9
        assert [name for name in place.tables() if name.startswith(lock.PREFIX)]
        assert place.migrate() == len(KNOWN)
        migrate.check(place.store)
        assert not [name for name in place.tables() if name.startswith(lock.PREFIX)]


def _one_quarter(store: Store) -> None:
    """Let a quarter of a second pass by the store's clock."""
    store.query("SELECT sleep(0.25)")


class TestLease:
    @pytest.fixture
    def made(self, place: Place) -> Store:
        place.store.command(f"CREATE DATABASE {place.database}", in_database=False)
        return place.store

    def test_one_of_many_gets_it(self, made: Store) -> None:
        leases = [lock.MigratorLock(made, 60) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda one: one.try_acquire(), leases))
        assert got.count(True) == 1
        leases[got.index(True)].release()
        assert leases[0].try_acquire()

    def test_one_that_ran_out_is_taken_over_and_its_holder_told(self, made: Store) -> None:
        first, second, third = (lock.MigratorLock(made, seconds) for seconds in (0, 60, 60))
        assert first.try_acquire()
        first.renew()
        assert second.try_acquire()
        with pytest.raises(lock.Lost):
            first.renew()
        first.release()  # must not give away what is not its own
        second.renew()
        assert not third.try_acquire()
        second.release()
        assert third.try_acquire()

    def test_one_that_is_renewed_is_not_taken_over(self, made: Store) -> None:
        now = [0.0]
        first = lock.MigratorLock(made, 3, clock=lambda: now[0])
        assert first.try_acquire()
        for _ in range(24):  # six seconds by the store's clock, which alone decides
            now[0] += 1
            first.renew()
            assert not lock.MigratorLock(made, 60).try_acquire()
            _one_quarter(made)

    def test_waiting_for_it_ends_with_a_sentence(self, made: Store) -> None:
        assert lock.MigratorLock(made, 60).try_acquire()
        with (
            pytest.raises(MigrationError, match="another `usage migrate`"),
            lock.exclusive(made, 60, wait_seconds=0),
        ):
            pass

    def test_a_migrator_that_lost_it_waits_and_sees_what_is_left(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, lost = lock.MigratorLock.renew, [True]

        def renew(self: lock.MigratorLock) -> None:
            real(self)
            if lost:
                lost.pop()
                raise lock.Lost

        monkeypatch.setattr(lock.MigratorLock, "renew", renew)
        assert place.migrate() == len(KNOWN)
        assert not lost


class TestTableSettings:
    """Every table of parts has them, whichever release made it."""

    LATER = Migration(
        len(KNOWN) + 1,
        "add_a_table",
        "CREATE TABLE IF NOT EXISTS more{cluster} (x UInt8) "
        "ENGINE = {engine:ReplacingMergeTree(x)} ORDER BY x SETTINGS {window}",
    )

    def without(self, place: Place) -> dict[str, list[str]]:
        """Return the tables of parts, each with the settings that it lacks."""
        engines = place.store.query(
            "SELECT name, engine_full FROM system.tables "
            "WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        )
        return {
            name: [
                setting
                for setting, to in table_settings.wanted_of(name).items()
                if f"{setting} = {to}" not in engine
            ]
            for name, engine in engines
        }

    def test_all_tables_have_them_those_of_later_migrations_too(self, place: Place) -> None:
        place.migrate([*KNOWN, self.LATER])
        found = self.without(place)
        assert {"requests_1m", "chunks", "entities", "migrations", "more"} <= set(found)
        assert not any(found.values()), found
        forced = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND "
        forced += "engine_full LIKE '%force_merge%' AND name IN {names:Array(String)}"
        for names, due in ((retention.MINUTE_TABLES, 0), (("requests_15m", "intents"), 2)):
            assert place.store.query(forced, {"names": list(names)}) == [(due,)]
        assert table_settings.statements(place.store) == []
        TestMaterializedViews().intend(place.store, 0)
        assert place.store.query(
            "SELECT part_storage_type FROM system.parts WHERE active AND table = 'intents' "
            "AND database = currentDatabase()"
        ) == [("Packed",)]

    def test_few_parts_are_merged_too_once_nothing_is_added(self, place: Place) -> None:
        place.migrate()
        for n in range(3):
            TestMaterializedViews().intend(place.store, n)
        parts = "active AND table = 'intents' AND database = currentDatabase()"
        counted = f"SELECT count() FROM system.parts WHERE {parts}"
        assert place.store.query(counted) == [(3,)]
        place.store.command("ALTER TABLE intents MODIFY SETTING min_age_to_force_merge_seconds = 1")
        until(lambda: place.store.query(counted) == [(1,)], within=120, what="one part", every=0.5)

    def test_a_store_of_before_gets_those_that_its_server_knows(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place.migrate()
        place.store.command(
            "ALTER TABLE chunks RESET SETTING min_bytes_for_full_part_storage, "
            "auto_statistics_types"
        )
        TestMaterializedViews().intend(place.store, 0, "chunks")
        assert len(self.without(place)["chunks"]) == 2
        more = {**table_settings.SETTINGS, "not_yet_known": "1"}
        monkeypatch.setattr(table_settings, "SETTINGS", more)
        assert table_settings.statements(place.store, "main") == [
            (
                "ALTER TABLE `chunks` ON CLUSTER 'main' MODIFY SETTING "
                "min_bytes_for_full_part_storage = 10485760, auto_statistics_types = ''"
            )
        ]
        monkeypatch.undo()
        assert place.migrate() == 0
        assert not any(self.without(place).values())
        TestMaterializedViews().intend(place.store, 10, "chunks")
        assert place.store.query("SELECT from_offset FROM chunks ORDER BY 1") == [(0,), (10,)]


NUMBER = View("number", "SELECT {k:UInt32} AS n", "A1\nA number, for this test.\nn numbers")
OTHER = View("other", "SELECT 1 AS n", "A2\nAnother number.\n")
SHIPPED = views.shipped()


class TestViews:
    def test_they_are_made_once(self, place: Place) -> None:
        names = tuple(view.name for view in SHIPPED)
        assert place.remake(*SHIPPED) == (names, ())
        assert place.remake(*SHIPPED) == ((), ())
        assert views.outdated(place.store) == []

    def test_one_whose_text_is_another_one_is_made_anew(self, place: Place) -> None:
        place.remake(NUMBER, OTHER)
        changed = View("number", "SELECT {k:UInt32} + 1 AS n", NUMBER.comment)
        assert views.outdated(place.store, [changed, OTHER]) == ["number"]
        assert place.remake(changed, OTHER) == (("number",), ())
        assert place.store.query("SELECT n FROM number(k = 1)") == [(2,)]
        assert place.comment("number").startswith("A1\nA number, for this test.\nn numbers\n")
        told = View("number", changed.select, "A1\nToo.\n")
        assert place.remake(told, OTHER) == (("number",), ())

    def test_one_that_somebody_replaced_or_dropped_is_made_anew(self, place: Place) -> None:
        place.remake(NUMBER, OTHER)
        place.store.command("CREATE OR REPLACE VIEW number AS SELECT 7 AS n")
        place.store.command("DROP VIEW other")
        assert views.outdated(place.store, [NUMBER, OTHER]) == ["number", "other"]
        assert place.remake(NUMBER, OTHER) == (("number", "other"), ())

    def test_one_that_the_release_has_no_more_is_dropped_and_others_stay(
        self, place: Place
    ) -> None:
        place.remake(NUMBER, OTHER)
        place.store.command("CREATE VIEW somebodys AS SELECT 1 AS n")
        place.store.command("CREATE VIEW _kept AS SELECT 35 AS days")
        assert place.remake(NUMBER) == ((), ("_kept", "other"))
        assert {"number", "somebodys"} <= place.tables()

    def test_those_of_another_time_of_minutes_are_made_anew(self, place: Place) -> None:
        kept = View("kept", "SELECT {keep_minute_rows} AS days", "A1\nDays.\n")
        place.remake(kept)
        assert place.remake(kept, USAGE_KEEP_MINUTE_ROWS="7") == (("kept",), ())
        assert place.store.query("SELECT days FROM kept") == [(7,)]

    def test_killed_between_two_views_and_run_again(self, place: Place) -> None:
        place.remake(OTHER)
        place.store.command(NUMBER.statement("", files.Lifetimes(place.settings.keep_minute_rows)))
        place.store.command("DROP VIEW other")
        assert place.remake(NUMBER, OTHER)[0] == ("other",)

    def test_they_are_made_anew_while_a_chunk_is_open(self, place: Place) -> None:
        """No insert passes through them."""
        place.remake(NUMBER)
        TestMaterializedViews().intend(place.store, 0)
        assert place.remake(NUMBER, OTHER) == (("other",), ())


GOLDEN = Path(__file__).parents[1] / "support" / "golden" / "store-0009.sql.gz"
"""What `usage migrate` sent when views were part of migrations 1 to 9, and what it wrote down."""


ROWS_OF_BEFORE = """
INSERT INTO requests_in
    (minute, tenant, agent_id, user_id, operation, duration_us, input_tokens, cost_nanos, currency)
SELECT
    toDateTime('2026-05-01 00:00:00', 'UTC') + number * 60, 'acme',
    concat('a', toString(number % 3)), 'u', 'chat', 1000, 7, 5, 'USD'
FROM numbers(3000);

INSERT INTO actions_in (minute, tenant, recipe_id, task)
SELECT toDateTime('2026-05-01 00:00:00', 'UTC') + number * 60, 'acme', 'r', 1 FROM numbers(200);

INSERT INTO entities_in (tenant, entity, entity_id, time)
SELECT 'acme', 'agent', 'a1', toDateTime64('2026-04-01 00:00:00', 3, 'UTC');

INSERT INTO outcomes_1m (minute, topic, tenant, type, outcome, events)
SELECT '2026-05-01 00:00:00', 'usage.requests', 'acme', 'usage.request.v1', 'counted', 3000
UNION ALL
SELECT
    '2026-05-01 00:00:00', 'usage.recipe-actions', 'acme', 'usage.recipe_action.v1', 'counted', 200
UNION ALL
SELECT '2026-04-01 00:00:00', 'usage.entities', 'acme', 'usage.entity.v1', 'counted', 1;
"""
OLD_QUESTION = (
    "usage_by_agent(since = '2026-05-01 00:00:00', until = '2026-06-01 00:00:00', tenant = '')"
)


class TestAStoreOfBefore:
    def test_it_is_taken_along_without_losing_a_row(self, place: Place) -> None:
        place.store.command(f"CREATE DATABASE {place.database}", in_database=False)
        for statement in files.split(gzip.decompress(GOLDEN.read_bytes()).decode()):
            place.store.command(statement)
        for statement in files.split(ROWS_OF_BEFORE):
            place.store.command(statement)
        question = f"SELECT * FROM {OLD_QUESTION}"
        rows, answer = self.rows(place), place.store.query(question)
        assert len(answer) == 3

        settings = settings_for(place.port, place.database, USAGE_KEEP_MINUTE_ROWS="0")
        done = migrate.migrate(place.store, settings)
        assert [one.number for one in done.applied] == list(range(10, len(KNOWN) + 1))
        assert set(done.remade) == {view.name for view in SHIPPED}
        assert done.dropped == ("_kept",)
        migrate.check(place.store)
        after = self.rows(place)
        del rows["live_1m"], rows["outcomes_1m"]
        assert place.store.query("SELECT sum(events) FROM partitions_1m") == [(3201,)]
        assert {table: after[table] for table in rows} == rows
        assert place.store.query(question) == answer
        found = sums.read(place.store, sums.kept(place.store))
        assert found.cells == {kind: {} for kind in found.cells}
        assert sum(found.events.values()) > 0
        assert not any(migrate.migrate(place.store, settings))

    def rows(self, place: Place) -> dict[str, int]:
        """How many rows each table has, or what they stand for where parts are merged."""
        tables = place.store.query(
            "SELECT table, has(groupArray(name), 'requests') FROM system.columns "
            "WHERE database = currentDatabase() AND table IN (SELECT name FROM system.tables "
            "WHERE database = currentDatabase() AND engine LIKE '%MergeTree') "
            "AND table != 'migrations' AND NOT startsWith(table, '_') GROUP BY table"
        )
        return {
            table: place.store.query(
                f"SELECT {'sum(requests)' if requests else 'count()'} FROM {table}"
            )[0][0]
            for table, requests in tables
        }


class TestMaterializedViews:
    """They change only while no chunk is open: one sent again would be another block."""

    def intend(self, store: Store, from_offset: int, table: str = "intents") -> None:
        columns = [("topic", "String"), ("partition", "UInt32"), ("incarnation", "String"),
                   ("from_offset", "Int64"), ("to_offset", "Int64")]  # fmt: skip
        store.insert(
            table, columns, [["usage.requests"], [3], ["x"], [from_offset], [from_offset + 10]]
        )

    def test_refused_while_an_intent_is_open(self, place: Place) -> None:
        place.migrate()
        for from_offset in (0, 10):
            self.intend(place.store, from_offset)
            with pytest.raises(
                MigrationError, match=rf"usage.requests\[3\], offsets {from_offset} "
            ):
                place.migrate([*KNOWN, NEXT_VIEW])
            self.intend(place.store, from_offset, "chunks")
        assert place.migrate([*KNOWN, NEXT_VIEW]) == 1

    def test_chunks_of_a_log_that_is_gone_are_in_nobodys_way(self, place: Place) -> None:
        place.migrate()
        self.intend(place.store, 0)
        known = [*KNOWN, NEXT_VIEW]

        def run(gone: str) -> migrate.Migrated:
            return migrate.migrate(
                place.store, place.settings, migrations=known, is_gone=lambda log: log == gone
            )

        with pytest.raises(MigrationError, match="1 chunks are open"):
            run("another")
        done = run("x")
        assert [one.number for one in done.applied] == [NEXT_VIEW.number]

    def test_a_table_may_be_added_any_time(self, place: Place) -> None:
        place.migrate()
        self.intend(place.store, 0)
        assert place.migrate([*KNOWN, NEXT]) == 1

    def test_what_was_refused_changed_nothing(self, place: Place) -> None:
        place.migrate()
        self.intend(place.store, 0)
        before = place.store.query("SELECT create_table_query FROM system.tables "
                                   "WHERE database = currentDatabase() ORDER BY name")  # fmt: skip
        with pytest.raises(MigrationError):
            place.migrate([*KNOWN, NEXT, replace(NEXT_VIEW, number=NEXT.number + 1)])
        migrate.check(place.store, migrations=KNOWN)  # the old release may still finish its chunk
        after = place.store.query("SELECT create_table_query FROM system.tables "
                                  "WHERE database = currentDatabase() ORDER BY name")  # fmt: skip
        assert after == before


class TestRetention:
    def ttls(self, place: Place) -> dict[str, tuple[str, int] | None]:
        names = [*retention.MINUTE_TABLES, *retention.QUARTER_HOUR_TABLES, retention.EVENTS_TABLE]
        found = place.store.query(
            "SELECT name, engine_full FROM system.tables "
            "WHERE database = currentDatabase() AND name IN {names:Array(String)}",
            {"names": names},
        )
        assert len(found) == len(names)
        return {name: retention.current(engine) for name, engine in found}

    def test_it_follows_the_settings(self, place: Place) -> None:
        place.migrate()
        assert self.ttls(place) == {
            **dict.fromkeys(retention.MINUTE_TABLES, ("minute", 35)),
            **dict.fromkeys(retention.QUARTER_HOUR_TABLES, None),
            "product_events": ("toDateTime(time)", 200),
        }
        place.migrate(
            USAGE_KEEP_MINUTE_ROWS="0",
            USAGE_KEEP_QUARTER_HOUR_ROWS="800",
            USAGE_KEEP_PRODUCT_EVENTS_DAYS="0",
        )
        assert self.ttls(place) == {
            **dict.fromkeys(retention.MINUTE_TABLES, None),
            **dict.fromkeys(retention.QUARTER_HOUR_TABLES, ("quarter", 800)),
            "product_events": None,
        }

    def test_nothing_is_altered_where_nothing_changed(self, place: Place) -> None:
        place.migrate()
        assert retention.statements(place.store, place.settings) == []

    def test_minutes_that_had_expired_do_not_come_back(self, place: Place) -> None:
        def since(days: int) -> int:
            settings = settings_for(place.port, place.database, USAGE_KEEP_MINUTE_ROWS=str(days))
            return retention.lifetimes(place.store, place.store, settings).minutes_from

        def days_ago(days: int) -> int:
            return int(time.time()) - days * 86_400

        place.remake(NUMBER)
        assert [since(35), since(20)] == [0, 0]
        for longer in (36, 100, 0):
            assert days_ago(34) <= since(longer) <= days_ago(34) + 1000
            assert since(longer) % 900 == 0
        # Killed before the views were made, or before they were made of a shorter time.
        place.store.command("ALTER TABLE requests_1m REMOVE TTL")
        assert since(0) >= days_ago(34)
        place.store.command("ALTER TABLE tasks_1m MODIFY TTL minute + toIntervalDay(7)")
        assert since(0) >= days_ago(6)
        # What was written down holds until what is kept began later.
        place.remake(NUMBER, USAGE_KEEP_MINUTE_ROWS="0")
        assert since(0) == since(7) == views.minutes_from(place.store) >= days_ago(6)
        long_ago = files.Lifetimes(100, 0, days_ago(110) // 900 * 900)
        place.store.command(NUMBER.statement("", long_ago))
        assert since(100) == 0

    def test_every_rollup_is_among_them(self, place: Place) -> None:
        place.migrate()
        rollups = {name for name in place.tables() if name.endswith(ROLLUPS)}
        # The ledger, and what is no rollup.
        others = {"partitions_1m"}
        not_added_up = {retention.EVENTS_TABLE, retention.DAYS_TABLE}
        assert rollups == set(retention.wanted(place.settings)) - not_added_up | others


def test_the_store_refuses_a_missing_table_by_its_code(place: Place) -> None:
    place.migrate()
    with pytest.raises(StoreRefused) as refused:
        place.store.query("SELECT * FROM nowhere")
    assert refused.value.code == 60


def test_the_folder_is_numbered_without_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0003_b.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="expected number 2, found 3"):
        files.read(tmp_path)
