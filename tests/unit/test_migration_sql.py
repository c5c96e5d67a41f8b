"""Statements are cut where they end, and filled in for one server or a cluster."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clickhouse.schema import resources
from pipeline.clickhouse.schema.files import (
    EVERYWHERE,
    Migration,
    fill_in,
    read,
    split,
    table_of,
)
from pipeline.errors import MigrationError

PIECES = st.sampled_from(
    ["SELECT 1", "'a;b'", "'it''s;'", r"'\';'", "`q;x`", '"d;y"', "(a, b)", "'--not'", "'/*'", "é"]
)
NOISE = st.sampled_from([" ", "\n", " -- end; 'of\n", "/* a; ' \n b */", "  "])


@given(st.lists(st.lists(st.tuples(PIECES, NOISE), min_size=1, max_size=5), max_size=5))
def test_statements_end_at_semicolons_outside_strings_and_comments(
    statements: list[list[tuple[str, str]]],
) -> None:
    text = ";".join("".join(piece + noise for piece, noise in one) for one in statements)
    found = split(text)
    assert len(found) == len(statements)
    for one, statement in zip(statements, found, strict=True):
        rest = statement
        for piece, _ in one:
            before, found_piece, rest = rest.partition(piece)
            assert found_piece
            assert not before.strip()
        assert not rest.strip()


def test_comments_and_empty_statements_go() -> None:
    assert split("-- one; two\n;;\nSELECT 1 -- that's it\n; /* ; */") == ["SELECT 1"]


@pytest.mark.parametrize("text", ["SELECT 'a", "SELECT 1 /* open", "SELECT `a", 'SELECT "a'])
def test_what_does_not_end_is_refused(text: str) -> None:
    with pytest.raises(MigrationError, match="without its end"):
        split(text)


TABLE = (
    "CREATE TABLE t{cluster} (x UInt8) ENGINE = {engine:ReplacingMergeTree(x)} SETTINGS {window}"
)


def test_for_one_server() -> None:
    assert fill_in(TABLE, "") == (
        "CREATE TABLE t (x UInt8) ENGINE = ReplacingMergeTree(x) "
        "SETTINGS non_replicated_deduplication_window = 1000000"
    )


def test_for_a_cluster() -> None:
    assert fill_in(TABLE, "main") == (
        "CREATE TABLE t ON CLUSTER 'main' (x UInt8) ENGINE = ReplicatedReplacingMergeTree("
        "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}', x) "
        "SETTINGS replicated_deduplication_window = 1000000, "
        "replicated_deduplication_window_seconds = 2592000"
    )


def test_a_table_that_every_server_has_is_one_for_all_shards() -> None:
    made = "CREATE TABLE IF NOT EXISTS _keys{cluster} (x UInt8) ENGINE = {engine:MergeTree}"
    assert fill_in(made, "main").endswith(
        "ReplicatedMergeTree('/clickhouse/tables/everywhere/{database}/{table}', "
        "'{shard}:{replica}')"
    )


def test_the_tables_of_every_server_are_among_those_that_are_made() -> None:
    made = {
        table_of(statement)
        for migration in read(resources.migrations())
        for statement in migration.statements()
        if statement.startswith("CREATE TABLE")
    }
    assert EVERYWHERE - {"migrations"} < made
    # What a chunk, or a backfill, inserts is of a partition, and at its shard.
    assert {"chunks", "intents", "requests_15m", "product_events_filled"} <= made - EVERYWHERE


def test_every_statement_of_a_migration_tells_its_table() -> None:
    for migration in read(resources.migrations()):
        for statement in migration.statements():
            assert table_of(statement), statement[:80]


def test_what_was_stopped_while_a_view_was_detached_may_run_again() -> None:
    """An ALTER of it would be refused for good: that it is not there."""
    for migration in read(resources.migrations()):
        said = [statement.split()[0] for statement in migration.statements()]
        about = list(map(table_of, migration.statements()))
        detached = {table for table, word in zip(about, said, strict=True) if word == "DETACH"}
        assert {said[about.index(table)] for table in detached} <= {"ATTACH", "DETACH"}


def test_every_statement_of_ours_can_go_to_a_cluster_and_may_run_twice() -> None:
    for migration in read(resources.migrations()):
        # What is filled after it was emptied, or in one block under a token, may be filled twice.
        emptied = set()
        for statement in migration.statements("main"):
            first, _, third = statement.split()[:3]
            if first == "INSERT":  # at each shard
                assert third in emptied or "insert_deduplication_token = '" in statement
                continue
            assert "ON CLUSTER 'main'" in statement
            if first == "TRUNCATE":
                emptied.add(third)
                continue
            repeatable = ("IF NOT EXISTS", "OR REPLACE VIEW", "IF EXISTS", "MODIFY")
            assert any(words in statement for words in repeatable)
            assert not re.search(r"\{(cluster|window|engine)\b", statement)
            if "MergeTree" in statement:
                assert "ENGINE = Replicated" in statement
                assert "replicated_deduplication_window = 1000000" in statement


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("CREATE MATERIALIZED VIEW a TO b AS SELECT 1", True),
        ("alter table a_mv modify query select 1", True),
        ("DROP TABLE a", True),
        ("RENAME TABLE a TO b", True),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", False),
        ("ALTER TABLE a ADD COLUMN IF NOT EXISTS b UInt8 COMMENT 'DROP it later'", False),
        ("CREATE TABLE a (x UInt8) ENGINE = Null -- not a MATERIALIZED VIEW", False),
    ],
)
def test_what_touches_views(text: str, touches: bool) -> None:
    assert Migration(2, "x", text).touches_views is touches


def test_the_checksum_is_of_the_whole_text() -> None:
    assert Migration(1, "a", "SELECT 1").checksum != Migration(1, "a", "SELECT 1 ").checksum
