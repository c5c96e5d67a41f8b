"""What a worker does with what it finds: `groups.decide`, and a check of each answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from pipeline.protocol.chunks import Found, Halt, Intent, Member, Plan, Source, read_commit
from pipeline.protocol.groups import Decision, Lose, Replay, decide
from tests.model.groups.state import INCARNATION, SHUT, TOPIC, Flow, Scenario, Worker, World
from tests.model.groups.store import ends
from tests.model.groups.wrong import decide_wrongly
from tests.model.state import Violation


def planned(scenario: Scenario, world: World, worker: Worker) -> tuple[str, Worker]:
    """Return what the worker decides of the partitions that are still shut, and itself after it.

    Losses are written down first, then groups replayed, one at a time; then it looks again. Raises
    `Violation` when it gives up what is not lost, or halts without a reason.
    """
    seen = _seen(scenario, world, worker)
    shut = [p for p in worker.mine if worker.starts[p] == SHUT]
    decisions = {p: _decided(scenario, p, seen, worker.rules) for p in shut}
    for p, halt in decisions.items():
        if isinstance(halt, Halt):
            _check_halt(world, p, seen, halt, worker.rules)
            return halt.reason, Worker("halted", worker.rules)
    looking = worker._replace(offsets=None, early=None)
    flows = [_flow(p, decision, worker.rules) for p, decision in decisions.items()]
    for flow in sorted((f for f in flows if f is not None), key=lambda f: f.kind):
        if flow.kind == "lost":
            _check_loss(seen, flow.left[0])
        what = f"{flow.kind} {flow.left} of {flow.members}"
        return what, looking._replace(phase="flush", flow=flow)
    starts = list(worker.starts)
    for p, plan in decisions.items():
        if isinstance(plan, Plan):
            starts[p] = plan.start
    return f"{decisions}", looking._replace(phase="ready", starts=tuple(starts))


def _flow(p: int, decision: Decision, rules: str) -> Flow | None:
    if isinstance(decision, Lose):
        range_ = Member(p, decision.a, decision.b)
        return Flow("lost", decision.members, (range_,), rules)
    if isinstance(decision, Replay):
        return Flow("replay", decision.members, decision.left, rules)
    return None


def _seen(scenario: Scenario, world: World, worker: Worker) -> tuple[Found, ...]:
    assert worker.offsets is not None
    covered, intents = ends(world.store.ledger, len(scenario.records)), world.store.intents
    if worker.early is not None:
        intents, first_end = worker.early
        covered = (first_end, *covered[1:])
    seen = []
    for p in scenario.partitions:
        committed, metadata = worker.offsets[p] or (None, "")
        intent, bounds = intents[p], (world.firsts[p], scenario.records[p])
        seen.append(Found(covered[p], intent, committed, metadata, *bounds))
    return tuple(seen)


@lru_cache(maxsize=1 << 15)
def _decided(scenario: Scenario, p: int, seen: tuple[Found, ...], rules: str) -> Decision:
    """Decide, without the safeguards that are taken out."""
    if not scenario.without:
        found = dict(enumerate(seen))
        return decide(Source(TOPIC, p), found, incarnation=INCARNATION, rules=rules)
    return decide_wrongly(scenario, Source(TOPIC, p), seen, rules)


def _check_loss(seen: Sequence[Found], lost: Member) -> None:
    p, a, b = lost
    first = seen[p].first
    if a >= first or (b > first and not _is_open(p, seen, (a, b))):
        raise Violation(f"{lost} is given up, the log begins at {first}")


def _is_open(p: int, seen: Sequence[Found], range_: tuple[int, int]) -> bool:
    """Say whether exactly this range is announced somewhere."""
    return any(intent[:2] == range_ for intent in _announced(p, seen))


def _check_halt(world: World, p: int, seen: Sequence[Found], halt: Halt, rules: str) -> None:
    if halt.missing is not None and world.restored:
        return
    end = seen[p].covered or 0
    if any(intent.a >= end and intent.rules != rules for intent in _announced(p, seen)):
        return
    raise Violation(f"a worker halts: {halt.reason}")


def _announced(p: int, seen: Sequence[Found]) -> Iterator[Intent]:
    """Yield every announcement of a range of the partition."""
    recorded = seen[p].intent
    if recorded is not None:
        yield recorded
    for q, other in enumerate(seen):
        _, named = read_commit(other.committed, other.metadata, INCARNATION)
        if named is not None and q == p:
            yield named
        for intent in (named, other.intent):
            if intent is not None:
                ranges = (member for member in intent.members if member.partition == p)
                yield from (Intent(a, b, intent.rules, intent.members) for _, a, b in ranges)
