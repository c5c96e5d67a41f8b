"""Steps 3 to 7: a group, its replay or a lost range, and how it can end."""

from __future__ import annotations

from pipeline.protocol.chunks import (
    Intent,
    Member,
    Members,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
)
from tests.model.groups.kafka import accepts, begun, commit
from tests.model.groups.state import (
    INCARNATION,
    TOPIC,
    Flow,
    Insert,
    LateCommit,
    LedgerRow,
    Offset,
    RecordChunks,
    RecordIntents,
    Scenario,
    Steps,
    Worker,
    World,
    Write,
    put,
    spend,
)
from tests.model.groups.store import apply

Offsets = tuple[tuple[int, Offset], ...]


def order(scenario: Scenario, flow: Flow) -> tuple[str, ...]:
    """Return the steps of what is under way."""
    if flow.kind == "lost":
        return ("intend", "intent rows", "ledger", "commit")
    inserts = [f"table {n}" for n in range(scenario.tables)]
    if flow.kind == "replay" and not scenario.has("replay recorded"):
        return ("intend", *inserts, "ledger", "commit")
    return ("intend", "intent rows", *inserts, "ledger", "commit")


def heed(worker: Worker) -> Worker:
    """Abandon what is under way."""
    assert worker.upcoming is not None
    return begun(worker, worker.upcoming)


def flush(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    """Yield how the next step may go."""
    flow = worker.flow
    assert flow is not None
    name = order(scenario, flow)[flow.step]
    if name in ("intend", "commit"):
        offsets = _offsets(scenario, worker, flow, ends=name == "commit")
        done = _finished(worker, flow) if name == "commit" else _next(worker, flow)
        yield from _commit(world, i, offsets, done)
    else:
        yield from _send(scenario, world, i, name, write_of(scenario, flow, name), worker, flow)


def _next(worker: Worker, flow: Flow) -> Worker:
    return worker._replace(flow=flow._replace(step=flow.step + 1))


def _finished(worker: Worker, flow: Flow) -> Worker:
    """Go on where the consumer stands; after a replay or a loss look again."""
    if flow.kind != "chunk":
        return worker._replace(phase="reading", flow=None)
    starts = list(worker.starts)
    for partition, _, b in flow.left:
        starts[partition] = b
    return worker._replace(phase="ready", starts=tuple(starts), flow=None)


def _offsets(scenario: Scenario, worker: Worker, flow: Flow, *, ends: bool) -> Offsets:
    """Return what is committed: of the partitions that are assigned to the worker."""
    members = flow.left
    if scenario.has("commits of its own"):
        members = tuple(m for m in flow.left if m.partition in worker.mine)
    return tuple((m.partition, _offset(flow, m, ends=ends)) for m in members)


def _offset(flow: Flow, member: Member, *, ends: bool) -> Offset:
    if ends:
        return member.b, commit_metadata(INCARNATION)
    return member.a, intent_metadata(_range(member), flow.rules, flow.members)


def _range(member: Member) -> Range:
    return Range(Source(TOPIC, member.partition), INCARNATION, member.a, member.b)


def write_of(scenario: Scenario, flow: Flow, name: str) -> Write:
    """Return what the step sends to the store."""
    if name == "intent rows":
        said_of = flow.left if scenario.has("rows of all") else flow.left[:1]
        rows = ((p, Intent(a, b, flow.rules, flow.members)) for p, a, b in said_of)
        return RecordIntents(tuple(rows))
    if name == "ledger":
        kind = "lost" if flow.kind == "lost" else "chunk"
        return RecordChunks(tuple(LedgerRow(p, a, b, kind) for p, a, b in flow.left))
    return Insert(int(name.split()[1]), flow.members, _cells(scenario, flow.left), flow.rules)


def _cells(scenario: Scenario, members: Members) -> tuple[int, ...]:
    return tuple(scenario.at[p] + offset for p, a, b in members for offset in range(a, b))


def _send(
    scenario: Scenario, world: World, i: int, name: str, write: Write, worker: Worker, flow: Flow
) -> Steps:
    """Write to the store; on an answer that does not come, try again."""
    after = world._replace(store=apply(scenario, world.store, write))
    yield (
        f"worker {i}: {name} of {flow.kind} {said(flow.left)}",
        False,
        put(after, i, _next(worker, flow)),
    )
    spent = spend(world, "late")
    if spent is not None:
        late = (*world.late_writes, write)
        yield f"worker {i}: {name}, no answer", True, spent._replace(late_writes=late)


def _commit(world: World, i: int, offsets: Offsets, done: Worker) -> Steps:
    """Make one attempt to commit, under the lease."""
    worker = world.workers[i]
    assert worker.lease is not None
    if not worker.lease.holds(*worker.view):
        moved_on = heed(worker) if worker.upcoming is not None else Worker("out", worker.rules)
        yield f"worker {i} is fenced", False, put(world, i, moved_on)
    elif not accepts(world.kafka, *worker.view):
        refused = put(world, i, Worker("out", worker.rules))
        yield f"worker {i} is refused by the broker", False, refused
    else:
        yield f"worker {i} commits {offsets}", False, put(commit(world, offsets), i, done)
        yield from _unanswered(world, i, offsets)


def _unanswered(world: World, i: int, offsets: Offsets) -> Steps:
    spent = spend(world, "unknown")
    if spent is None:
        return
    worker = world.workers[i]
    left = Worker("unknown", worker.rules, worker.view, upcoming=worker.upcoming)
    after = put(spent, i, left)
    yield f"worker {i} commits {offsets}, no answer", True, commit(after, offsets)
    if len(offsets) > 1:
        for one in offsets:
            yield f"worker {i} commits {offsets}, one is taken", True, commit(after, (one,))
    late = (*world.late_commits, LateCommit(*worker.view, offsets))
    on_its_way = after._replace(late_commits=late)
    yield f"worker {i} commits {offsets}, which is still on its way", True, on_its_way


def said(members: Members) -> str:
    """Return the ranges in words."""
    return " ".join(f"{p}[{a},{b})" for p, a, b in members)
