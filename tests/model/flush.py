"""Steps 3 to 7 of the protocol: a sealed chunk, or a lost range, and how it can end."""

from __future__ import annotations

from pipeline.protocol.chunks import Intent, Range, commit_metadata, intent_metadata
from tests.model.group import accepts, in_group, rebalance
from tests.model.state import (
    INCARNATIONS,
    Insert,
    LateCommit,
    LedgerRow,
    RecordIntent,
    Scenario,
    Steps,
    Worker,
    World,
    Write,
    put,
    spend,
)
from tests.model.store import apply


def order(scenario: Scenario, worker: Worker) -> tuple[str, ...]:
    """Return the steps of the chunk under way."""
    inserts = [f"table {n}" for n in range(scenario.tables)]
    if not scenario.has("ledger last"):
        inserts.insert(1, "ledger")
    else:
        inserts.append("ledger")
    announce = ["intend"]
    if scenario.has("intent row"):
        announce.append("intent row")
    if not scenario.has("intent row first"):
        announce, inserts = ["intend"], [inserts[0], "intent row", *inserts[1:]]
    if worker.kind == "lost":
        inserts = ["ledger"]
        if not scenario.has("loss intended"):
            announce = []
    if worker.kind == "replay" and not scenario.has("replay intended"):
        announce = []
    return (*announce, *inserts, "commit")


def heed(scenario: Scenario, worker: Worker) -> Worker:
    """Abandon what is under way; what was fetched stays in the agent's buffer."""
    after = Worker(worker.upcoming, worker.rules, worker.view, batch=worker.batch)
    if scenario.buffers and worker.phase == "ready" and worker.replay_to is None:
        assert worker.lease is not None
        after = after._replace(batch=(worker.lease, worker.a))
    return after


