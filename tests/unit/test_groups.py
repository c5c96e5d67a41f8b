"""What a worker decides of a partition whose open chunk belongs to a group, row by row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

from pipeline.protocol.chunks import (
    METADATA_LIMIT_BYTES,
    Found,
    Halt,
    Intent,
    Member,
    Offset,
    Plan,
    Range,
    Source,
    intent_of,
    read_commit,
)
from pipeline.protocol.chunks import commit_metadata as ended
from pipeline.protocol.chunks import intent_metadata as intended
from pipeline.protocol.groups import (
    MOST_MEMBERS,
    Decision,
    Lose,
    Replay,
    Wait,
    decide,
    partners,
    token,
)

TOPIC, THIS, OURS = "usage.requests", "this", "ours"
GROUP = (Member(0, 10, 20), Member(1, 5, 9), Member(3, 0, 7))
OPEN = {
    p: Found(a, Intent(a, b, OURS, GROUP), a, ended(THIS), first=0, last=100) for p, a, b in GROUP
}


def decided(partition: int, found: dict[int, Found], rules: str = OURS) -> Decision:
    return decide(Source(TOPIC, partition), found, incarnation=THIS, rules=rules)


def counted(p: int) -> Found:
    return replace(OPEN[p], covered=GROUP[p].b)


def metadata(member: Member) -> str:
    range_ = Range(Source(TOPIC, member.partition), THIS, member.a, member.b)
    return intended(range_, OURS, GROUP)


def test_the_lowest_replays_all_and_the_others_wait() -> None:
    assert decided(0, OPEN) == Replay(GROUP, GROUP, "replaying the open chunk [10, 20)")
    assert decided(1, OPEN) == decided(3, OPEN) == Wait(0)


def test_once_it_is_in_the_ledger_the_others_go_on_behind_it() -> None:
    done = {p: replace(one, covered=b) for (p, _, b), one in zip(GROUP, OPEN.values(), strict=True)}
    going_on = decided(1, done)
    assert isinstance(going_on, Plan)
    assert (going_on.start, going_on.replay_to) == (9, None)


def test_the_lowest_that_is_left_replays_what_is_left() -> None:
    found = OPEN | {0: counted(0)}
    replay = decided(1, found)
    assert isinstance(replay, Replay)
    assert (replay.members, replay.left) == (GROUP, GROUP[1:])


def test_a_member_that_retention_has_cut_is_given_up_first_and_keeps_its_group() -> None:
    found = OPEN | {3: replace(OPEN[3], first=3)}
    assert decided(0, found) == Wait(3)
    lost = decided(3, found)
    assert isinstance(lost, Lose)
    assert (lost.a, lost.b, lost.members) == (0, 7, GROUP)


def test_one_that_waits_does_not_halt_for_other_rules() -> None:
    assert isinstance(decided(0, OPEN, "theirs"), Halt)
    assert decided(1, OPEN, "theirs") == Wait(0)


def test_an_offset_names_all_members_when_rows_and_other_offsets_are_gone() -> None:
    none = Found(10, None, None, "", first=0, last=100)
    found = {
        0: none,
        1: Found(5, None, 5, metadata(GROUP[1]), first=0, last=100),
        3: replace(none, covered=0),
    }
    assert isinstance(decided(0, found), Replay)
    assert decided(1, found) == decided(3, found) == Wait(0)


def test_what_an_offset_names_of_a_range_that_is_counted_says_nothing() -> None:
    found = {
        0: Found(30, None, None, "", first=0, last=100),
        1: Found(5, None, 5, metadata(GROUP[1]), first=0, last=100),
    }
    assert decided(0, found) == Plan(30, note="no committed offset: going on from 30")


def test_a_row_of_another_member_names_all_members_too() -> None:
    """Its offset has gone on behind a range that was lost; the others' rows were never written."""
    lost = replace(OPEN[0], covered=20, committed=20, first=20)
    found = {0: lost} | {p: replace(OPEN[p], intent=None, committed=None) for p in (1, 3)}
    replay = decided(1, found)
    assert isinstance(replay, Replay)
    assert (replay.members, replay.left) == (GROUP, GROUP[1:])
    assert decided(3, found) == Wait(1)


def test_a_new_store_is_told_by_an_offset_that_names_a_group_too() -> None:
    """Nothing before the open range is in its ledger: going on behind that would lose it."""
    found = {p: replace(one, covered=None, intent=None) for p, one in OPEN.items()}
    found = {
        p: replace(one, metadata=metadata(GROUP[n])) for n, (p, one) in enumerate(found.items())
    }
    for p in (0, 1):
        halt = decided(p, found)
        assert isinstance(halt, Halt)
        assert halt.missing == (0, OPEN[p].committed)
    assert decided(3, found) == Wait(0)  # its first chunk: open, and the first in the log


