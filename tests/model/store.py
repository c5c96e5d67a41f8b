"""ClickHouse as far as the protocol leans on it."""

from __future__ import annotations

from tests.model.state import (
    Insert,
    LedgerRow,
    RecordIntent,
    Scenario,
    Store,
    Table,
    Violation,
    Write,
)


def apply(scenario: Scenario, store: Store, write: Write) -> Store:
    """Return the store after a write took effect."""
    if isinstance(write, Insert):
        return _insert(scenario, store, write)
    if isinstance(write, RecordIntent):
        return _record_intent(scenario, store, write)
    return _record(store, write)


def end_of_coverage(store: Store, incarnation: int) -> int | None:
    """Return where the ledger of the incarnation ends; None without a row."""
    return max((row.b for row in store.ledger if row.incarnation == incarnation), default=None)


def _insert(scenario: Scenario, store: Store, write: Insert) -> Store:
    table = store.tables[write.table]
    if scenario.has("tokens") and write.token in table.tokens:
        return store
    cells = list(table.cells)
    for cell in write.cells:
        cells[cell] += write.rules
    tables = list(store.tables)
    tables[write.table] = Table(tuple(cells), table.tokens | {write.token})
    return store._replace(tables=tuple(tables))


def _record_intent(scenario: Scenario, store: Store, write: RecordIntent) -> Store:
    intents = dict(store.intents)
    old = intents.get(write.incarnation)
    # ReplacingMergeTree(from_offset): the highest from_offset wins, among equal ones the last row.
    if old is not None and old.a > write.intent.a and scenario.has("newest intent"):
        return store
    intents[write.incarnation] = write.intent
    return store._replace(intents=tuple(sorted(intents.items())))


def _record(store: Store, row: LedgerRow) -> Store:
    rows = {(old.incarnation, old.a): old for old in store.ledger}
    old = rows.get((row.incarnation, row.a))
    if old is not None and old.b != row.b:
        raise Violation(f"the ledger row {old} is replaced by {row}")
    rows[row.incarnation, row.a] = row
    return store._replace(ledger=tuple(sorted(rows.values())))
