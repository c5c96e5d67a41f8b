"""Product events with their properties, from records to rows of ``product_events``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.facts import Facts, Rules, reader
from pipeline.facts.heads import PRODUCT_EVENTS
from pipeline.operate.audit import sums
from tests.property.facts_model import Rec
from tests.support.harness.view_store import empty

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
HOSTILE = "'); DROP TABLE \\x"
PROPERTIES: list[dict[str, Any]] = [
    {},
    {"status": 200, "user": {"plan": "pro", "a.b": True, "": None}, "tags": [1, "é", {"x": 1.50}]},
    {HOSTILE: HOSTILE, "nul": "\0", "empty": "", "long": "é" * 70_000, "o": {}},
    {f"key {n}": n for n in range(20_000)},
    {f"{n:x}": 1 for n in range(100_000)},  # nearly 1 MiB
]


def folded(properties: list[dict[str, Any]]) -> Facts:
    values = [
        {
            "specversion": "1.0",
            "id": str(n),
            "source": "s",
            "type": "usage.event.v1",
            "subject": "acme",
            "time": "2026-03-01T12:34:56.789Z",
            "data": {"name": f"n{n}", "user_id": "u", "properties": one},
        }
        for n, one in enumerate(properties)
    ]
    records = [
        Rec(n, NOW, (), json.dumps(value, separators=(",", ":")).encode())
        for n, value in enumerate(values)
    ]
    one = reader("usage.events", Rules())
    facts = one.facts()
    one.read(records, facts)
    assert facts.counted == len(properties)
    return facts


@pytest.mark.parametrize("repeat", [1, 700])
def test_every_leaf_arrives_once(tables: Store, repeat: int) -> None:
    empty(tables)
    facts = folded(PROPERTIES * repeat if repeat == 1 else PROPERTIES[:2] * repeat)
    for _ in range(2):
        tables.insert("events_in", PRODUCT_EVENTS.columns, facts.columns, token="t")
    due = dict(zip(facts.columns[3], facts.columns[5], strict=True))
    rows = tables.query(
        "SELECT name, tenant, toUnixTimestamp64Milli(time), user_id, properties FROM product_events"
    )
    assert len(rows) == facts.counted
    assert {row[0]: row[4] for row in rows} == due
    assert {row[1:4] for row in rows} == {("acme", NOW, "u")}
    assert tables.query("SELECT sum(events) FROM events_15m") == [(facts.counted,)]


def test_what_knows_no_times_is_counted_but_not_kept(tables: Store) -> None:
    empty(tables)
    old = [column for column in PRODUCT_EVENTS.columns if column[0] not in ("time", "properties")]
    tables.insert("events_in", old, [[NOW // 60_000 * 60], ["acme"], ["u"], ["n"]], token="old")
    assert tables.query("SELECT count() FROM product_events") == [(0,)]
    assert tables.query("SELECT sum(events) FROM events_15m") == [(1,)]


def test_a_token_of_the_views_is_another_than_that_of_an_insert_by_hand(tables: Store) -> None:
    """Why a backfill goes by the ledger, and by tokens only where it meets itself."""
    empty(tables)
    facts = folded(PROPERTIES[:3])
    kept = PRODUCT_EVENTS.columns[1:], facts.columns[1:]
    tables.insert("events_in", PRODUCT_EVENTS.columns, facts.columns, token="t")
    for _ in range(2):
        tables.insert("product_events", *kept, token="t")
    assert tables.query("SELECT count() FROM product_events") == [(6,)]


def test_events_of_another_name_or_quarter_hour_are_told_by_the_audit(tables: Store) -> None:
    empty(tables)
    facts = folded(PROPERTIES[:3])
    tables.insert("events_in", PRODUCT_EVENTS.columns, facts.columns, token="t")
    span = sums.kept(tables)

    def differences() -> list[tuple[str, str, int, bool]]:
        cells = sums.read(tables, span).cells["usage.events"]
        return [(cell.left, cell.tenant, *found) for cell, found in cells.items()]

    counted = differences()
    assert [one for one in counted if one[0] == "product_events"] == []
    for change in ("'n1' AS name", "time + INTERVAL 15 MINUTE AS time"):
        tables.command("CREATE TABLE before AS product_events ENGINE = Memory")
        tables.command("INSERT INTO before SELECT * FROM product_events")
        tables.command("TRUNCATE TABLE product_events")
        tables.command(f"INSERT INTO product_events SELECT * REPLACE ({change}) FROM before")
        assert ("product_events", "acme", 0, True) in differences()
        tables.command("TRUNCATE TABLE product_events")
        tables.command("INSERT INTO product_events SELECT * FROM before")
        tables.command("DROP TABLE before")
    assert differences() == counted
