"""The audit's invariants: one number by many views, on a sound store, a damaged one, a busy one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.operate.audit import invariants
from pipeline.operate.audit.ledger import Log
from pipeline.operate.audit.report import Check
from pipeline.operate.audit.sums import Kept
from pipeline.protocol.ledger import CHUNKS, INTENTS
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory

LAST = datetime(2025, 3, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def tables(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views."""
    connected = new_database(store.port)
    migrate(connected, settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0"))
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


@pytest.fixture(scope="module")
def filled(tables: Store) -> Store:
    """Provide six weeks of events; what is added to `chunks` and `intents` goes again."""
    assert audited(tables).state == "ok"  # empty
    world = ViewWorld(3, first=LAST - timedelta(days=42), last=LAST)
    fill(tables, rows_in_memory(world.messages(1_500)))
    return tables


@pytest.fixture
def at_rest(filled: Store) -> Iterator[Store]:
    """Provide the same; what a test adds to the ledger goes again."""
    yield filled
    for table in ("chunks", "intents"):
        filled.command(f"TRUNCATE TABLE {table}")


def audited(store: Store, within_seconds: float = 20) -> Check:
    return invariants.check(store, {}, Kept(None, None), within_seconds)


def test_a_sound_store(at_rest: Store) -> None:
    check = audited(at_rest)
    assert (check.findings, check.notes) == ([], [])
    assert re.search(r" to 2025-03-19 2[0-3]:\d\d UTC$", check.compared), "to the last events"


def chunk(store: Store, log: Log, first_event: datetime) -> None:
    """Write a chunk's row that counted one event."""
    row = {
        "topic": log.topic,
        "incarnation": log.incarnation,
        "to_offset": 1,
        "kind": "chunk",
        "received": 1,
        "counted": 1,
        "first_event_time": first_event,
        "last_event_time": first_event,
    }
    columns = [[row.get(name, _nothing(kind))] for name, kind in CHUNKS]
    store.insert("chunks", CHUNKS, columns)


def _nothing(kind: str) -> object:
    if kind.startswith("DateTime"):
        return datetime(1970, 1, 1, tzinfo=UTC)
    return "" if kind == "String" else 0


def intend(store: Store, log: Log) -> None:
    """Announce a chunk [0, 1)."""
    row = {"topic": log.topic, "incarnation": log.incarnation, "to_offset": 1}
    store.insert("intents", INTENTS, [[row.get(name, _nothing(kind))] for name, kind in INTENTS])


LOG = Log("usage.requests", 0, "here")


def test_a_chunk_that_lands_meanwhile_is_no_damage(
    at_rest: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events are seen by some views only: what lies before them is compared instead."""
    landed = LAST - timedelta(days=2)
    ask = invariants.ask

    def ask_while_it_lands(store: Store, period: invariants.Period) -> invariants.Numbers:
        numbers = ask(store, period)
        if period.until > landed.timestamp():
            intend(store, LOG)
            chunk(store, LOG, landed)
            numbers["requests"]["telemetry_summary"] += 1
        return numbers

    monkeypatch.setattr(invariants, "ask", ask_while_it_lands)
    check = audited(at_rest)
    assert (check.findings, check.notes) == ([], [])
    assert "2025-03-18 00:00 UTC" in check.compared


def test_an_open_chunk_leaves_it_undecided(at_rest: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "LANDING_SECONDS", 0.1)
    intend(at_rest, LOG)
    check = audited(at_rest, within_seconds=1)
    assert check.findings == []
    assert "views were not compared" in check.notes[0]


def test_rows_that_stand_in_one_table_alone(at_rest: Store) -> None:
    """Each damage shows in the numbers of the views that read that table, and in no others."""
    a_row = "INSERT INTO {0} SELECT * FROM {0} WHERE {1} LIMIT 1"
    succeeded = "minute >= '2025-03-19 12:00:00' AND NOT failed AND input_tokens AND output_tokens"
    at_rest.command(a_row.format("requests_1m", succeeded))
    assert numbers(audited(at_rest)) == {
        "requests of the last day",
        "input tokens of the last day",
        "output tokens of the last day",
    }
    at_rest.command(a_row.format("totals_15m", "quarter >= '2025-03-01 00:00:00'"))
    check = audited(at_rest)
    assert check.state == "damaged"
    assert "requests" in numbers(check)
    details = next(f.details for f in check.findings if f.where == "requests")
    assert len(set(details["views"].values())) == 2


def numbers(check: Check) -> set[str]:
    return {finding.details["number"] for finding in check.findings}
