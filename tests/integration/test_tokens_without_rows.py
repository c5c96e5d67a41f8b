"""A store that is killed has each token with its rows, and knows it when it is sent again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.clickhouse.client import Store
from pipeline.embedded.store.claims import Claim, Part, dangling
from pipeline.errors import StoreUnavailable
from pipeline.facts.types import TYPES
from tests.support.harness.clickhouse_parts import (
    MONTHS,
    Chain,
    migrated_database,
    new_database,
    rows,
)
from tests.support.harness.store import EmbeddedStore


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """Provide a store that the test may kill."""
    store = EmbeddedStore(tmp_path)
    store.start()
    yield store
    if store.process.is_running:
        store.kill9()


def lose_a_part(store: EmbeddedStore, chain: Chain) -> None:
    """Leave the files as a kill between the log's write and the part's rename does."""
    path = chain.store.query("SELECT path FROM system.parts WHERE table = 'a' AND active "
                             "AND partition = '202602' ORDER BY min_block_number DESC")  # fmt: skip
    store.kill9()
    shutil.rmtree(path[0][0])


def test_a_token_whose_rows_never_arrived_is_free_again(own: EmbeddedStore) -> None:
    chain = Chain(new_database(own.port))
    chain.insert(rows(300, months=3), "before")
    chain.insert(rows(300, months=3), "killed")
    lose_a_part(own, chain)
    own.start()
    assert chain.sums() == (500, 600)
    for _ in range(2):
        chain.insert(rows(300, months=3), "killed")
        chain.insert(rows(300, months=3), "before")
        assert chain.sums() == (600, 600)


def test_without_the_repair_its_rows_are_lost(own: EmbeddedStore) -> None:
    chain = Chain(new_database(own.port))
    chain.insert(rows(300, months=3), "t")
    (path,) = chain.store.query("SELECT path FROM system.parts WHERE table = 'a' AND active "
                                "AND partition = '202602'")[0]  # fmt: skip
    chain.store.command("DETACH TABLE a SYNC")  # attached again, it reads its files as they are
    shutil.rmtree(path)
    chain.store.command("ATTACH TABLE a")
    chain.insert(rows(300, months=3), "t")
    assert chain.sums() == (200, 300)


def test_killed_on_the_logs_write_nothing_is_lost(own: EmbeddedStore) -> None:
    chain = Chain(new_database(own.port))
    chain.insert(rows(30), "first")
    for number in range(4):
        token = f"t{number}"
        with ThreadPoolExecutor(1) as killer:
            killed = killer.submit(_kill_on_write, own, _log_sizes(own))
            with suppress(StoreUnavailable):  # or it was done before the kill came
                chain.insert(rows(30), token)
            killed.result()
        own.start()
        chain.insert(rows(30), token)
        assert chain.sums() == (60 + 30 * number,) * 2


def _log_sizes(store: EmbeddedStore) -> dict[Path, int]:
    return {log: log.stat().st_size for log in store.data.rglob("deduplication_log_*.txt")}


def _kill_on_write(store: EmbeddedStore, before: dict[Path, int]) -> None:
    """Kill the store as soon as one of its deduplication logs has grown."""
    deadline = time.monotonic() + 20
    while all(log.stat().st_size == size for log, size in before.items()):
        assert time.monotonic() < deadline, "no log grew"
    store.kill9()


def test_tokens_outlive_merges_and_restarts(own: EmbeddedStore) -> None:
    chain = Chain(new_database(own.port))
    for number in range(5):
        chain.insert(rows(30, months=3), f"t{number}")
    chain.store.command("OPTIMIZE TABLE a FINAL")
    own.kill9()
    own.start()
    for number in range(5):
        chain.insert(rows(30, months=3), f"t{number}")
    assert chain.sums() == (150, 150)


def test_tokens_outlive_the_first_restart_after_the_migrations(own: EmbeddedStore) -> None:
    """A view that was altered is another one to tokens from the next start of its server on."""
    with migrated_database(own.port) as store:
        _insert_into_each_head(store)
        once = _rows(store)
        assert {"requests_1m", "users_1mo", "events_15m", "entities"} <= once.keys()
        own.kill9()
        own.start()
        _insert_into_each_head(store)
        assert _rows(store) == once


def _insert_into_each_head(store: Store) -> None:
    for type_ in TYPES.values():
        head = type_.head
        columns = [(name, kind) for name, kind in head.columns if name in {"minute", "tenant"}]
        data = [[MONTHS[0]] if name == "minute" else ["t"] for name, _ in columns]
        store.insert(head.table, columns, data, token=head.table)


def _rows(store: Store) -> dict[str, int]:
    return dict(
        store.query(
            "SELECT table, sum(rows) FROM system.parts "
            "WHERE database = currentDatabase() AND active GROUP BY table"
        )
    )


ALTERED = "ALTER TABLE a_mv MODIFY QUERY SELECT minute, key, n + 0 AS n FROM head"


@pytest.mark.parametrize(
    ("after", "counted"),
    [((), 60), (("DETACH TABLE a_mv", "ATTACH TABLE a_mv"), 30)],
    ids=["as altered", "read again"],
)
def test_a_restart_after_modify_query_doubles_unless_the_view_is_read_again(
    own: EmbeddedStore, after: tuple[str, ...], counted: int
) -> None:
    chain = Chain(new_database(own.port))
    for statement in (ALTERED, *after):
        chain.store.command(statement)
    chain.insert(rows(30), "t")
    own.kill9()
    own.start()
    chain.insert(rows(30), "t")
    assert chain.sums() == (counted, 30)


def test_what_is_dangling() -> None:
    lines = [
        "1\t202601_1_1_0\tmerged",
        "1\t202601_2_2_0\tdropped",
        "2\t202601_2_2_0\tdropped",
        "1\t202601_9_9_0\tlost",
        "1\t202602_1_1_0\tof another table partition",
    ]
    assert dangling(lines, [Part("202601", 1, 8), Part("202603", 1, 9)]) == [
        Claim("202601_9_9_0", "lost"),
        Claim("202602_1_1_0", "of another table partition"),
    ]
