"""ClickHouse as far as groups lean on it: each insert is one block, there as a whole or not."""

from __future__ import annotations

from functools import lru_cache

from tests.model.groups.state import (
    Insert,
    LedgerRow,
    RecordChunks,
    RecordIntents,
    Scenario,
    Store,
    Table,
    Write,
)
from tests.model.state import Violation


def apply(scenario: Scenario, store: Store, write: Write) -> Store:
    """Return the store after a write took effect."""
    if isinstance(write, Insert):
        return _insert(store, write)
    if isinstance(write, RecordIntents):
        return _record_intents(store, write)
    return _record_chunks(scenario, store, write)


@lru_cache(maxsize=1 << 14)
def ends(ledger: tuple[LedgerRow, ...], partitions: int) -> tuple[int | None, ...]:
    """Return where each partition's ledger ends; None without a row."""
    return tuple(
        max((row.b for row in ledger if row.partition == p), default=None)
        for p in range(partitions)
    )


def _insert(store: Store, write: Insert) -> Store:
    table = store.tables[write.table]
    if write.token in table.tokens:
        return store
    cells = list(table.cells)
    for cell in write.cells:
        cells[cell] += write.rules
    tables = list(store.tables)
    tables[write.table] = Table(tuple(cells), table.tokens | {write.token})
    return store._replace(tables=tuple(tables))


def _record_intents(store: Store, write: RecordIntents) -> Store:
    intents = list(store.intents)
    for partition, intent in write.rows:
        old = intents[partition]
        # ReplacingMergeTree(from_offset): the highest wins, among equal ones the last row.
        if old is None or old.a <= intent.a:
            intents[partition] = intent
    return store._replace(intents=tuple(intents))


def _record_chunks(scenario: Scenario, store: Store, write: RecordChunks) -> Store:
    rows = {(old.partition, old.a): old for old in store.ledger}
    for row in write.rows:
        old = rows.get((row.partition, row.a))
        if old is not None and old.b != row.b:
            raise Violation(f"the ledger row {old} is replaced by {row}")
        if old is not None and old.kind == "lost" and scenario.has("a loss stays"):
            continue
        rows[row.partition, row.a] = row
    return store._replace(ledger=tuple(sorted(rows.values())))
