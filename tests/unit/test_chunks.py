"""What is found at assignment, and what is done: row by row of ``docs/exactly-once.md``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.protocol.chunks import (
    METADATA_LIMIT_BYTES,
    Found,
    Halt,
    Intent,
    Lease,
    Plan,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
    plan,
)

SOURCE = Source("usage.requests", 3)
NOW, BEFORE = "this-log", "an-older-log"
RULES = "r1"
FRESH = Found(covered=None, intent=None, committed=None, metadata="", first=0, last=100)
COUNTED = Found(40, Intent(30, 40, RULES), 40, commit_metadata(NOW), first=0, last=100)


def decide(found: Found, *, rules: str = RULES, override_rules: bool = False) -> Plan | Halt:
    return plan(found, incarnation=NOW, rules=rules, override_rules=override_rules)


def names(a: int, b: int, rules: str = RULES, incarnation: str = NOW) -> str:
    return intent_metadata(Range(SOURCE, incarnation, a, b), rules)


# No ledger, no intent, no offset -----------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 7])
def test_nothing_found_starts_at_the_logs_first_offset(first: int) -> None:
    assert decide(replace(FRESH, first=first)) == Plan(start=first)


def test_an_empty_log_is_no_matter() -> None:
    assert decide(replace(FRESH, first=7, last=7)) == Plan(start=7)


# An open intent ----------------------------------------------------------------------------------


def test_an_intent_in_the_store_is_replayed_over_its_range() -> None:
    decided = decide(replace(COUNTED, intent=Intent(40, 55, RULES)))
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to, decided.lost) == (40, 55, None)


def test_an_intent_that_only_the_metadata_names_is_replayed_too() -> None:
    decided = decide(replace(COUNTED, metadata=names(40, 55)))
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to) == (40, 55)


@pytest.mark.parametrize("committed", [None, 0, 20])
def test_an_intent_in_the_store_outlives_the_groups_offset(committed: int | None) -> None:
    found = replace(COUNTED, intent=Intent(40, 55, RULES), committed=committed, metadata="")
    decided = decide(found)
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to) == (40, 55)


def test_the_very_first_chunk_may_be_open() -> None:
    in_store = decide(replace(FRESH, intent=Intent(0, 9, RULES)))
    in_metadata = decide(replace(FRESH, committed=0, metadata=names(0, 9)))
    for decided in (in_store, in_metadata):
        assert isinstance(decided, Plan)
        assert (decided.start, decided.replay_to) == (0, 9)


def test_an_intent_of_other_rules_halts_unless_overridden() -> None:
    found = replace(COUNTED, intent=Intent(40, 55, "r0"))
    halted = decide(found)
    assert isinstance(halted, Halt)
    assert "r0" in halted.reason
    assert "USAGE_OVERRIDE_RULES" in halted.reason
    overridden = decide(found, override_rules=True)
    assert isinstance(overridden, Plan)
    assert overridden.replay_to == 55


def test_a_closed_intent_of_other_rules_is_no_matter() -> None:
    assert decide(COUNTED, rules="r2") == Plan(start=40)


def test_two_intents_with_different_ends_halt() -> None:
    found = replace(COUNTED, intent=Intent(40, 55, RULES), metadata=names(40, 60))
    halted = decide(found)
    assert isinstance(halted, Halt)
    assert "two intents" in halted.reason


def test_an_intent_behind_missing_ledger_rows_halts() -> None:
    halted = decide(replace(COUNTED, intent=Intent(50, 60, RULES)))
    assert isinstance(halted, Halt)
    assert "usage audit" in halted.reason


def test_an_intent_beyond_the_logs_end_halts() -> None:
    assert isinstance(decide(replace(COUNTED, intent=Intent(40, 101, RULES))), Halt)


# No open intent ----------------------------------------------------------------------------------


def test_offset_and_ledger_agree() -> None:
    assert decide(COUNTED) == Plan(start=40)


@pytest.mark.parametrize(
    ("committed", "metadata"),
    [
        (None, ""),
        (30, ""),
        (30, commit_metadata(NOW)),
        (30, names(30, 40)),
        (30, names(30, 35)),
        (0, "set by another tool"),
    ],
)
def test_an_offset_missing_or_behind_the_ledger_is_passed_over(
    committed: int | None, metadata: str
) -> None:
    decided = decide(replace(COUNTED, committed=committed, metadata=metadata))
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to, decided.lost) == (40, None, None)
    assert "going on from 40" in decided.note


@pytest.mark.parametrize("committed", [0, 41, 100])
def test_an_older_incarnations_offset_says_nothing(committed: int) -> None:
    found = replace(COUNTED, committed=committed, metadata=names(committed, 120, RULES, BEFORE))
    decided = decide(found)
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to) == (40, None)


# The offset ahead of the ledger ------------------------------------------------------------------


@pytest.mark.parametrize("metadata", ["", commit_metadata(NOW), names(60, 70)])
def test_an_offset_ahead_of_the_ledger_halts_and_says_what_is_missing(metadata: str) -> None:
    halted = decide(replace(COUNTED, committed=60, metadata=metadata))
    assert isinstance(halted, Halt)
    assert halted.missing == (40, 60)
    assert "[40, 60)" in halted.reason
    assert "usage rewind --to-store" in halted.reason


def test_a_new_store_under_an_old_group_halts() -> None:
    halted = decide(replace(FRESH, committed=60, metadata=commit_metadata(NOW), first=10))
    assert isinstance(halted, Halt)
    assert halted.missing == (10, 60)


def test_a_ledger_beyond_the_logs_end_halts() -> None:
    assert isinstance(decide(replace(COUNTED, last=39)), Halt)


# Retention ---------------------------------------------------------------------------------------


def test_what_retention_deleted_before_it_was_counted_is_lost() -> None:
    decided = decide(replace(COUNTED, first=70))
    assert isinstance(decided, Plan)
    assert (decided.start, decided.lost) == (70, (40, 70))
    assert "[40, 70)" in decided.note


def test_what_was_counted_may_be_deleted() -> None:
    assert decide(replace(COUNTED, first=40)) == Plan(start=40)


@pytest.mark.parametrize("first", [41, 54, 55, 80])
def test_an_intent_cut_by_retention_is_lost_as_exactly_its_range(first: int) -> None:
    decided = decide(replace(COUNTED, intent=Intent(40, 55, RULES), first=first))
    assert isinstance(decided, Plan)
    assert (decided.start, decided.replay_to, decided.lost) == (55, None, (40, 55))


def test_a_lost_intents_rules_are_no_matter() -> None:
    decided = decide(replace(COUNTED, intent=Intent(40, 55, "r0"), first=41))
    assert isinstance(decided, Plan)
    assert decided.lost == (40, 55)


def test_a_first_uncounted_commit_tells_where_the_loss_begins() -> None:
    decided = decide(replace(FRESH, committed=5, metadata=commit_metadata(NOW), first=9))
    assert isinstance(decided, Plan)
    assert decided.lost == (5, 9)


# Leases, tokens, metadata ------------------------------------------------------------------------


def test_a_lease_holds_only_at_its_own_generation_and_member() -> None:
    lease = Lease(4, "member-a")
    assert lease.holds(4, "member-a")
    assert not lease.holds(5, "member-a")
    assert not lease.holds(4, "member-b")


def test_a_lease_without_a_generation_never_holds() -> None:
    assert not Lease(-1, "").holds(-1, "")


def test_a_token_tells_source_incarnation_and_both_ends() -> None:
    chunk = Range(SOURCE, NOW, 40, 55)
    others = [
        chunk._replace(source=Source("usage.requests", 4)),
        chunk._replace(source=Source("usage.recipe-actions", 3)),
        chunk._replace(incarnation=BEFORE),
        chunk._replace(a=41),
        chunk._replace(b=54),
    ]
    assert len({chunk.token, *(other.token for other in others)}) == 6


def test_metadata_that_kafka_would_refuse_is_refused_here() -> None:
    assert len(names(2**63 - 2, 2**63 - 1, "f" * 64)) < 256
    with pytest.raises(ValueError, match=f"over {METADATA_LIMIT_BYTES}"):
        names(0, 1, "r" * METADATA_LIMIT_BYTES)
