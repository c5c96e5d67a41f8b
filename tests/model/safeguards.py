"""Each safeguard of the protocol, and a world small enough in which its absence is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tests.model.scenarios import once
from tests.model.state import Scenario


class Safeguard(NamedTuple):
    """One rule of the protocol."""

    rule: str
    shown_in: Scenario
    found: str
    """What the violation says."""


TWICE = "counted 2 times"
HOLES = Scenario(3, at_start=1, holes=frozenset({1}), faults=once("crash"), in_all=1)

SAFEGUARDS = {
    "lease check": Safeguard(
        "a commit is sent only while generation and member are the assignment's",
        Scenario(2),
        TWICE,
    ),
    "lease of the assignment": Safeguard(
        "the lease is captured before the coordinator can join again", Scenario(2), TWICE
    ),
    "generation below 0 refused": Safeguard(
        "a member that was reset does not commit", Scenario(2, faults=once("crash", "kick")), TWICE
    ),
    "single attempt": Safeguard(
        "a commit is not sent again under another generation",
        Scenario(2, faults=once("kick", "unknown")),
        TWICE,
    ),
    "leave the group": Safeguard(
        "after a commit of unknown result the worker becomes a new member",
        Scenario(2, faults=once("unknown")),
        "two intents are open",
    ),
    "intent in metadata": Safeguard(
        "the commit before the inserts names the chunk's end",
        Scenario(2, faults=once("crash", "kick"), in_all=1),
        TWICE,
    ),
    "intent row": Safeguard(
        "the intent is in the store too", Scenario(2, faults=once("delete")), TWICE
    ),
    "intent row first": Safeguard(
        "the intent is in the store before the first insert",
        Scenario(2, faults=once("delete")),
        TWICE,
    ),
    "newest intent": Safeguard(
        "a late row of an older intent does not replace a newer one",
        Scenario(3, faults=once("delete", "late")),
        TWICE,
    ),
    "replay intended": Safeguard(
        "a replay announces its range again, in both places",
        Scenario(2, faults=once("crash", "delete")),
        TWICE,
    ),
    "tokens": Safeguard(
        "an insert carries a token, and the store drops a repeated one",
        Scenario(2, faults=once("crash")),
        TWICE,
    ),
    "incarnation in token": Safeguard(
        "a recreated topic's chunks have tokens of their own",
        Scenario(2, faults=once("recreate")),
        "but not in table 0",
    ),
    "incarnation in metadata": Safeguard(
        "an offset of the topic's older incarnation says nothing",
        Scenario(2, faults=once("recreate")),
        "a worker halts",
    ),
    "ledger last": Safeguard(
        "the ledger row is the last of the inserts",
        Scenario(2, faults=once("crash")),
        "but not in table 1",
    ),
    "one chunk at a time": Safeguard(
        "the next chunk is not intended before this one is in the ledger",
        Scenario(2, faults=once("crash")),
        "",
    ),
    "stale batches dropped": Safeguard(
        "a batch that was fetched under another assignment is not added",
        Scenario(2, faults=once("kick"), buffers=True),
        TWICE,
    ),
    "offset read first": Safeguard(
        "a worker reads the group's offset before the store, which can only be further then",
        Scenario(2),
        "a worker halts: the group has committed",
    ),
    "ledger before offset": Safeguard(
        "where they differ, the ledger decides and not the group's offset",
        Scenario(2, faults=once("crash")),
        "",
    ),
    "retention check": Safeguard(
        "a start before the log's first offset is noticed",
        Scenario(2, faults=once("retention")),
        "but not in table 0",
    ),
    "loss intended": Safeguard(
        "a lost range is announced like a chunk before its ledger row",
        Scenario(3, faults=(("retention", 2), ("late", 1)), in_all=3),
        "is replaced by",
    ),
    "loss is the intent's range": Safeguard(
        "an intent that retention has cut is given up as exactly its range",
        Scenario(3, faults=(("retention", 2), ("late", 1), ("crash", 1)), in_all=4),
        "",
    ),
    "rules check": Safeguard(
        "an open intent of other rules is not replayed",
        Scenario(2, faults=once("crash"), rules=("A", "B")),
        "two sets of rules",
    ),
    "end is the position": Safeguard(
        "a chunk ends at the consumer's position, not behind its last record",
        Scenario(3, holes=frozenset({1})),
        "",
    ),
    "replay ends behind its range": Safeguard(
        "a replay is over when the position has reached its end or passed it",
        HOLES,
        "nothing leads on",
    ),
}

REDUNDANT = {
    # One start is inserted under one end only: whoever finds the intent takes its end, and who does
    # not find it knows that nothing was inserted. Should that ever fail, two ends in the token
    # double what one would drop; either is wrong, but the ledger's sums show the doubling.
    "end in token": Scenario(2, faults=once("crash", "kick", "delete")),
}
"""Parts that the protocol would be exact without, in these worlds."""

# The broker refuses to delete offsets of a group with members, but not while a worker that it has
# expelled hangs between its intent's commit and its intent's row. Hence: stop all workers first.
KNOWN_LIMIT = Scenario(2, faults=once("kick", "delete"), zombies_at_delete=True)


def without(name: str) -> Scenario:
    """Return the world in which a safeguard's absence shows, without the safeguard."""
    return replace(SAFEGUARDS[name].shown_in, without=frozenset({name}))
