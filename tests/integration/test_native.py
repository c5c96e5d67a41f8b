"""Columns of facts arrive as the lists that they stand for."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.facts.columns import column
from tests.support.harness.clickhouse_parts import new_database
from tests.support.harness.store import EmbeddedStore

COLUMNS = (
    ("minute", "DateTime('UTC')"),
    ("name", "LowCardinality(String)"),
    ("plain", "String"),
    ("small", "UInt8"),
    ("large", "UInt64"),
    ("signed", "Int64"),
)


@pytest.mark.parametrize("keys", [1, 255, 256, 257, 65_536, 65_537])
def test_columns_of_facts_are_inserted_as_their_lists(store: EmbeddedStore, keys: int) -> None:
    """Around the sizes of a dictionary at which its codes become wider."""
    rows = keys + 3
    lists: list[list[Any]] = [
        [1_767_225_600 + 60 * (n % 3) for n in range(rows)],
        [f"näme-{n % keys}" if n % keys else "" for n in range(rows)],
        [f"plain {n % 5}" for n in range(rows)],
        [n % 256 for n in range(rows)],
        [2**64 - 1 - n for n in range(rows)],
        [-(2**63) + n for n in range(rows)],
    ]
    data = [column(kind) for _, kind in COLUMNS]
    for one, values in zip(data, lists, strict=True):
        one.extend(values[:-1])
        one.append(values[-1])
        assert list(one) == values
    database = new_database(store.port)
    kinds = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
    for name, given in (("a", data), ("b", lists)):
        database.command(f"CREATE TABLE {name} ({kinds}) ENGINE = Memory")
        database.insert(name, COLUMNS, given)
    [(as_facts,), (as_lists,)] = database.query(
        "SELECT groupArray((minute, name, plain, small, large, signed)) FROM a "
        "UNION ALL SELECT groupArray((minute, name, plain, small, large, signed)) FROM b"
    )
    assert len(as_facts) == rows
    assert as_facts == as_lists