def flush(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    chunk = worker.chunk
    assert chunk is not None
    names = order(scenario, worker)
    name = names[worker.step]
    if name == "intend":
        metadata = intent_metadata(chunk, worker.rules)
        if not scenario.has("intent in metadata"):
            metadata = commit_metadata(chunk.incarnation)
        yield from _commit(scenario, world, i, (chunk.a, metadata), _next(worker))
    elif name == "commit":
        offset = (chunk.b, commit_metadata(chunk.incarnation))
        yield from _commit(scenario, world, i, offset, _finished(worker))
        if worker.kind != "lost":
            # The next chunk's intent commits this one's end too.
            after = put(world, i, _finished(worker))
            yield f"worker {i} leaves the commit to its next intent", False, after
    else:
        write = _write(scenario, worker, chunk, worker.content, name)
        yield from _send(scenario, world, i, name, write, _next(worker))
        yield from _go_ahead(scenario, world, i, worker)


def _next(worker: Worker) -> Worker:
    return worker._replace(step=worker.step + 1, attempts=0)


def _finished(worker: Worker) -> Worker:
    """After a loss plan again, for more may be missing; else go on where the consumer stands."""
    phase = "reading" if worker.kind == "lost" else "ready"
    return Worker(
        phase,
        worker.rules,
        worker.view,
        worker.upcoming,
        worker.lease,
        a=0 if phase == "reading" else worker.position,
        batch=worker.batch,
        behind=worker.behind,
    )


def _write(
    scenario: Scenario, worker: Worker, chunk: Range, content: tuple[int, ...], name: str
) -> Write:
    incarnation = INCARNATIONS.index(chunk.incarnation)
    if name == "intent row":
        return RecordIntent(incarnation, Intent(chunk.a, chunk.b, worker.rules))
    if name == "ledger":
        kind = "lost" if worker.kind == "lost" else "chunk"
        return LedgerRow(incarnation, chunk.a, chunk.b, kind)
    cells = tuple(incarnation * scenario.records + offset for offset in content)
    token = chunk.token
    if not scenario.has("incarnation in token"):
        token = chunk._replace(incarnation="").token
    if not scenario.has("end in token"):
        token = chunk._replace(b=0).token
    return Insert(int(name.split()[1]), token, cells, worker.rules)


def _send(scenario: Scenario, world: World, i: int, name: str, write: Write, done: Worker) -> Steps:
    """Write to the store; on an answer that does not come, try again."""
    after = world._replace(store=apply(scenario, world.store, write))
    yield f"worker {i}: {name}", False, put(after, i, done)
    spent = spend(world, "late")
    if spent is not None:
        late = tuple(sorted((*world.late_writes, write), key=repr))
        yield f"worker {i}: {name}, no answer", True, spent._replace(late_writes=late)


def _commit(
    scenario: Scenario, world: World, i: int, offset: tuple[int, str], done: Worker
) -> Steps:
    """Make one attempt to commit, under the lease."""
    worker = world.workers[i]
    if worker.attempts and not in_group(world, worker):
        for what, after in rebalance(scenario, world, joining=i):
            yield f"worker {i} joins in the background: {what}", False, after
        return
    if not _may_send(scenario, worker):
        yield f"worker {i} is fenced", False, put(world, i, _moved_on(scenario, worker))
        return
    generation, member = worker.view
    if accepts(world.group, generation, member):
        group = world.group._replace(offset=offset)
        yield f"worker {i} commits {offset}", False, put(world._replace(group=group), i, done)
        yield from _unanswered(scenario, world, i, offset)
    elif scenario.has("single attempt"):
        refused = put(world, i, Worker("out", worker.rules, batch=worker.batch))
        yield f"worker {i} is refused by the broker", False, refused
    else:
        retrying = put(world, i, worker._replace(attempts=1))
        yield f"worker {i} is refused, and will try again", False, retrying


def _unanswered(scenario: Scenario, world: World, i: int, offset: tuple[int, str]) -> Steps:
    spent = spend(world, "unknown")
    if spent is None:
        return
    worker = world.workers[i]
    after = put(spent, i, _left_unknown(scenario, worker))
    applied = after._replace(group=world.group._replace(offset=offset))
    yield f"worker {i} commits {offset}, no answer", True, applied
    late = tuple(sorted((*world.late_commits, LateCommit(*worker.view, offset))))
    on_its_way = after._replace(late_commits=late)
    yield f"worker {i} commits {offset}, which is still on its way", True, on_its_way


def _left_unknown(scenario: Scenario, worker: Worker) -> Worker:
    if not scenario.has("single attempt"):
        return worker._replace(attempts=1)
    return Worker("unknown", worker.rules, worker.view, worker.upcoming, batch=worker.batch)


def _may_send(scenario: Scenario, worker: Worker) -> bool:
    assert worker.lease is not None
    if worker.attempts or not scenario.has("lease check"):
        return True
    if not scenario.has("generation below 0 refused") and worker.view == worker.lease[:2]:
        return True
    return worker.lease.holds(*worker.view)


def _moved_on(scenario: Scenario, worker: Worker) -> Worker:
    if worker.upcoming:
        return heed(scenario, worker)
    return Worker("out", worker.rules, batch=worker.batch)


# Without the rule of one chunk at a time ---------------------------------------------------------


def _go_ahead(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    if scenario.has("one chunk at a time") or worker.behind is not None:
        return
    if worker.kind != "chunk":
        return
    assert worker.chunk is not None
    ahead = _finished(worker)._replace(behind=(worker.chunk, worker.content, worker.step))
    yield f"worker {i} goes on to the next chunk meanwhile", False, put(world, i, ahead)


def write_behind(scenario: Scenario, world: World, i: int, worker: Worker) -> Steps:
    assert worker.behind is not None
    chunk, content, step = worker.behind
    older = worker._replace(kind="chunk")
    name = order(scenario, older)[step]
    behind = None if name == "ledger" else (chunk, content, step + 1)
    write = _write(scenario, older, chunk, content, name)
    yield from _send(
        scenario, world, i, f"{name} of {chunk}", write, worker._replace(behind=behind)
    )
