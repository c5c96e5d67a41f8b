"""Each line of the protocol's section on ClickHouse: what keeps it, and what happens without.

A test named ``…_without_…`` or ``…_off_…`` takes a safeguard away and sees the count go wrong, so
that the test beside it is known to be able to fail.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.clickhouse import client
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.native import encode
from pipeline.clickhouse.schema import retention
from pipeline.errors import StoreRefused
from pipeline.facts.added_up import SENT
from pipeline.facts.heads import ENTITIES, PRODUCT_EVENTS, RECIPE_ACTIONS, REQUESTS
from tests.support.harness.clickhouse_parts import (
    COLUMNS,
    MONTHS,
    WINDOW,
    Chain,
    new_database,
    rows,
    total,
)
from tests.support.harness.store import EmbeddedStore

ROLLUPS = (*retention.MINUTE_TABLES, *retention.QUARTER_HOUR_TABLES)


@pytest.fixture
def database(store: EmbeddedStore) -> Iterator[Store]:
    """Provide an empty database."""
    connected = new_database(store.port)
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


@pytest.fixture
def chain(database: Store) -> Chain:
    """Provide a head with two targets."""
    return Chain(database)


@pytest.fixture
def migrated(tables: Store) -> Store:
    """Provide the pipeline's own tables, empty; tokens must be of the test's own."""
    for table in ROLLUPS:
        tables.command(f"SYSTEM START MERGES {table}")
        tables.command(f"TRUNCATE TABLE {table}")
    return tables


def requests(count: int, seed: int) -> list[list[Any]]:
    """Make columns of ``requests_in`` over three months, about 200 bytes a row."""
    chosen = random.Random(seed)
    minutes = [MONTHS[i % 3] + 60 * (i % 40_000) for i in range(count)]
    ids = [f"{chosen.randrange(10**6):020d}" for _ in range(1_000)]
    names = [[f"{name}-{ids[i * step % 1_000]}" for i in range(count)]
             for step, name in enumerate("tgakumo", 1)]  # fmt: skip
    counts = [[i % 7 for i in range(count)] for _ in range(6)]
    return [minutes, *names, [i % 2 for i in range(count)], *counts, [0] * count,
            [i * 1_000_003 for i in range(count)], ["USD"] * count]  # fmt: skip


def parts(store: Store, table: str) -> int:
    """Count a table's parts; where merges are stopped, one is one block in one partition."""
    return int(
        store.query(
            "SELECT count() FROM system.parts "
            "WHERE database = {d:String} AND table = {t:String} AND active",
            {"d": store.database, "t": table},
        )[0][0]
    )


