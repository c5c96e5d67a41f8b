"""Product events with their properties, from records to rows of ``product_events``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.facts import Facts, Rules, reader
from pipeline.facts.heads import PRODUCT_EVENTS
from tests.property.facts_model import Rec
from tests.support.harness.view_store import empty

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
HOSTILE = "'); DROP TABLE \\x"
PROPERTIES: list[dict[str, Any]] = [
    {},
    {"status": 200, "user": {"plan": "pro", "a.b": True, "": None}, "tags": [1, "é", {"x": 1.50}]},
    {HOSTILE: HOSTILE, "nul": "\0", "empty": "", "long": "é" * 70_000, "o": {}},
    {f"key {n}": n for n in range(20_000)},
]


def folded(properties: list[dict[str, Any]]) -> Facts:
    facts = Facts(PRODUCT_EVENTS)
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
    records = [Rec(n, NOW, (), json.dumps(value).encode()) for n, value in enumerate(values)]
    reader("usage.events", Rules()).read(records, facts)
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
