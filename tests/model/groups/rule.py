"""Who takes over a partition whose open chunk belongs to a group, and what it does. Pure.

A *group* is the set of ranges, of one topic, that were sealed together: their rows are inserted as
one block under the group's token. Every announcement of it, the metadata of each member's committed
offset as well as each member's row in the store, names all members: whoever finds one finds all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from pipeline.protocol.chunks import (
    Found,
    Halt,
    Intent,
    Plan,
    Range,
    Source,
    intent_metadata,
    plan,
    read_commit,
)


class Member(NamedTuple):
    """One range of a group."""

    partition: int
    a: int
    b: int


Members = tuple[Member, ...]
"""Of one group, by partition."""


class Seen(NamedTuple):
    """What is found of one partition, as a worker finds it of every partition of the topic."""

    found: Found
    members: Members = ()
    """Those of the store's intent; none where it belongs to no group."""


class Replay(NamedTuple):
    """Make these members' rows again and insert them as one block, under the token of all."""

    members: Members
    left: Members
    """Without those that are in the ledger already."""
    note: str


class Lose(NamedTuple):
    """Give up exactly this range; its announcement goes on naming its group."""

    a: int
    b: int
    members: Members
    note: str


class Wait(NamedTuple):
    """Keep the gate shut and look again: somebody else has to act first."""

    partition: int


Decision = Plan | Replay | Lose | Wait | Halt


def token(topic: str, incarnation: str, members: Members) -> str:
    """Return the group's token; of a single range, the range's own."""
    return "+".join(Range(Source(topic, p), incarnation, a, b).token for p, a, b in members)


class _Named(msgspec.Struct):
    members: list[tuple[int, int, int]] = []


def group_metadata(range_: Range, rules: str, members: Members) -> str:
    """Return the metadata of the commit that intends the range as a member of a group."""
    metadata = msgspec.json.decode(intent_metadata(range_, rules))
    if len(members) > 1:
        metadata["members"] = members
    return msgspec.json.encode(metadata).decode()


def members_of(metadata: str) -> Members:
    """Read the members that a commit names; none for one that is no group's."""
    named = msgspec.json.decode(metadata, type=_Named) if metadata else _Named()
    return tuple(Member(*member) for member in named.members)


def decide(
    source: Source, seen: Sequence[Seen], *, incarnation: str, rules: str, override: bool = False
) -> Decision:
    """Decide how to go on with a partition, from what is found of all partitions of its topic."""
    own = informed(source, seen, incarnation)
    found, members = own.found, own.members
    decided = plan(found, incarnation=incarnation, rules=rules, override_rules=True)
    if isinstance(decided, Halt):
        return decided
    if decided.lost is not None:
        return Lose(*decided.lost, members, decided.note)
    if decided.replay_to is None:
        return decided
    members = members or (Member(source.partition, decided.start, decided.replay_to),)
    left = tuple(member for member in members if not _is_covered(seen, member))
    if left[0].partition != source.partition:
        return Wait(left[0].partition)
    for member in left[1:]:
        if not _is_readable(seen, member):
            return Wait(member.partition)
    decided = plan(found, incarnation=incarnation, rules=rules, override_rules=override)
    return decided if isinstance(decided, Halt) else Replay(members, left, decided.note)


def informed(source: Source, seen: Sequence[Seen], incarnation: str) -> Seen:
    """Return what is found of the partition, with the intent that only others' offsets name."""
    found, members = seen[source.partition]
    if found.intent is not None and found.intent.a == (found.covered or found.intent.a):
        return Seen(found, members)
    committed, named = read_commit(found.committed, found.metadata, incarnation)
    if named is not None and named.a == (found.covered or named.a):
        return Seen(found, members_of(found.metadata))
    for intent, others in _named_by_others(source, seen, incarnation):
        is_open = found.covered is None or found.covered == intent.a
        if is_open and (committed is None or committed <= intent.a):
            range_ = Range(source, incarnation, intent.a, intent.b)
            metadata = intent_metadata(range_, intent.rules)
            return Seen(replace(found, committed=intent.a, metadata=metadata), others)
    return Seen(found, ())


def _named_by_others(
    source: Source, seen: Sequence[Seen], incarnation: str
) -> Iterator[tuple[Intent, Members]]:
    for other in seen:
        _, named = read_commit(other.found.committed, other.found.metadata, incarnation)
        if named is None:
            continue
        members = members_of(other.found.metadata)
        for partition, a, b in members:
            if partition == source.partition:
                yield Intent(a, b, named.rules), members


def _is_covered(seen: Sequence[Seen], member: Member) -> bool:
    covered = seen[member.partition].found.covered
    return covered is not None and covered > member.a


def _is_readable(seen: Sequence[Seen], member: Member) -> bool:
    """Say whether its owner has nothing to give up first."""
    found = seen[member.partition].found
    return found.first <= member.a and found.covered in (None, member.a)
