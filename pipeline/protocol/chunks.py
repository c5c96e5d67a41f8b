"""The chunk protocol: how every event counts exactly once. Pure: decisions only, no I/O.

A *chunk* is one input partition and one offset range ``[a, b)`` of it, folded into rows. What it
holds is a pure function of the log, so it can be made again, and told by its range alone.

1. **add**     fetched records go into the open chunk of their partition; a batch that was fetched
               before the last seek (so under another assignment) is dropped.
2. **seal**    after the flush interval or at a size bound; ``b`` is the consumer's position, not
               the last record + 1, for a log has holes (control records, compaction).
3. **intend**  one Kafka commit: offset ``a``, with metadata that names ``b``; only under the lease
               (generation and member) of the assignment.
4. **record_intent**  the same in the store's ``intents``, for group offsets expire and are deleted.
5. **insert**  each table once, one block each, rows in log order, under the chunk's token; and the
               chunk's rejected records to the dead-letter topic, keyed by origin. Events whose
               values the store refuses are among these, found before anything is inserted.
6. **ledger**  the chunk's row in ``chunks``. It is the last insert: where it is, all others are.
7. **commit**  offset ``b``, under the same lease.

Whoever is assigned the partition next makes the same decisions from what is found (`plan`): an
intent without its ledger row is replayed over exactly its range under the same token, and the store
drops what had arrived. One chunk of a partition may have an unknown fate, never two: the next is
not intended before this one is committed.

A commit is fenced three ways: never without a generation, never under another generation or member
than the assignment's, never twice. One whose result is unknown may arrive late, so the worker
leaves the group, which makes the broker refuse it, before it commits for that partition again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import msgspec

METADATA_LIMIT_BYTES = 4096
"""Kafka's default ``offset.metadata.max.bytes``."""


class Source(NamedTuple):
    """One partition of one topic (the full name, prefix included)."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class Offset(NamedTuple):
    """A committed offset with its metadata."""

    offset: int
    metadata: str


class Lease(NamedTuple):
    """The group's generation and our member id in it, as captured at assignment."""

    generation: int
    member_id: str
    late_before: date | None = None
    """The day that the generation's blocks are made under (`pipeline.protocol.late`)."""

    def holds(self, generation: int, member_id: str) -> bool:
        """Say whether a commit may be sent now, when the coordinator is at these.

        A generation below 0 is a member that was reset: the broker takes its commits into an
        empty group without any check.
        """
        return generation >= 0 and (generation, member_id) == self[:2]


class Commit(enum.Enum):
    """What became of one attempt at a Kafka commit."""

    DONE = "done"
    REFUSED = "refused"  # not applied, and the lease still holds: a new attempt may be made
    FENCED = "fenced"  # not applied, and the partition may be another's by now
    UNKNOWN = "unknown"  # may still be applied: leave the group first


class Range(NamedTuple):
    """The offsets ``[a, b)`` of one source, in one incarnation of its topic."""

    source: Source
    incarnation: str
    a: int
    b: int

    @property
    def token(self) -> str:
        """The deduplication token of every insert of the chunk."""
        topic, partition = self.source
        return f"{topic}:{partition}:{self.incarnation}:{self.a}:{self.b}"

    def __str__(self) -> str:
        return f"{self.source} [{self.a}, {self.b})"


class Member(NamedTuple):
    """One range of a group, which is of one topic (`pipeline.protocol.groups`)."""

    partition: int
    a: int
    b: int


Members = tuple[Member, ...]
"""All ranges of a group, by partition; none stands for a range that is inserted by itself."""


class Intent(NamedTuple):
    """A chunk that was announced: its range, and the digest of the rules that it was folded by."""

    a: int
    b: int
    rules: str
    members: Members = ()
    """Of its group, itself among them."""
    late_before: date | None = None
    """The day that its rows are made under (`pipeline.protocol.late`), whoever makes them again."""


