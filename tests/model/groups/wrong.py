"""The takeover rule without one of its parts, each as somebody might well have built it."""

from __future__ import annotations

from dataclasses import replace

from pipeline.protocol.chunks import (
    Found,
    Intent,
    Plan,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
    read_commit,
)
from pipeline.protocol.groups import Decision, Replay, Wait, decide, informed
from tests.model.groups.state import INCARNATION, TOPIC, Scenario

All = dict[int, Found]


def decide_wrongly(
    scenario: Scenario, source: Source, seen: tuple[Found, ...], rules: str
) -> Decision:
    """Decide as `groups.decide` would without what the scenario takes out."""
    p, found = source.partition, _found(scenario, source, dict(enumerate(seen)))
    if not scenario.has("members in metadata") and not _is_complete(found[p], found):
        return Wait(p)
    override = not scenario.has("rules check")

    def decided_of(one: Source) -> Decision:
        return decide(one, found, incarnation=INCARNATION, rules=rules, override_rules=override)

    if not scenario.has("members in metadata"):
        found = _deaf(p, found)
    decided = decided_of(source)
    if isinstance(decided, Wait) and not scenario.has("gates shut"):
        intent = informed(source, found, INCARNATION).intent
        assert intent is not None
        return Plan(intent.b)
    if isinstance(decided, Wait) and not scenario.has("the lowest replays"):
        his = decided_of(Source(TOPIC, decided.partition))
        return his if isinstance(his, Replay) else decided
    return decided


def _found(scenario: Scenario, source: Source, found: All) -> All:
    """See what is there as somebody would without what the scenario takes out."""
    if not scenario.has("the whole group"):
        found = {q: _alone(q, one) for q, one in found.items()}
    if not scenario.has("not dissolved"):
        found = {q: _row_or_nothing(one) for q, one in found.items()}
    if not scenario.has("others' offsets"):
        found = _deaf(source.partition, found)
    if not scenario.has("others' rows"):
        found = {q: one if q == source.partition else _rowless(one) for q, one in found.items()}
    if not scenario.has("loss first"):
        found = _without_lost(source, found)
    return found


def _named(one: Found) -> Intent | None:
    return read_commit(one.committed, one.metadata, INCARNATION)[1]


def _alone(q: int, one: Found) -> Found:
    """See no more than the partition's own range."""
    if one.intent is not None:
        one = replace(one, intent=one.intent._replace(members=()))
    named = _named(one)
    if named is None:
        return one
    range_ = Range(Source(TOPIC, q), INCARNATION, named.a, named.b)
    return replace(one, metadata=intent_metadata(range_, named.rules))


def _row_or_nothing(one: Found) -> Found:
    """Take a group for dead whose row is not in the store."""
    named = _named(one)
    if named is None or len(named.members) < 2 or (one.intent and one.intent.a == named.a):
        return one
    return replace(one, metadata=commit_metadata(INCARNATION))


def _rowless(one: Found) -> Found:
    """Hear nothing of what its row says of others."""
    return replace(one, intent=one.intent and one.intent._replace(members=()))


def _deaf(p: int, found: All) -> All:
    """Hear nothing of what the metadata of others' offsets says."""
    return {q: one if q == p else replace(one, metadata="") for q, one in found.items()}


def _without_lost(source: Source, found: All) -> All:
    """Take members that retention has cut for given up, before anybody wrote it down."""
    intent = informed(source, found, INCARNATION).intent
    without = dict(found)
    for p, a, b in intent.members if intent is not None else ():
        one = found[p]
        if p != source.partition and one.first > a and (one.covered or 0) <= a:
            without[p] = replace(one, covered=b)
    return without


def _is_complete(own: Found, found: All) -> bool:
    """Say whether a group that is only named by a digest can be put together from the offsets."""
    named = _named(own)
    if named is None or (own.covered or 0) > named.a or (own.intent and own.intent.a == named.a):
        return True
    others = (_named(found[m.partition]) for m in named.members)
    return all(other is not None and other.members == named.members for other in others)
