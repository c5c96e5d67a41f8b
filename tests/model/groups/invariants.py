"""What must hold in every state."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from tests.model.groups.state import LedgerRow, Scenario, Store, World
from tests.model.groups.store import ends
from tests.model.state import Violation


def check(scenario: Scenario, world: World) -> None:
    """Raise `Violation` when a state is wrong."""
    wrong = _wrong(scenario, world.store)
    if wrong:
        raise Violation(wrong)
    begun: dict[int, int] = {}
    for row in world.store.ledger:
        if begun.setdefault(row.partition, row.a) > world.firsts[row.partition]:
            raise Violation(f"the ledger begins with {row}, the logs with {world.firsts}")


def is_done(scenario: Scenario, world: World) -> bool:
    """Say whether everything in the logs is in the ledger."""
    covered = ends(world.store.ledger, len(scenario.records))
    return all(
        (first if end is None else end) == last
        for end, first, last in zip(covered, world.firsts, scenario.records, strict=True)
    )


@lru_cache(maxsize=1 << 18)
def _wrong(scenario: Scenario, store: Store) -> str:
    for table in store.tables:
        for cell, rules in enumerate(table.cells):
            if len(rules) > 1:
                return f"record {cell} is counted {len(rules)} times"
    ledger = store.ledger
    for before, after in pairwise(ledger):
        if before.partition == after.partition and before.b != after.a:
            return f"the ledger does not tile: {before} is followed by {after}"
    for row in ledger:
        wrong = _row_wrong(scenario, store, row) if row.kind == "chunk" else ""
        if wrong:
            return wrong
    return ""


def _row_wrong(scenario: Scenario, store: Store, row: LedgerRow) -> str:
    rules = set()
    for offset in range(row.a, row.b):
        for number, table in enumerate(store.tables):
            cell = table.cells[scenario.at[row.partition] + offset]
            if not cell:
                return f"{offset} is in the ledger ({row}), but not in table {number}"
            rules.add(cell)
    if len(rules) > 1:
        return f"the chunk {row} was counted by two sets of rules"
    return ""