class _Metadata(msgspec.Struct, omit_defaults=True):
    """What our commits carry: which log they speak of and, when an intent is open, its end."""

    incarnation: str
    rules: str = ""
    to: int | None = None
    members: Members = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Metadata)
_OF_GROUP = "+group"
"""Behind the rules that announce a range of a group: a release that knows of no groups takes them
for other rules, and halts instead of replaying the range alone."""
_LATE = "+late<"
"""Behind these, before the day that the range's rows are made under; likewise."""


def announced_rules(rules: str, members: Members, late_before: date | None = None) -> str:
    """Return how an announcement names its rules."""
    group = _OF_GROUP if members else ""
    return rules + group + _late(late_before)


def _late(day: date | None) -> str:
    return "" if day is None else f"{_LATE}{day.isoformat()}"


def intent_of(a: int, b: int, announced: str, members: Members) -> Intent:
    """Return the intent that an announcement names."""
    rules, day = _read_late(announced)
    return Intent(a, b, rules.removesuffix(_OF_GROUP), members, day)


def _read_late(announced: str) -> tuple[str, date | None]:
    """Take the day off; what is none of ours is a part of the rules, which are others then."""
    rules, late, text = announced.rpartition(_LATE)
    try:
        return (rules, date.fromisoformat(text)) if late else (announced, None)
    except ValueError:
        return announced, None


def intent_metadata(
    range_: Range, rules: str, members: Members = (), late_before: date | None = None
) -> str:
    """Return the metadata of the commit that intends the chunk (step 3), with its group."""
    named = announced_rules(rules, members, late_before)
    return _encode(_Metadata(range_.incarnation, named, range_.b, members))


def commit_metadata(incarnation: str, late_before: date | None = None) -> str:
    """Return the metadata of a commit that leaves nothing open (step 7)."""
    return _encode(_Metadata(incarnation, _late(late_before)))


def late_before_of(metadata: str) -> date | None:
    """Return the day that a commit was made under, of any incarnation; None where it says none."""
    decoded = _decode(metadata)
    return _read_late(decoded.rules)[1] if decoded is not None else None


def _encode(metadata: _Metadata) -> str:
    text = _encoder.encode(metadata).decode()
    if len(text) > METADATA_LIMIT_BYTES:
        raise ValueError(f"commit metadata of {len(text)} bytes, over {METADATA_LIMIT_BYTES}")
    return text


def _decode(text: str) -> _Metadata | None:
    """Read a commit's metadata; None for what is not ours (empty, or set by another tool)."""
    try:
        return _decoder.decode(text.rstrip("\0"))  # confluent-kafka, in `rewind`, writes one
    except msgspec.DecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """What a worker finds of one partition when it is assigned.

    The committed offset is read first, then the store (consistently), then the log's bounds. The
    other way round, a worker that has lost the partition meanwhile meets its successor's commit
    without the successor's ledger row, and halts for nothing.
    """

    covered: int | None
    """End of the ledger's coverage of this incarnation (``e``); None without a ledger row."""
    intent: Intent | None
    """The newest intent of this incarnation in the store."""
    committed: int | None
    """The group's committed offset (``c``); None where there is none."""
    metadata: str
    """The committed offset's metadata."""
    first: int
    """The log's first offset."""
    last: int
    """The log's end: the offset that its next record gets."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to go on with a partition."""

    start: int
    """Where reading starts."""
    replay_to: int | None = None
    """Where the first chunk must end, when it replays an intent."""
    lost: tuple[int, int] | None = None
    """Offsets that can never be counted: written to the ledger first, and alerted.

    Like a chunk, the range is intended (steps 3 and 4) before its ledger row (step 6), so that all
    who meet it write the same range. Then plan again: more may be missing behind it.
    """
    note: str = ""
    """What an operator should know; empty when all is as it should be."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The worker must not go on with this partition by itself."""

    reason: str
    missing: tuple[int, int] | None = None
    """The offsets that the store lacks though the group had committed them."""


