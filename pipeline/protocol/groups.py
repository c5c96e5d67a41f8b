"""Groups: ranges of several partitions, inserted as one block; who takes them over. Pure.

A *group* is the set of ranges, of one topic, that were sealed together: their rows go into each
table as one block under the group's token. Every announcement of it, the metadata of each member's
committed offset as well as each member's row in the store, names all members: whoever finds one
finds all. A range is never made alone: the owner of the lowest member that is not in the ledger
replays all that are not, the others' owners wait for the ledger
(``docs/decisions/groups.md``; explored in ``tests/model/groups``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from pipeline.protocol.chunks import (
    Found,
    Halt,
    Intent,
    Member,
    Members,
    Offset,
    Plan,
    Range,
    Source,
    covered_to,
    plan,
    read_commit,
)

MOST_MEMBERS = 64
"""Of one group: each names all, within the bytes that a commit's metadata may have."""


class Replay(NamedTuple):
    """Make these members' rows again and insert them as one block, under the token of all."""

    members: Members
    left: Members
    """Without those that are in the ledger already."""
    note: str
    late_before: date | None = None
    """The day that they are announced under, so that their block is the same again."""


class Lose(NamedTuple):
    """Give up exactly this range; its announcement goes on naming its group."""

    a: int
    b: int
    members: Members
    note: str
    late_before: date | None = None


class Wait(NamedTuple):
    """Keep the gate shut and look again: the owner of this partition has to act first."""

    partition: int


Decision = Plan | Replay | Lose | Wait | Halt


def token(topic: str, incarnation: str, members: Members) -> str:
    """Return the deduplication token of a group's inserts; of one range, the range's own."""
    tokens = [Range(Source(topic, p), incarnation, a, b).token for p, a, b in members]
    if len(tokens) == 1:
        return tokens[0]
    digest = hashlib.sha256("\n".join(tokens).encode()).hexdigest()
    return f"{topic}:{incarnation}:{digest}"


def decide(
    source: Source,
    found: Mapping[int, Found],
    *,
    incarnation: str,
    rules: str,
    override_rules: bool = False,
) -> Decision:
    """Decide how to go on with a partition, from what is found of all partitions of its topic."""
    own = informed(source, found, incarnation)
    decided = plan(own, incarnation=incarnation, rules=rules, override_rules=True)
    if isinstance(decided, Halt):
        return decided
    if decided.lost is not None:
        intent = _announced(own, *decided.lost)
        members = _members(source, intent, *decided.lost)
        return Lose(*decided.lost, members, decided.note, intent and intent.late_before)
    if decided.replay_to is None:
        return decided
    intent = _announced(own, decided.start, decided.replay_to)
    members = _members(source, intent, decided.start, decided.replay_to)
    left = tuple(member for member in members if not _is_covered(found, member))
    if left[0].partition != source.partition:
        return Wait(left[0].partition)
    for member in left[1:]:
        if not _is_open(source.topic, found, member, incarnation):
            return Wait(member.partition)
    decided = plan(own, incarnation=incarnation, rules=rules, override_rules=override_rules)
    if isinstance(decided, Halt):
        return decided
    return Replay(members, left, decided.note, intent and intent.late_before)


def informed(source: Source, found: Mapping[int, Found], incarnation: str) -> Found:
    """Return what is found of the partition, its intent being the open one, wherever it is named.

    Without one it is what it was: a row that is closed, or that lies where none can, `plan` judges.
    """
    own = found[source.partition]
    committed, named = read_commit(own.committed, own.metadata, incarnation)
    end = covered_to(own, committed)
    if own.intent is not None and own.intent.a >= end:
        return own
    for intent in (named, *_named_by_others(source, found, incarnation)):
        if intent is None or (committed is not None and committed > intent.a):
            continue
        # Without a ledger, it cannot lie behind where the first chunk begins: that is a new store.
        if intent.a == end or (own.covered is None and intent.a < end):
            return replace(own, intent=intent)
    return own


def partners(
    sources: Sequence[Source],
    committed: Mapping[Source, Offset],
    intents: Mapping[Source, Intent],
    incarnations: Mapping[str, str],
) -> list[Source]:
    """Return the partitions with all that anything announces together with one of them."""
    named = set(sources)
    for source, offset in committed.items():
        _, intent = read_commit(*offset, incarnations[source.topic])
        _add_group(named, source, intent, sources)
    for source, intent in intents.items():
        _add_group(named, source, intent, sources)
    return sorted(named)


def _add_group(
    named: set[Source], source: Source, intent: Intent | None, wanted: Sequence[Source]
) -> None:
    group = [Source(source.topic, p) for p, _, _ in intent.members] if intent is not None else []
    if any(member in wanted for member in group):
        named.update([source, *group])


def _announced(own: Found, a: int, b: int) -> Intent | None:
    """Return what the range was announced by, if anything is known of it."""
    intent = own.intent
    return intent if intent is not None and intent[:2] == (a, b) else None


def _members(source: Source, intent: Intent | None, a: int, b: int) -> Members:
    """Return the members of the group that the range was announced in; itself, if in none."""
    return (intent.members if intent is not None else ()) or (Member(source.partition, a, b),)


def _named_by_others(
    source: Source, found: Mapping[int, Found], incarnation: str
) -> Iterator[Intent]:
    """Yield what the other partitions' rows and offsets announce of this one."""
    for partition, other in found.items():
        _, named = read_commit(other.committed, other.metadata, incarnation)
        for intent in (other.intent, named):
            if intent is None or partition == source.partition:
                continue
            for member, a, b in intent.members:
                if member == source.partition:
                    yield intent._replace(a=a, b=b)


def _is_covered(found: Mapping[int, Found], member: Member) -> bool:
    covered = found[member.partition].covered
    return covered is not None and covered > member.a


def _is_open(topic: str, found: Mapping[int, Found], member: Member, incarnation: str) -> bool:
    """Say whether its owner finds the range open, and nothing to give up or to halt for first."""
    own = informed(Source(topic, member.partition), found, incarnation)
    decided = plan(own, incarnation=incarnation, rules="", override_rules=True)
    return isinstance(decided, Plan) and (decided.start, decided.replay_to) == member[1:]
