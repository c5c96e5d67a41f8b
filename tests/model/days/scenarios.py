"""The worlds of users' days, and each safeguard with one in which its absence is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tests.model.days.state import Scenario

OTHER = Scenario(((),), other=1, workers=1, generations=1, torn=True)
IMPATIENT = Scenario(
    ((1,),), other=1, workers=1, generations=0, torn=True, counted=True, is_patient=False
)
ONE = Scenario(((), (1,)))
TORN = Scenario(((1,),), crashes=1, generations=0, torn=True, counted=True)

SMALL = {
    "one record, its partition another's": ONE,
    "late by a day, and on time": Scenario(((0, 1),), first=0, generations=1, workers=1),
    "a day settled by two": TORN,
    "another group": OTHER,
    "another group that is not waited for": IMPATIENT,
}


class Safeguard(NamedTuple):
    """One rule of settling."""

    rule: str
    shown_in: Scenario
    found: str


TWICE, MISSING, FOR_EVER = "counted 2 times", "is not in the", "nothing leads on"

SAFEGUARDS = {
    "the generation's day": Safeguard(
        "a block's day is given out with the assignment, not read by each worker", ONE, MISSING
    ),
    "the intent's day": Safeguard(
        "a replay makes the rows under the day of the intent", ONE, TWICE
    ),
    "open intents": Safeguard(
        "a day is recorded when no intent of an earlier one is open", ONE, MISSING
    ),
    "said in an offset": Safeguard(
        "who records a day says it in an offset first, under the generation", ONE, MISSING
    ),
    "what offsets say": Safeguard(
        "who takes up works under no earlier day than an offset says", ONE, MISSING
    ),
    "a token": Safeguard("a day's block is inserted under a token", TORN, TWICE),
    "on time only": Safeguard(
        "a day's block is what is on time, less what was settled", ONE, TWICE
    ),
    "other groups": Safeguard("a day waits for all groups that feed the store", OTHER, MISSING),
    "again": Safeguard(
        "what a group that nobody waited for brings is added when a day is looked at again",
        IMPATIENT,
        FOR_EVER,
    ),
    "what was there": Safeguard(
        "a token tells how much there was, so that what came behind a block is not taken for it",
        IMPATIENT,
        FOR_EVER,
    ),
    "entered first": Safeguard(
        "a group that is new enters itself before it looks which day it may be given",
        OTHER,
        MISSING,
    ),
    "all groups' days": Safeguard(
        "it is given none before what any group has recorded: a day is settled before it is said",
        OTHER,
        MISSING,
    ),
}


def without(name: str) -> Scenario:
    """Return the world in which a safeguard's absence shows, without the safeguard."""
    return replace(SAFEGUARDS[name].shown_in, without=frozenset({name}))