def plan(
    found: Found, *, incarnation: str, rules: str, override_rules: bool = False
) -> Plan | Halt:
    """Decide how to go on with an assigned partition (the table in ``docs/exactly-once.md``).

    ``rules`` is the digest that this worker folds by: an open intent of other rules is not
    replayed, for its rows would differ, unless ``override_rules``.
    """
    committed, named = read_commit(found.committed, found.metadata, incarnation)
    end = covered_to(found, committed)
    if committed is not None and committed > end:
        return Halt(
            f"the group has committed up to {committed}, but the store's ledger ends at {end}: "
            f"is it a new, restored or lagging store? `usage rewind --to-store` counts "
            f"[{end}, {committed}) again from Kafka",
            (end, committed),
        )
    if end > found.last:
        return Halt(
            f"the ledger ends at {end}, but the log already at {found.last}: "
            f"the broker has lost records that are counted"
        )
    intent = _open_intent(found.intent, named, end)
    if isinstance(intent, Halt):
        return intent
    if intent is not None:
        return _replay(intent, found, rules, override_rules)
    if found.first > end:
        return _lost(end, found.first)
    return Plan(start=end, note=_offset_note(committed, end, found))


def read_commit(
    committed: int | None, metadata: str, incarnation: str
) -> tuple[int | None, Intent | None]:
    """Read the committed offset and the intent it names; an older incarnation's say nothing."""
    if committed is None:
        return None, None
    decoded = _decode(metadata)
    if decoded is None:
        return committed, None
    if decoded.incarnation != incarnation:
        return None, None
    if decoded.to is None:
        return committed, None
    return committed, intent_of(committed, decoded.to, decoded.rules, decoded.members)


def covered_to(found: Found, committed: int | None) -> int:
    """Return ``e``. Without a ledger it is where the first chunk began, or would begin."""
    if found.covered is not None:
        return found.covered
    if found.intent is not None:
        return found.intent.a
    if committed is not None and committed < found.first:
        return committed  # retention took records after a first, uncounted commit
    return found.first


def _open_intent(stored: Intent | None, named: Intent | None, end: int) -> Intent | Halt | None:
    """Find the intent that has no ledger row, in the store or in the committed metadata."""
    stored_open = stored if stored is not None and stored.a >= end else None
    named_open = named if named is not None and named.a == end else None
    if stored_open is not None and stored_open.a > end:
        return Halt(
            f"the store has an intent at {stored_open.a}, but its ledger ends at {end}: "
            f"ledger rows are missing (`usage audit` shows which)"
        )
    if stored_open and named_open and stored_open.b != named_open.b:
        return Halt(
            f"two intents are open at {end}: up to {stored_open.b} in the store, "
            f"up to {named_open.b} in the group's offsets"
        )
    return stored_open or named_open


def _replay(intent: Intent, found: Found, rules: str, override_rules: bool) -> Plan | Halt:
    a, b, other, *_ = intent
    if found.first > a:
        # Some of its tables may have arrived. What is left of the range cannot be folded into the
        # same rows, and under another token it could count twice: it is all given up. Not more
        # than that in one row: whoever intended it may yet write the ledger row of [a, b).
        return _lost(a, b)
    if b > found.last:
        return Halt(f"an intent reaches to {b}, but the log ends at {found.last}")
    if other != rules and not override_rules:
        return Halt(
            f"the open chunk [{a}, {b}) was folded by rules {other}, this worker's are {rules}: "
            f"finish it with the old release or settings, or set USAGE_OVERRIDE_RULES=true"
        )
    return Plan(start=a, replay_to=b, note=f"replaying the open chunk [{a}, {b})")


def _lost(a: int, b: int) -> Plan:
    return Plan(start=b, lost=(a, b), note=f"retention deleted [{a}, {b}) before it was counted")


def _offset_note(committed: int | None, end: int, found: Found) -> str:
    if committed is None:
        return f"no committed offset: going on from {end}" if found.covered is not None else ""
    if committed < end:
        return f"committed offset {committed} is behind the ledger: going on from {end}"
    return ""
