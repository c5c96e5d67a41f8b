"""Stores as earlier releases had them, with rows: brought to this one, no number changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.native import Columns, Data
from pipeline.clickhouse.schema import files, migrate, resources
from pipeline.errors import MigrationError
from pipeline.facts.types import TYPES
from pipeline.operate.audit import sums
from tests.support.contract.views import VIEWS
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import cases, differences
from tests.support.harness.view_store import duplicate_window, fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory
from tests.support.oracle.log import EVENTS, REQUESTS, Entry
from tests.support.oracle.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

KNOWN = files.read(resources.migrations())
COUNT = 800
LEVELS = ("tables", "entities", "product_events_filled")
"""Each is the last before one that changes how rows are kept; all would take minutes."""


def is_metered(event: dict[str, Any]) -> bool:
    """Whether a request has tokens: those without are told apart since `unmetered` only."""
    tokens = ("input_tokens", "output_tokens")
    return any(event["data"].get(name) is not None for name in tokens)


LOG = [
    entry
    for entry in rows_in_memory(ViewWorld(3).messages(COUNT))
    if entry.topic != REQUESTS or is_metered(entry.event)
]
HEADS = {topic: one.head.table for topic, one in TYPES.items()}
KEPT = {"USAGE_KEEP_MINUTE_ROWS": "0", "USAGE_KEEP_PRODUCT_EVENTS_DAYS": "0"}


class OfBefore:
    """A store to which an older release sends what it knows: its tables, its columns."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.columns: dict[str, set[str]] = {}
        for table, column in store.query(
            "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
        ):
            self.columns.setdefault(table, set()).add(column)

    def insert(self, table: str, columns: Columns, data: Data, *, token: str | None = None) -> None:
        """Insert as `Store.insert`, without the columns that are not there yet."""
        there = [n for n, (name, _) in enumerate(columns) if name in self.columns[table]]
        known, values = [columns[n] for n in there], [data[n] for n in there]
        self._store.insert(table, known, values, token=token)


@pytest.fixture
def database(store: EmbeddedStore) -> Iterator[Store]:
    connected = new_database(store.port)
    yield connected
    connected.command(f"DROP DATABASE {connected.database} SYNC")
    connected.close()


def bring_to(store: Store, level: int) -> None:
    """Make the tables as they were when the migration of this number was the last."""
    store.command(files.fill_in(migrate._MIGRATIONS, ""))
    for migration in KNOWN[:level]:
        for statement in migration.statements():
            store.command(statement)
        migrate._record(store, migration)


def record(store: Store, events: Sequence[Entry]) -> None:
    """Write the ledger's row of product events, by which those are known that were not kept."""
    if not events:
        return
    last = max(int(datetime.fromisoformat(e.event["time"]).timestamp() * 1000) for e in events)
    kinds = (
        ("topic", "String"),
        ("kind", "String"),
        ("incarnation", "String"),
        ("counted", "UInt64"),
    )
    columns = (*kinds, ("last_event_time", "DateTime64(3, 'UTC')"))
    store.insert("chunks", columns, [[EVENTS], ["chunk"], ["i"], [len(events)], [last]])


@pytest.mark.parametrize("last", LEVELS)
def test_numbers_stay(store: EmbeddedStore, database: Store, last: str) -> None:
    """One partition is counted before the upgrade, with what the release knew, the other after."""
    [level] = (one.number for one in KNOWN if one.name == last)
    bring_to(database, level)
    older = OfBefore(database)
    before = [e for e in LOG if not e.partition and HEADS[e.topic] in older.columns]
    assert before
    fill(cast("Store", older), before)
    record(database, [e for e in before if e.topic == EVENTS])

    done = migrate.migrate(database, settings_for(store.port, database.database, **KEPT))
    assert [one.number for one in done.applied] == list(range(level + 1, len(KNOWN) + 1))
    fill(database, [entry for entry in LOG if entry not in before])

    world = World(LOG, duplicate_window())
    found = [
        line
        for view in VIEWS
        for case in cases(view, 1)
        for line in differences(database, world, view, case)
    ]
    assert not found, "\n".join(found[:40])
    cells = sums.read(database, sums.kept(database)).cells
    assert cells == {kind: {} for kind in cells}


def test_an_older_release_changes_nothing(store: EmbeddedStore, database: Store) -> None:
    settings = settings_for(store.port, database.database, **KEPT)
    migrate.migrate(database, settings)
    made = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    tables = database.query(made)
    for older in (
        lambda: migrate.migrate(database, settings, migrations=KNOWN[:-1]),
        lambda: migrate.check(database, migrations=KNOWN[:-1]),
    ):
        with pytest.raises(MigrationError, match="belongs to a newer release; run that one"):
            older()
    assert sorted(tables) == sorted(database.query(made))
