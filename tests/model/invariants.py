"""What must hold in every state."""

from __future__ import annotations

from functools import lru_cache

from tests.model.state import LedgerRow, Scenario, Store, Violation, World
from tests.model.store import end_of_coverage


def check(scenario: Scenario, world: World) -> None:
    """Raise `Violation` when a state is wrong."""
    wrong = _wrong(scenario, world.store)
    if wrong:
        raise Violation(wrong)
    log = world.log
    starts = [row.a for row in world.store.ledger if row.incarnation == log.incarnation]
    if starts and min(starts) > log.first and not _only_holes(scenario, log.first, min(starts)):
        raise Violation(f"the ledger begins at {min(starts)}, the log at {log.first}")


def is_done(scenario: Scenario, world: World) -> bool:
    """Say whether everything in the log is in the ledger."""
    end = end_of_coverage(world.store, world.log.incarnation)
    return end == world.log.last == scenario.records


@lru_cache(maxsize=1 << 18)
def _wrong(scenario: Scenario, store: Store) -> str:
    for table in store.tables:
        for record, cell in enumerate(table.cells):
            if len(cell) > 1:
                return f"record {record} is counted {len(cell)} times"
    for before, after in zip(store.ledger, store.ledger[1:], strict=False):
        if before.incarnation == after.incarnation and before.b != after.a:
            return f"the ledger does not tile: {before} is followed by {after}"
    for row in store.ledger:
        wrong = _row_wrong(scenario, store, row) if row.kind == "chunk" else ""
        if wrong:
            return wrong
    return ""


def _row_wrong(scenario: Scenario, store: Store, row: LedgerRow) -> str:
    rules = set()
    for offset in range(row.a, row.b):
        if offset in scenario.holes:
            continue
        for number, table in enumerate(store.tables):
            cell = table.cells[row.incarnation * scenario.records + offset]
            if not cell:
                return f"record {offset} is in the ledger ({row}), but not in table {number}"
            rules.add(cell)
    if len(rules) > 1:
        return f"the chunk {row} was counted by two sets of rules"
    return ""


def _only_holes(scenario: Scenario, a: int, b: int) -> bool:
    return all(offset in scenario.holes for offset in range(a, b))