def test_no_member_is_replayed_whose_owner_has_to_halt() -> None:
    """Its ledger row would hide what the store lacks before it, or what the log has lost."""
    found = {0: OPEN[0], 1: OPEN[1], 3: replace(OPEN[3], last=5)}
    assert decided(0, found) == Wait(3)
    assert isinstance(decided(3, found), Halt)
    new = replace(OPEN[1], covered=None, intent=None, metadata=metadata(GROUP[1]))
    found = {0: replace(OPEN[0], covered=10), 1: new, 3: OPEN[3]}
    assert decided(0, found) == Wait(1)
    assert isinstance(decided(1, found), Halt)


def test_a_row_beyond_the_ledgers_end_is_not_overlooked_for_what_an_offset_names() -> None:
    beyond = replace(OPEN[0], intent=Intent(15, 20, OURS), metadata=metadata(GROUP[0]))
    assert isinstance(decided(0, OPEN | {0: beyond}), Halt)


def test_a_range_by_itself_is_announced_as_before_groups_and_a_group_by_other_rules() -> None:
    """So a store of before is taken over as it is, and an old worker halts before a group."""
    alone = Range(Source(TOPIC, 0), THIS, 10, 20)
    assert intended(alone, OURS) == '{"incarnation":"this","rules":"ours","to":20}'
    named = json.loads(intended(alone, OURS, GROUP))
    assert named.pop("members") == [[0, 10, 20], [1, 5, 9], [3, 0, 7]]
    assert named == {"incarnation": THIS, "rules": "ours+group", "to": 20}
    committed, intent = read_commit(10, intended(alone, OURS, GROUP), THIS)
    assert (committed, intent) == (10, Intent(10, 20, OURS, GROUP))


def test_a_range_is_announced_with_its_day_which_a_release_of_before_takes_for_other_rules() -> (
    None
):
    alone, day = Range(Source(TOPIC, 0), THIS, 10, 20), date(2026, 11, 29)
    assert json.loads(intended(alone, OURS, (), day))["rules"] == "ours+late<2026-11-29"
    assert json.loads(intended(alone, OURS, GROUP, day))["rules"] == "ours+group+late<2026-11-29"
    for text in ("ours+late<soon", "ours+late<2026-11-29+more"):
        assert intent_of(10, 20, text, ()).rules == text


def test_a_replay_is_under_the_day_of_the_intent_whoever_named_it() -> None:
    day = date(2026, 11, 29)
    under = {
        p: intended(Range(Source(TOPIC, p), THIS, a, b), OURS, GROUP, day) for p, a, b in GROUP
    }
    by_offsets = {
        p: replace(found, intent=None, covered=found.committed, metadata=under[p])
        for p, found in OPEN.items()
    }
    by_rows = {
        p: replace(found, intent=Intent(a, b, OURS, GROUP, day))
        for (p, a, b), found in zip(GROUP, OPEN.values(), strict=True)
    }
    by_another = {**by_offsets, 0: replace(by_offsets[0], metadata=ended(THIS))}
    for found in (by_offsets, by_rows, by_another):
        replay = decided(0, found)
        assert isinstance(replay, Replay)
        assert (replay.members, replay.late_before) == (GROUP, day)
    cut = decided(0, {**by_offsets, 0: replace(by_offsets[0], first=15)})
    assert isinstance(cut, Lose)
    assert (cut.members, cut.late_before) == (GROUP, day)
    replay = decided(0, OPEN)
    assert isinstance(replay, Replay)
    assert replay.late_before is None


def test_a_commit_has_room_for_the_largest_group_and_its_day() -> None:
    far = 2**63 - 1
    members = tuple(Member(2**31 - 1 - p, far - 1, far) for p in range(MOST_MEMBERS))
    text = intended(Range(Source(TOPIC, 0), "i" * 36, 0, far), "r" * 64, members, date.max)
    assert len(text) <= METADATA_LIMIT_BYTES


def test_partners_are_found_by_any_announcement() -> None:
    zero, one, two, three = (Source(TOPIC, p) for p in range(4))
    by_offset = {one: Offset(5, metadata(GROUP[1])), two: Offset(4, "")}
    assert partners([zero], by_offset, {}, {TOPIC: THIS}) == [zero, one, three]
    by_row = {three: Intent(0, 7, OURS, GROUP)}
    assert partners([zero], {}, by_row, {TOPIC: THIS}) == [zero, one, three]
    assert partners([two], by_offset, by_row, {TOPIC: THIS}) == [two]


def test_a_token_tells_groups_apart_and_is_the_ranges_own_of_one() -> None:
    assert token(TOPIC, THIS, GROUP[:1]) == Range(Source(TOPIC, 0), THIS, 10, 20).token
    tokens = {token(TOPIC, THIS, GROUP), token(TOPIC, THIS, GROUP[:2]), token(TOPIC, "x", GROUP)}
    assert len(tokens) == 3
