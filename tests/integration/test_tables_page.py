"""`docs/tables.md` is what a migrated store says of itself, and it says something of everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clickhouse.schema.page import Table, markdown, tables
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.store import EmbeddedStore

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


@pytest.fixture(scope="module")
def found(store: EmbeddedStore) -> Iterator[list[Table]]:
    with migrated_database(store.port) as connected:
        yield tables(connected)


def test_every_table_and_column_has_a_comment(found: list[Table]) -> None:
    assert len(found) > 20
    assert [table.name for table in found if len(table.comment) < 20] == []
    assert [
        f"{table.name}.{column.name}"
        for table in found
        for column in table.columns
        if not column.comment
    ] == []


def test_the_page_is_fresh(found: list[Table]) -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(found), "docs/tables.md is stale: make docs"
