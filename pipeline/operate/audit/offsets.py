"""The group's offsets and the log's bounds against the ledger. Pure.

Read in this order: intents, ledger, offsets, ledger, bounds. A worker that goes on meanwhile shows
an offset between the two ledgers, or one whose metadata names the chunk that it is about to commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.kafka.group import Bounds
from pipeline.operate.audit.ledger import Log
from pipeline.operate.audit.report import Check, Finding
from pipeline.protocol.chunks import Found, Halt, Intent, Offset, plan, read_commit


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of one log: the ledger's ends, the group's offset, the log's bounds."""

    first_row: int | None
    """Where its ledger begins; None without one."""
    before: int | None
    """The ledger's end, read before the offset …"""
    after: int | None
    """… and after it."""
    intent: Intent | None
    """The newest in the store, read before the ledger."""
    committed: Offset | None
    bounds: Bounds
    """Read last."""


def check(seen: Mapping[Log, Seen], group: str) -> Check:
    """Say where the next worker would not simply go on."""
    result = Check(
        "offsets", f"group {group}: {len(seen):,} partitions stand where the ledger ends"
    )
    without = []
    for log, one in sorted(seen.items()):
        result.findings += _behind_log(log, one)
        result.findings += _halt(log, one)
        result.findings += _behind(log, one)
        note = _open(log, one)
        if note:
            result.notes.append(note)
        if one.committed is None and one.after is not None:
            without.append(str(log))
    if without:
        result.notes.append(
            f"{_few(without)}: no committed offset (expired, deleted, or USAGE_GROUP names "
            "another group); a worker goes on from the ledger's end"
        )
    return result


def _behind_log(log: Log, one: Seen) -> list[Finding]:
    """The log still has records from before the ledger's first row."""
    if one.first_row is None or one.first_row <= one.bounds.first:
        return []
    a, b = one.bounds.first, one.first_row
    message = (
        f"the ledger of {log} begins at {b}, but Kafka has the log from {a} on: ledger rows are "
        "missing at its beginning, or the group began behind it"
    )
    return [_finding("gap", log, a, b, message)]


def _halt(log: Log, one: Seen) -> list[Finding]:
    """What a worker would not start over, in its own words."""
    decided = plan(
        Found(
            covered=one.after,
            intent=one.intent,
            committed=one.committed.offset if one.committed else None,
            metadata=one.committed.metadata if one.committed else "",
            first=one.bounds.first,
            last=one.bounds.last,
        ),
        incarnation=log.incarnation,
        rules="",
        override_rules=True,
    )
    if isinstance(decided, Halt):
        a, b = decided.missing or (one.after or 0, one.after or 0)
        kind = "ahead" if decided.missing else "halt"
        return [_finding(kind, log, a, b, f"{log}: {decided.reason}")]
    if decided.lost and one.after is not None:
        message = f"{log}: {decided.note}. The next worker writes that down and goes on"
        return [_finding("expired", log, *decided.lost, message)]
    return []


def _behind(log: Log, one: Seen) -> list[Finding]:
    """The group would read again what is counted, did the ledger not come first."""
    offset, named = _commit(log, one)
    if offset is None or one.before is None or offset >= one.before:
        return []
    if named is not None and named.b >= one.before:
        return []  # counted, and about to be committed
    message = (
        f"the group's offset of {log} is {offset}, behind the ledger's end {one.before}. "
        "Nothing counts twice: the next worker goes on from the ledger's end and commits it; "
        "find out what set the offset back"
    )
    return [_finding("behind", log, offset, one.before, message)]


def _open(log: Log, one: Seen) -> str:
    """A chunk that was announced and is not in the ledger: under way, or its worker died."""
    _, named = _commit(log, one)
    end = one.after if one.after is not None else one.bounds.first
    for intent in (one.intent, named):
        if intent is not None and intent.a == end:
            return (
                f"{log} [{intent.a}, {intent.b}) is open: a worker is at it, or the next replays it"
            )
    return ""


def _commit(log: Log, one: Seen) -> tuple[int | None, Intent | None]:
    if one.committed is None:
        return None, None
    return read_commit(one.committed.offset, one.committed.metadata, log.incarnation)


def _finding(kind: str, log: Log, a: int, b: int, message: str) -> Finding:
    details = {
        "topic": log.topic,
        "partition": log.partition,
        "incarnation": log.incarnation,
        "from_offset": a,
        "to_offset": b,
    }
    return Finding(kind, str(log), message, details)


def _few(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
