"""The largest numbers that the contract accepts, from the event to every sum that the store keeps.

In a store that began before requests without tokens were told apart: it is migrated on the way.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, resources
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts import Facts, Rules, reader
from pipeline.facts.columns import Maps, Numbers
from pipeline.operate.audit import sums
from tests.property.facts_model import Rec
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.store import EmbeddedStore

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
MINUTE = NOW // 60_000 * 60
KNOWN = files.read(resources.migrations())
BEFORE = next(n for n, one in enumerate(KNOWN) if one.name == "unmetered")
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)
LARGEST: dict[str, Any] = {
    "operation": "chat",
    "model": "m",
    "status_code": 599,
    "duration_ms": 10**9,
    "cost": "999999999.9999999994",
} | dict.fromkeys(TOKENS, 10**10)
TABLES = ("requests_1m", "requests_15m", "totals_15m", "users_1d", "users_1mo")


def folded(events: int, data: dict[str, Any], *, in_batches: bool) -> Facts:
    """Fold so many requests: many at a time, or one by one as those in batches are."""
    made = [
        {
            "specversion": "1.0",
            "id": str(n),
            "source": "s",
            "type": "usage.request.v1",
            "subject": "acme",
            "data": data,
        }
        for n in range(events)
    ]
    values = [made[n : n + 500] for n in range(0, events, 500)] if in_batches else made
    records = [Rec(n, NOW, (), json.dumps(value).encode()) for n, value in enumerate(values)]
    one = reader("usage.requests", Rules())
    facts = one.facts()
    one.read(records, facts)
    assert (facts.counted, facts.rejected) == (events, 0)
    return facts


@pytest.mark.parametrize("in_batches", [False, True])
@pytest.mark.parametrize("events", [1, 2000])
def test_sums_by_minute_hold_the_largest_of_a_window(events: int, *, in_batches: bool) -> None:
    facts = folded(events, LARGEST, in_batches=in_batches)
    tokens = events * 10**10
    assert facts.minutes() == {(MINUTE, "acme"): [events, events, tokens, tokens, 0]}
    # As many again as a window has offsets, in one minute of one tenant.
    for column in facts.columns:
        assert not isinstance(column, Maps)
        items = column.items if isinstance(column, Numbers) else column.codes
        items.extend(items[:1] * 1_000_000)
    tokens += 10**16
    due = [events + 1_000_000, events + 1_000_000, tokens, tokens, 0]
    assert facts.minutes() == {(MINUTE, "acme"): due}


def test_a_store_holds_them_through_a_migration_and_its_audit_agrees(store: EmbeddedStore) -> None:
    place = new_database(store.port)
    settings = settings_for(store.port, place.database, USAGE_KEEP_MINUTE_ROWS="0")
    try:
        migrate(place, settings, migrations=KNOWN[:BEFORE], views=())
        earlier = folded(2000, LARGEST, in_batches=False)
        old = [(one, column) for one, column in _columns(earlier) if one[0] != "unmetered"]
        place.insert("requests_in", [one for one, _ in old], [column for _, column in old])
        before = _sums(place)
        migrate(place, settings)
        assert _sums(place) == before, "nothing of what was counted changes"
        assert _differences(place) == {}
        _insert(place, folded(2000, LARGEST, in_batches=True))
        without = {name: value for name, value in LARGEST.items() if name not in TOKENS}
        _insert(place, folded(3, without, in_batches=False))
        assert _differences(place) == {}
        for table in TABLES:
            [found] = place.query(
                f"SELECT sum(requests), sum(input_tokens), sum(output_tokens), "
                f"toString(sum(cost)) FROM {table}"
            )
            assert found == (4003, 4 * 10**13, 4 * 10**13, "4002999999999.999995997"), table
        for table in ("requests_1m", "requests_15m", "totals_15m"):
            assert place.query(f"SELECT sum(unmetered) FROM {table}") == [(3,)]
        [(micros, parts)] = place.query(
            "SELECT sum(duration_us), sum(cache_read_input_tokens) FROM requests_15m"
        )
        assert (micros, parts) == (4003 * 10**12, 4 * 10**13)
        [answer] = place.query(
            "SELECT requests, unmetered_requests, completion_ms_avg, total_tokens FROM "
            "request_summary(since = '2026-03-01 00:00:00', until = '2026-03-02 00:00:00', "
            "tenant = '', token = '')"
        )
        assert answer == (4003, 3, 1e9, 8 * 10**13)
        place.command(  # as 12 million requests of eleven days in each of two quarter hours
            "INSERT INTO totals_15m (tenant, quarter, requests, completions, completions_us) "
            "SELECT 'globex', toDateTime('2026-04-01 00:00:00', 'UTC') + 900 * number, "
            "12000000, 12000000, 12000000000000000000 FROM numbers(2)"
        )
        [answer] = place.query(
            "SELECT requests, completion_ms_avg FROM request_summary("
            "since = '2026-04-01 00:00:00', until = '2026-04-02 00:00:00', tenant = '', token = '')"
        )
        assert answer == (24_000_000, 1e9)
        place.command(
            "ALTER TABLE totals_15m UPDATE unmetered = 0 WHERE 1 SETTINGS mutations_sync=2"
        )
        assert ("totals_15m", "requests_15m") in _differences(place), "undone by hand, it is found"
    finally:
        place.command(f"DROP DATABASE {place.database}", in_database=False)
        place.close()


def _columns(facts: Facts) -> list[tuple[tuple[str, str], Any]]:
    return list(zip(facts.head.columns, facts.columns, strict=True))


def _insert(store: Store, facts: Facts) -> None:
    store.insert(facts.head.table, facts.head.columns, facts.columns)


def _sums(store: Store) -> list[Any]:
    return [
        store.query(
            f"SELECT sum(requests), sum(input_tokens), sum(output_tokens), sum(cost) FROM {table}"
        )
        for table in TABLES
    ]


def _differences(store: Store) -> dict[tuple[str, str], int]:
    """What the audit says of requests' tables: pairs that differ; the ledger has no such events."""
    cells = sums.read(store, sums.kept(store)).cells["usage.requests"]
    pairs = [(cell.left, cell.right) for cell in cells if "partitions_1m" not in cell]
    return {pair: pairs.count(pair) for pair in pairs}
