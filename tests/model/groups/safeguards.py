"""Each safeguard of groups, and a world small enough in which its absence is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tests.model.groups.state import Scenario
from tests.model.scenarios import once


class Safeguard(NamedTuple):
    """One rule of the takeover."""

    rule: str
    shown_in: Scenario
    found: str
    """What the violation says."""


TWICE = "counted 2 times"
UNCOUNTED = "but not in table"

SAFEGUARDS = {
    "the whole group": Safeguard(
        "a member's range is never replayed alone",
        Scenario(faults=once("crash"), in_all=1),
        TWICE,
    ),
    "gates shut": Safeguard(
        "who waits for a group reads nothing before the ledger has it",
        Scenario((2, 2), faults=once("crash"), in_all=1),
        "the ledger begins with",
    ),
    "not dissolved": Safeguard(
        "a group whose rows are missing is replayed all the same: a paused worker may write them",
        Scenario(faults=once("kick"), in_all=1),
        TWICE,
    ),
    "members in metadata": Safeguard(
        "a commit names the members, not only the group: one lost offset would leave all waiting",
        Scenario(faults=once("crash", "forget")),
        "nothing leads on",
    ),
    "others' offsets": Safeguard(
        "a partition whose own offset is lost is a member if another's names it",
        Scenario((1, 2), faults=once("kick", "forget")),
        TWICE,
    ),
    "commits of its own": Safeguard(
        "who replays a group commits for the partitions that it owns, and for no others",
        Scenario((2, 2), faults=once("kick"), in_all=1, tables=1, ledger_late=True),
        TWICE,
    ),
    "replay recorded": Safeguard(
        "a replay announces its members again, in the store too",
        Scenario(faults=once("crash", "delete", "kick"), in_all=3),
        TWICE,
    ),
    "others' rows": Safeguard(
        "a partition is a member if another's row names it, whose offset has gone on behind a loss",
        Scenario((1, 2), faults=once("forget", "retention"), tables=1, hung=True),
        TWICE,
    ),
    "rules check": Safeguard(
        "an open group of other rules is not replayed",
        Scenario(faults=once("crash"), in_all=1, rules=("A", "B")),
        "two sets of rules",
    ),
    "loss first": Safeguard(
        "a group is replayed without a lost member only once the ledger says that it is lost",
        Scenario(faults=once("kick", "retention")),
        UNCOUNTED,
    ),
    "a loss stays": Safeguard(
        "a ledger row of kind chunk does not replace one of kind lost",
        Scenario(faults=once("kick", "retention")),
        UNCOUNTED,
    ),
}

REDUNDANT = {
    # Any number of workers may send a group, for it is one block under one token: that only the
    # owner of the lowest partition does spares the others reading all of it.
    "the lowest replays": Scenario(faults=once("crash", "kick"), in_all=1),
    # Each member has a row of its own, though one that names all is found by all: so it is as long
    # as that row is not replaced by its partition's next.
    "rows of all": Scenario(faults=once("delete"), in_all=1),
}
"""Parts that the takeover would be exact without, in these worlds."""


def without(name: str) -> Scenario:
    """Return the world in which a safeguard's absence shows, without the safeguard."""
    return replace(SAFEGUARDS[name].shown_in, without=frozenset({name}))
