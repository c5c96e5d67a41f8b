"""What a worker decides from what it finds: `chunks.plan`, and a check of each answer."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from pipeline.protocol.chunks import Found, Halt, Intent, Plan, Range, intent_metadata, plan
from tests.model.state import INCARNATIONS, SOURCE, Scenario, Violation, Worker, World
from tests.model.store import end_of_coverage


def decide(scenario: Scenario, world: World, worker: Worker) -> tuple[str, Worker]:
    """Return what the worker decides, and the worker after it.

    Raises `Violation` when it gives up what is not lost, or halts without a reason.
    """
    found = _found(scenario, world, worker)
    incarnation = INCARNATIONS[world.log.incarnation]
    decided = _plan(scenario, found, incarnation, worker.rules)
    if isinstance(decided, Halt):
        _check_halt(world, found, decided, worker.rules, incarnation)
        where = decided.missing[0] if decided.missing else 0
        return decided.reason, Worker("halted", worker.rules, a=where)
    begun = Worker("ready", worker.rules, worker.view, worker.upcoming, worker.lease)
    if decided.lost is not None:
        _check_loss(found, decided.lost, incarnation)
        chunk = Range(SOURCE, incarnation, *decided.lost)
        lost = begun._replace(phase="flush", kind="lost", chunk=chunk, position=decided.start)
        return decided.note, lost
    ready = begun._replace(a=decided.start, replay_to=decided.replay_to, batch=worker.batch)
    return decided.note or f"from {decided.start}", ready


def _found(scenario: Scenario, world: World, worker: Worker) -> Found:
    if scenario.has("offset read first"):
        covered = end_of_coverage(world.store, world.log.incarnation)
        intent = dict(world.store.intents).get(world.log.incarnation)
        offset = worker.offset
    else:
        covered, intent, offset = worker.covered, worker.intent, world.group.offset
    committed, metadata = offset or (None, "")
    return Found(covered, intent, committed, metadata, world.log.first, world.log.last)


@lru_cache(maxsize=1 << 16)
def _plan(scenario: Scenario, found: Found, incarnation: str, rules: str) -> Plan | Halt:
    if not scenario.has("ledger before offset") and found.committed is not None:
        found = replace(found, covered=found.committed)
    if not scenario.has("retention check"):
        found = replace(found, first=min(found.first, found.covered or 0))
    if not scenario.has("incarnation in metadata"):
        found = replace(found, metadata=_relabelled(found.metadata, incarnation))
    rules_matter = scenario.has("rules check")
    decided = plan(found, incarnation=incarnation, rules=rules, override_rules=not rules_matter)
    if (
        isinstance(decided, Plan)
        and decided.lost
        and not scenario.has("loss is the intent's range")
    ):
        decided = replace(decided, lost=(decided.lost[0], max(decided.lost[1], found.first)))
    return decided


def _relabelled(metadata: str, incarnation: str) -> str:
    for other in INCARNATIONS:
        metadata = metadata.replace(f'"{other}"', f'"{incarnation}"')
    return metadata


def _open(found: Found, incarnation: str, lost: tuple[int, int]) -> bool:
    """Say whether exactly this range is an open intent, in the store or in the metadata."""
    a, b = lost
    if found.intent is not None and found.intent[:2] == lost:
        return True
    named = {intent_metadata(Range(SOURCE, incarnation, a, b), rules) for rules in ("A", "B")}
    return found.committed == a and found.metadata in named


def _check_loss(found: Found, lost: tuple[int, int], incarnation: str) -> None:
    a, b = lost
    if a >= found.first or (b > found.first and not _open(found, incarnation, lost)):
        raise Violation(f"{lost} is given up, the log begins at {found.first}")


def _check_halt(world: World, found: Found, halt: Halt, rules: str, incarnation: str) -> None:
    if halt.missing is not None and world.restored:
        return
    end = found.covered or 0
    intent: Intent | None = found.intent
    if intent is not None and intent.a >= end and intent.rules != rules:
        return
    if found.committed is not None and found.metadata:
        for other in ("A", "B"):
            for b in range(found.committed + 1, found.last + 1):
                chunk = Range(SOURCE, incarnation, found.committed, b)
                if other != rules and found.metadata == intent_metadata(chunk, other):
                    return
    raise Violation(f"a worker halts: {halt.reason}")
