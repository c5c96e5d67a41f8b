"""The worlds that are explored in full: small ones at every test run, larger ones with the faults.

More than two records, or more than two faults at a time, multiply the states without a new kind of
meeting: one chunk under way and the next are two records, a worker, its zombie and a successor two
faults.
"""

from __future__ import annotations

from tests.model.state import Scenario

Faults = tuple[tuple[str, int], ...]


def once(*faults: str) -> Faults:
    """Let each fault happen once."""
    return tuple((fault, 1) for fault in faults)


SMALL = {
    "late answers": Scenario(2, faults=once("crash", "kick", "late", "unknown")),
    "offsets deleted": Scenario(2, faults=once("crash", "kick", "delete")),
    "retention": Scenario(2, faults=once("crash", "late", "retention")),
    "store put back": Scenario(2, faults=once("crash", "restore", "retention")),
    "topic made again": Scenario(1, faults=once("crash", "kick", "recreate", "late")),
    "two releases": Scenario(2, faults=once("crash", "kick"), in_all=1, rules=("A", "B")),
    "holes": Scenario(3, at_start=1, holes=frozenset({1}), faults=once("crash", "kick"), in_all=1),
    "buffers": Scenario(2, buffers=True, faults=once("crash", "kick"), in_all=1),
}

LARGE = {
    "buffers": Scenario(2, buffers=True, faults=once("crash", "kick")),
    "three records": Scenario(3, faults=once("crash", "kick", "late", "unknown")),
    "offsets deleted, three records": Scenario(3, faults=once("crash", "late", "delete")),
    "retention, three records": Scenario(3, faults=(("retention", 2), ("late", 1)), in_all=3),
    "store put back": Scenario(2, faults=once("kick", "restore", "retention")),
    "topic made again": Scenario(2, faults=once("kick", "recreate")),
    "two releases": Scenario(2, faults=once("crash", "kick"), rules=("A", "B")),
    "three faults": Scenario(1, faults=once("crash", "kick", "late", "unknown"), in_all=3),
}
