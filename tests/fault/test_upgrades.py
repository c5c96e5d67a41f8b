"""Stores as earlier releases had them, with rows: brought to this one, no number changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.native import Columns, Data
from pipeline.clickhouse.schema import files, migrate, resources
from pipeline.clickhouse.shards import Shards
from pipeline.errors import MigrationError
from pipeline.facts.minutes import MEASURES
from pipeline.facts.types import TYPES
from pipeline.operate.audit import sums
from pipeline.protocol.chunks import Source
from pipeline.protocol.ledger import OUTCOMES, Ledger
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
MINUTE = (("minute", "DateTime('UTC')"),)
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

    NAMES: ClassVar = {"partitions_1m": "outcomes_1m"}
    """What tables were called that are others now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.columns: dict[str, set[str]] = {}
        for table, column in store.query(
            "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
        ):
            self.columns.setdefault(table, set()).add(column)

    def insert(self, table: str, columns: Columns, data: Data, *, token: str | None = None) -> None:
        """Insert as `Store.insert`, without the columns that are not there yet."""
        table = self.NAMES.get(table, table)
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


def test_outcomes_and_live_sums_are_taken_into_one_table(
    store: EmbeddedStore, database: Store
) -> None:
    """Whether or not somebody was killed over it, and parts were merged meanwhile."""
    [level] = (one.number for one in KNOWN if one.name == "partitions")
    bring_to(database, level - 1)
    now = int(time.time()) // 60 * 60
    key = ("usage.requests", 1)
    measures = [(name, "UInt64") for name in MEASURES]
    live = (("topic", "String"), ("partition", "UInt32"), *MINUTE, ("tenant", "String"), *measures)
    for n in (1, 2):
        outcomes = [
            (now - 60, *key, "a", "usage.request.v1", "counted", "", 5 * n),
            (now - 40 * 86_400, *key, "b", "usage.request.v1", "rejected", "too_late", 7),
        ]
        sums = [(*key, now - 60, "a", 5, n, 3, 2, 0), (*key, now - 7200, "a", 1, 0, 0, 0, 0)]
        tasks = [("x.usage.recipe-actions", 1, now - 60, "a", 0, 0, 0, 0, n)]
        for table, columns, rows in (
            ("outcomes_1m", OUTCOMES, outcomes), ("live_1m", live, [*sums, *tasks])
        ):  # fmt: skip
            database.insert(table, columns, [list(one) for one in zip(*rows, strict=True)])
    for statement in KNOWN[level - 1].statements()[:-1] * 2:  # killed before its last one
        database.command(statement)
    database.command("OPTIMIZE TABLE outcomes_1m FINAL")
    migrate.migrate(database, settings_for(store.port, database.database, **KEPT))

    key_columns = "toUnixTimestamp(minute) AS at, tenant, type, outcome, reason"
    found = database.query(
        f"SELECT {key_columns}, sum(events) FROM partitions_1m WHERE events > 0 GROUP BY ALL"
    )
    assert sorted(found) == [
        (now - 40 * 86_400, "b", "usage.request.v1", "rejected", "too_late", 14),
        (now - 60, "a", "usage.request.v1", "counted", "", 15),
    ]
    ledger = Ledger(Shards([database]), "me", "rules")
    sources = Source(*key), Source("x.usage.recipe-actions", 1)
    assert ledger.live(sources, now - 3600) == {
        sources[0]: {(now - 60, "a"): [10, 3, 6, 4, 0]},
        sources[1]: {(now - 60, "a"): [0, 0, 0, 0, 3]},
    }
    gone = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN "
    assert database.query(f"{gone} ('outcomes_1m', 'live_1m')") == [(0,)]


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