class TestOneBlock:
    """Tokens are per block: one block per insert, rows in a fixed order."""

    def test_a_large_chunk_is_one_part_per_partition_and_drops_when_sent_again(
        self, migrated: Store
    ) -> None:
        rollups = [name for name in ROLLUPS if name.startswith("requests")]
        for table in rollups:
            migrated.command(f"SYSTEM STOP MERGES {table}")
        data = requests(300_000, seed=1)
        for _ in range(2):
            migrated.insert("requests_in", REQUESTS.columns, data, token="large")
            assert {table: parts(migrated, table) for table in rollups} == dict.fromkeys(rollups, 3)
            assert {total(migrated, table, "requests") for table in rollups} == {300_000}
        cost = migrated.query("SELECT sum(cost) FROM requests_1m")[0][0]
        assert cost * 10**9 == sum(data[-2])

    def test_a_retry_in_two_blocks_counts_again(
        self, chain: Chain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chain.insert(rows(10_000), "t")
        monkeypatch.setattr(client, "encode", _two_blocks)
        chain.insert(rows(10_000), "t")
        assert chain.sums() > (10_000, 10_000)

    def test_a_view_that_groups_gives_one_block_too(
        self, chain: Chain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chain.store.command("DROP TABLE a_mv SYNC")
        chain.store.command(
            "CREATE MATERIALIZED VIEW a_mv TO a AS "
            "SELECT minute, key, sum(n) AS n FROM head GROUP BY minute, key"
        )
        chain.store.command("SYSTEM STOP MERGES a")
        for _ in range(2):
            chain.insert(rows(200_000), "t")
            assert parts(chain.store, "a") == 1
        monkeypatch.setitem(client.INSERT, "min_insert_block_size_rows", 1)
        chain.insert(rows(200_000), "another")
        assert parts(chain.store, "a") > 2  # as the view's GROUP BY left them, in any order

    def test_rows_that_are_not_added_up_as_they_come_are_the_same_sums(self, chain: Chain) -> None:
        chain.store.command("SYSTEM STOP MERGES a")
        data: list[list[Any]] = [[MONTHS[0]] * 600, ["key"] * 600, [1] * 600]
        prepared = chain.store.prepare("head", COLUMNS, data)
        assert prepared is not None
        for keys_differ, count in ((True, 600), (False, 600), (True, 600)):
            chain.store.send(prepared._replace(keys_differ=keys_differ), token="t")
            assert chain.store.query("SELECT count() FROM a") == [(count,)]
            assert chain.sums() == (600, 600)
        chain.store.send(prepared, token="another")
        assert chain.store.query("SELECT count() FROM a") == [(601,)]
        assert chain.sums() == (1_200, 1_200)

    def test_more_rows_than_a_block_may_have_are_refused(self, chain: Chain) -> None:
        column = [0] * (client.MAX_ROWS + 1)
        with pytest.raises(StoreRefused, match="too many"):
            chain.store.insert("head", COLUMNS, [column, column, column], token="t")

    def test_a_chunk_may_be_of_any_number_of_months(self, chain: Chain) -> None:
        """Above 100 table partitions the server refuses, as it comes, in words of a full store."""
        block = [(2_678_400 * month, "key", 1) for month in range(500)]
        for _ in range(2):
            chain.insert(block, "t")
        assert chain.sums() == (500, 500)

    def test_no_rows_are_no_insert(self, chain: Chain) -> None:
        chain.store.insert("head", COLUMNS, [[], [], []], token="t")
        chain.insert(rows(10), "t")
        assert chain.sums() == (10, 10)


def _two_blocks(
    table: str, columns: Any, data: Any, compression: str | None, _: object = None
) -> bytes:
    """Encode as the driver does by itself when there are many rows: in several blocks."""
    half = len(data[0]) // 2
    halves = ([column[:half] for column in data], [column[half:] for column in data])
    return b"".join(encode(table, columns, part, compression) for part in halves)


class TestRetriesHeal:
    """With one block, a retry with the same token healed everything tried."""

    def test_several_table_partitions_of_which_one_had_arrived(self, chain: Chain) -> None:
        block = rows(3_000, months=3)
        chain.insert([row for row in block if row[0] == MONTHS[1]], "t")
        for _ in range(2):
            chain.insert(block, "t")
            assert chain.sums() == (3_000, 3_000)

    def test_partial_arrival_in_one_of_the_targets(self, database: Store) -> None:
        chain = Chain(database)
        database.command("DETACH TABLE b_mv")
        chain.insert(rows(1_000, months=3), "t")
        assert chain.sums() == (1_000, 0)
        database.command("ATTACH TABLE b_mv")
        for _ in range(2):
            chain.insert(rows(1_000, months=3), "t")
            assert chain.sums() == (1_000, 1_000)

    def test_a_failing_view(self, chain: Chain) -> None:
        _break_second_view(chain.store)
        for _ in range(2):
            with pytest.raises(StoreRefused, match="broken"):
                chain.insert(rows(1_000, months=3), "t")
        chain.store.command("TRUNCATE TABLE broken")
        for _ in range(2):
            chain.insert(rows(1_000, months=3), "t")
            assert chain.sums() == (1_000, 1_000)
        assert total(chain.store, "c") == 1_000

    def test_a_failing_view_loses_its_rows_where_errors_are_ignored(
        self, chain: Chain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(client.INSERT, "materialized_views_ignore_errors", 1)
        _break_second_view(chain.store)
        chain.insert(rows(1_000), "t")  # no error: the chunk would be committed
        assert total(chain.store, "c") == 0

    def test_reordered_rows(self, chain: Chain) -> None:
        chain.insert(rows(1_000, months=3), "t")
        chain.insert(rows(1_000, months=3)[::-1], "t")
        assert chain.sums() == (1_000, 1_000)

    def test_two_sources_into_one_target(self, chain: Chain) -> None:
        store = chain.store
        store.command("CREATE TABLE other AS head ENGINE = Null")
        store.command("CREATE MATERIALIZED VIEW other_mv TO a AS SELECT * FROM other")
        for _ in range(2):
            chain.insert(rows(1_000), "t")
            chain.insert(rows(500), "t", table="other")
            assert chain.sums() == (1_500, 1_000)

    def test_twenty_clients_send_the_same_four_chunks_at_once(self, chain: Chain) -> None:
        barrier = threading.Barrier(20)

        def send(client_number: int) -> None:
            barrier.wait()
            for chunk in range(4):
                chunk = (chunk + client_number) % 4
                chain.insert(rows(500, months=3), f"chunk-{chunk}")

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(send, range(20)))
        assert chain.sums() == (2_000, 2_000)

    def test_equal_rows_under_two_tokens_count_twice(self, chain: Chain) -> None:
        chain.insert(rows(1_000), "t1")
        chain.insert(rows(1_000), "t2")
        assert chain.sums() == (2_000, 2_000)

    def test_without_a_token_every_insert_counts(self, chain: Chain) -> None:
        for _ in range(2):
            chain.store.insert(
                "head", COLUMNS, [list(column) for column in zip(*rows(10), strict=True)]
            )
        assert chain.sums() == (20, 20)


def _break_second_view(store: Store) -> None:
    """Add a target whose view fails as long as a table named ``broken`` has a row."""
    store.command("CREATE TABLE broken (x UInt8) ENGINE = MergeTree ORDER BY x")
    store.command("INSERT INTO broken VALUES (1)")
    store.command("CREATE TABLE c AS a")
    store.command(
        "CREATE MATERIALIZED VIEW c_mv TO c AS SELECT minute, key, n FROM head "
        "WHERE throwIf((SELECT count() FROM broken) > 0, 'broken') = 0"
    )


class TestWindows:
    """Every table in the chain needs its window, and the window has a size."""

    def test_every_table_of_the_chain_has_it(self, migrated: Store) -> None:
        engines = dict(
            migrated.query(
                "SELECT name, engine_full FROM system.tables WHERE database = {d:String} "
                "AND engine NOT IN ('Null', 'MaterializedView', 'View', 'Join')",
                {"d": migrated.database},
            )
        )
        del engines["migrations"]
        assert set(ROLLUPS) | {"partitions_1m", "chunks", "intents"} <= set(engines)
        for name, engine in engines.items():
            assert f"{WINDOW} = 1000000" in engine, name
            assert "fsync_after_insert = 1, fsync_part_directory = 1" in engine, name

    def test_off_on_a_target_doubles_there(self, database: Store) -> None:
        chain = Chain(database, windows=(1000, 0))
        for _ in range(3):
            chain.insert(rows(1_000), "t")
        assert chain.sums() == (1_000, 3_000)

    def test_a_small_one_forgets(self, database: Store) -> None:
        chain = Chain(database, windows=(3, 1000))
        for token in ("t1", "t2", "t3", "t4", "t1"):
            chain.insert(rows(10), token)
        assert chain.sums() == (50, 40)

    def test_it_counts_tokens_times_table_partitions(self, database: Store) -> None:
        chain = Chain(database, windows=(3, 1000))
        for token in ("t1", "t2", "t1"):
            chain.insert(rows(30, months=3), token)
        assert chain.sums() == (90, 60)


class TestSettings:
    """Each insert setting of the protocol, taken away."""

    @pytest.mark.parametrize(
        "changed",
        [
            {"deduplicate_blocks_in_dependent_materialized_views": 0},
            {"deduplicate_insert": "disable"},
            {"deduplicate_insert": "backward_compatible_choice", "insert_deduplicate": 0},
        ],
        ids="-".join,
    )
    def test_off_it_doubles(
        self, chain: Chain, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
    ) -> None:
        for name, value in changed.items():
            monkeypatch.setitem(client.DEDUPLICATED, name, value)
        for _ in range(3):
            chain.insert(rows(1_000), "t")
        assert chain.sums() == (3_000, 3_000)

    def test_all_of_them_are_sent(self) -> None:
        sent = client.insert_settings("t")
        assert sent["insert_deduplication_token"] == "t"
        assert sent["deduplicate_blocks_in_dependent_materialized_views"] == 1
        assert sent["deduplicate_insert"] == "enable"
        assert sent["insert_deduplicate"] == 1
        assert sent["async_insert"] == 0
        assert sent["materialized_views_ignore_errors"] == 0


class TestChangesBetweenTryAndRetry:
    """What makes the store forget a token, or makes another block of the same rows."""

    def test_a_view_of_another_name_doubles(self, chain: Chain) -> None:
        chain.insert(rows(1_000), "t")
        chain.store.command("RENAME TABLE a_mv TO a_again_mv")
        chain.insert(rows(1_000), "t")
        assert chain.sums() == (2_000, 1_000)

    def test_a_view_made_again_under_its_name_does_not(self, chain: Chain) -> None:
        chain.insert(rows(1_000), "t")
        chain.store.command("DROP TABLE a_mv SYNC")
        chain.store.command("CREATE MATERIALIZED VIEW a_mv TO a AS SELECT * FROM head")
        chain.insert(rows(1_000), "t")
        assert chain.sums() == (1_000, 1_000)

    def test_modify_query_doubles(self, chain: Chain) -> None:
        chain.insert(rows(1_000), "t")
        chain.store.command(
            "ALTER TABLE a_mv MODIFY QUERY SELECT minute, key, n + 0 AS n FROM head"
        )
        chain.insert(rows(1_000), "t")
        assert chain.sums() == (2_000, 1_000)

    def test_drop_partition_forgets(self, chain: Chain) -> None:
        chain.insert(rows(20, months=2), "t")
        chain.store.command("ALTER TABLE a DROP PARTITION 202601")
        chain.insert(rows(20, months=2), "t")
        assert chain.sums() == (20, 20)  # counted again; without the drop's loss it would be 30

    def test_a_copy_of_the_stopped_stores_files_keeps_tokens(self, tmp_path: Path) -> None:
        own = EmbeddedStore(tmp_path)
        own.start()
        try:
            chain = Chain(new_database(own.port))
            chain.insert(rows(1_000, months=3), "t")
            own.stop()
            own.copy_to(tmp_path / "copy")
            own.put_back(tmp_path / "copy")
            own.start()
            chain.insert(rows(1_000, months=3), "t")
            assert chain.sums() == (1_000, 1_000)
            own.kill9()
            own.start()
            chain.insert(rows(1_000, months=3), "t")
            assert chain.sums() == (1_000, 1_000)
        finally:
            if own.process.is_running:
                own.kill9()


class TestPipelinesTables:
    """The chain that the worker writes to, whole."""

    @pytest.mark.parametrize(
        "head",
        [REQUESTS, RECIPE_ACTIONS, PRODUCT_EVENTS, ENTITIES],
        ids=lambda head: head.table,
    )
    def test_heads_are_as_the_code_says(self, migrated: Store, head: Any) -> None:
        found = migrated.query(f"DESCRIBE TABLE {head.table}")
        sent = (*SENT, ("late_before", "Date")) if head == REQUESTS else head.columns
        assert {row[0]: row[1] for row in found} == dict(sent)

    def test_sums_do_not_depend_on_merges(self, migrated: Store) -> None:
        query = (
            "SELECT sum(requests), sum(failed), sum(duration_us), sum(cost), sum(unpriced) FROM {}"
        )
        for chunk in range(5):
            migrated.insert("requests_in", REQUESTS.columns, requests(500, 7), token=f"t{chunk}")
        apart = {
            table: migrated.query(query.format(table)) for table in ("requests_1m", "requests_15m")
        }
        assert len({str(value) for value in apart.values()}) == 1
        for table, before in apart.items():
            migrated.command(f"OPTIMIZE TABLE {table} FINAL")
            assert migrated.query(query.format(table)) == before

    def test_a_chunk_of_events_of_400_days_touches_few_partitions(self, migrated: Store) -> None:
        data = requests(4_000, 3)
        data[0] = [MONTHS[2] - 8_640 * i // 60 * 60 for i in range(4_000)]
        migrated.insert("requests_in", REQUESTS.columns, data, token="old")
        assert total(migrated, "requests_1m", "requests") == 4_000
        assert parts(migrated, "requests_1m") <= 15
