"""The worlds of groups that are explored in full: small ones always, larger ones by `make soak`.

The larger ones take ten minutes of one core.
"""

from __future__ import annotations

from tests.model.groups.state import Scenario
from tests.model.scenarios import once

SMALL = {
    "killed": Scenario(faults=once("crash"), in_all=1),
    "expelled, metadata lost": Scenario(faults=once("kick", "strip"), in_all=1),
    "late insert": Scenario(faults=once("late"), in_all=1),
    "unknown commit": Scenario(faults=once("unknown"), in_all=1),
    "retention": Scenario(faults=once("retention"), in_all=1),
    "one partition, store put back": Scenario((3,), faults=once("restore"), in_all=1, tables=1),
    "hung, offset lost, retention": Scenario(
        (1, 2), faults=once("forget", "retention"), tables=1, hung=True
    ),
    "ledger late": Scenario((2, 1), faults=once("kick", "crash"), in_all=1, ledger_late=True),
    "three partitions, ledger late": Scenario(
        (1, 1, 1), faults=once("kick", "crash"), in_all=1, ledger_late=True
    ),
}

LARGE = {
    "killed and expelled": Scenario(faults=once("crash", "kick")),
    "killed, offset lost": Scenario(faults=once("crash", "forget")),
    "expelled, offset lost": Scenario(faults=once("kick", "forget")),
    "expelled, offsets deleted": Scenario(faults=once("kick", "delete")),
    "expelled, retention": Scenario(faults=once("kick", "retention")),
    "expelled, late insert": Scenario(faults=once("kick", "late")),
    "late insert, retention": Scenario(faults=once("late", "retention")),
    "two releases": Scenario(faults=once("crash"), in_all=1, rules=("A", "B")),
    "store put back": Scenario(faults=once("crash", "restore")),
    "store put back, two records": Scenario((2, 1), faults=once("restore"), in_all=1, tables=1),
    "ledgers read one after the other": Scenario(faults=once("crash"), in_all=1, torn=True),
    "ledgers read one after the other, expelled": Scenario(
        faults=once("kick"), in_all=1, torn=True
    ),
    "two records": Scenario((2, 2), faults=once("kick"), in_all=1),
}
