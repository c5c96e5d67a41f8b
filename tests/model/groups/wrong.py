"""The takeover rule without one of its parts, each as somebody might well have built it."""

from __future__ import annotations

from dataclasses import replace

from pipeline.protocol.chunks import (
    Plan,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
    read_commit,
)
from tests.model.groups.rule import Decision, Replay, Seen, Wait, decide, informed, members_of
from tests.model.groups.state import INCARNATION, TOPIC, Scenario

All = tuple[Seen, ...]


def decide_wrongly(scenario: Scenario, source: Source, seen: All, rules: str) -> Decision:
    """Decide as `rule.decide` would without what the scenario takes out."""
    p = source.partition
    if not scenario.has("the whole group"):
        seen = tuple(_alone(q, one) for q, one in enumerate(seen))
    if not scenario.has("not dissolved"):
        seen = tuple(map(_row_or_nothing, seen))
    if not scenario.has("others' offsets"):
        seen = tuple(one if q == p else _silent(one) for q, one in enumerate(seen))
    if not scenario.has("loss first"):
        seen = _without_lost(source, seen)
    if not scenario.has("members in metadata"):
        if not _is_complete(source, seen):
            return Wait(p)
        seen = tuple(one if q == p else _silent(one) for q, one in enumerate(seen))
    override = not scenario.has("rules check")
    decided = decide(source, seen, incarnation=INCARNATION, rules=rules, override=override)
    if isinstance(decided, Wait) and not scenario.has("gates shut"):
        members = informed(source, seen, INCARNATION).members
        return Plan(next(m.b for m in members if m.partition == p))
    if isinstance(decided, Wait) and not scenario.has("the lowest replays"):
        other = Source(TOPIC, decided.partition)
        his = decide(other, seen, incarnation=INCARNATION, rules=rules, override=override)
        return his if isinstance(his, Replay) else decided
    return decided


def _named(q: int, one: Seen) -> Range | None:
    _, intent = read_commit(one.found.committed, one.found.metadata, INCARNATION)
    return intent and Range(Source(TOPIC, q), INCARNATION, intent.a, intent.b)


def _alone(q: int, one: Seen) -> Seen:
    """See no more than the partition's own range."""
    range_ = _named(q, one)
    if range_ is None:
        return Seen(one.found)
    _, intent = read_commit(one.found.committed, one.found.metadata, INCARNATION)
    assert intent is not None
    metadata = intent_metadata(range_, intent.rules)
    return Seen(replace(one.found, metadata=metadata))


def _row_or_nothing(one: Seen) -> Seen:
    """Take a group for dead whose row is not in the store."""
    found = one.found
    if not members_of(found.metadata) or (found.intent and found.intent.a == found.committed):
        return one
    return Seen(replace(found, metadata=commit_metadata(INCARNATION)), one.members)


def _silent(one: Seen) -> Seen:
    """Hear nothing of what the offset's metadata says."""
    return Seen(replace(one.found, metadata=""), one.members)


def _without_lost(source: Source, seen: All) -> All:
    """Take members that retention has cut for given up, before anybody wrote it down."""
    covered = list(seen)
    for p, a, b in informed(source, seen, INCARNATION).members:
        found = seen[p].found
        if p != source.partition and found.first > a and (found.covered or 0) <= a:
            covered[p] = Seen(replace(found, covered=b), seen[p].members)
    return tuple(covered)


def _is_complete(source: Source, seen: All) -> bool:
    """Say whether a group that is only named by a digest can be put together from the offsets."""
    own = seen[source.partition]
    members = members_of(own.found.metadata)
    if own.members or not members or (own.found.covered or 0) > (own.found.committed or 0):
        return True
    return all(members_of(seen[m.partition].found.metadata) == members for m in members)
