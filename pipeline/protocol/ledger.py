"""The store's side of the protocol: intents, chunks' rows, the ledger. Blocking: run in threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.clickhouse.native import Constant
from pipeline.clickhouse.schema import quiet
from pipeline.errors import StoreUnavailable
from pipeline.facts.added_up import COUNT
from pipeline.facts.interface import Minutes, Outcome
from pipeline.facts.minutes import MEASURES
from pipeline.facts.sent import Block, Rows, sent
from pipeline.facts.types import type_of
from pipeline.protocol.chunks import (
    Found,
    Intent,
    Members,
    Offset,
    Range,
    Source,
    announced_rules,
    intent_of,
)
from pipeline.protocol.ledger_rows import NEAR, From, conditions
from pipeline.protocol.partition import Chunk
from pipeline.protocol.sealed import Announced, Group

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Prepared, Store
    from pipeline.clickhouse.shards import Shards

Columns = tuple[tuple[str, str], ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = (
    int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1000 for year in (1900, 2299)
)

_KEY: Columns = (
    ("topic", "String"),
    ("partition", "UInt32"),
    ("incarnation", "String"),
    ("from_offset", "Int64"),
    ("to_offset", "Int64"),
)
INTENTS: Columns = (*_KEY, ("rules", "String"), ("members", "String"), ("worker", "String"))
CHUNKS: Columns = (
    *_KEY,
    ("kind", "String"),
    ("received", "UInt64"),
    ("counted", "UInt64"),
    ("duplicate", "UInt64"),
    ("rejected", "UInt64"),
    ("skipped", "UInt64"),
    ("lost", "UInt64"),
    ("first_event_time", "DateTime64(3, 'UTC')"),
    ("last_event_time", "DateTime64(3, 'UTC')"),
    ("first_arrival", "DateTime64(3, 'UTC')"),
    ("last_arrival", "DateTime64(3, 'UTC')"),
    ("rules", "String"),
    ("worker", "String"),
)
LOST: Columns = (*CHUNKS, ("recorded_at", "DateTime64(3, 'UTC')"))
LOSS_STAYS = datetime(2299, 12, 31, tzinfo=UTC)
"""The version of a lost range's row in the ledger: later than that of any other row."""
LIVE_REACH_SECONDS = 3 * 3600
"""How far behind its chunk's last arrival a minute's sums are still kept by partition."""
OUTCOMES: Columns = (
    ("minute", "DateTime('UTC')"),
    ("topic", "String"),
    ("partition", "UInt32"),
    ("tenant", "String"),
    ("type", "String"),
    ("outcome", "String"),
    ("reason", "String"),
    ("events", "UInt64"),
)
PARTITIONS: Columns = (*OUTCOMES, *((measure, "UInt64") for measure in MEASURES))


FACTS_STEP, OUTCOMES_STEP = "insert:facts", "insert:outcomes"


class Insert(NamedTuple):
    """One insert of a group: its step's name, its block (None where there are no rows)."""

    step: str
    block: Prepared | None
    token: str
    store: Store
    """The shard of the group's partitions."""


class Covered(NamedTuple):
    """What the store knows of one source: the end of its ledger and its newest intent."""

    to: int | None
    intent: Intent | None


def found_of(covered: Covered, committed: Offset | None, first: int, last: int) -> Found:
    """Put together what is known of one partition."""
    return Found(
        covered=covered.to,
        intent=covered.intent,
        committed=committed.offset if committed else None,
        metadata=committed.metadata if committed else "",
        first=first,
        last=last,
    )


class LedgerReader:
    """Reads how far each source is counted, at the shard that has it."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def shard(self, source: Source) -> int:
        """The number of the shard that has a source's rows: a group is of one."""
        return self._shards.number(source.partition)

    def covered(
        self,
        sources: Sequence[Source],
        intents: Mapping[Source, Intent],
        incarnations: dict[str, str],
    ) -> list[Covered]:
        """Read, consistently, how far each source is counted in its topic's incarnation.

        The intents were read before: one that is closed in between then shows as closed.
        """
        ends = {
            source: end
            for store, some in self._shards.parted(sources, _partition)
            for source, end in _ends(store, some, intents, incarnations).items()
        }
        return [Covered(ends.get(source), intents.get(source)) for source in sources]

    def intents(
        self, sources: Sequence[Source], incarnations: dict[str, str]
    ) -> dict[Source, Intent]:
        """Read, consistently, the newest intent of all logs of the sources' topics."""
        return {
            source: intent
            for store, some in self._shards.parted(sources, _partition)
            for source, intent in _newest_intents(store, some, incarnations)
        }


def _ends(
    store: Store,
    sources: Sequence[Source],
    intents: Mapping[Source, Intent],
    incarnations: Mapping[str, str],
) -> dict[Source, int]:
    """Where the newest row of each ends; those without a row are absent.

    It is near the newest intent, as a rule; where nothing is, all rows are looked at.
    """
    near = {s: max(0, intents[s].a - NEAR) for s in sources if s in intents}
    ends = _ends_from(store, near, incarnations)
    return ends | _ends_from(store, {s: 0 for s in sources if s not in ends}, incarnations)


def _ends_from(
    store: Store, offsets: Mapping[Source, int], incarnations: Mapping[str, str]
) -> dict[Source, int]:
    logs = [From(source, incarnations[source.topic], a) for source, a in offsets.items()]
    return {
        Source(topic, partition): end
        for sql, parameters in conditions(logs)
        for topic, partition, end in store.query(
            "SELECT topic, partition, argMax(to_offset, from_offset) "  # noqa: S608 - see there
            f"FROM chunks WHERE {sql} GROUP BY topic, partition",
            parameters,
            consistent=True,
        )
    }


def _newest_intents(
    store: Store, sources: Sequence[Source], incarnations: Mapping[str, str]
) -> Iterator[tuple[Source, Intent]]:
    rows = store.query(
        "SELECT topic, partition, incarnation, max(from_offset) AS a, "
        "argMax(to_offset, from_offset) AS b, argMax(rules, from_offset) AS rules, "
        "argMax(members, from_offset) AS members "
        "FROM intents WHERE topic IN {topics:Array(String)} "
        "GROUP BY topic, partition, incarnation",
        {"topics": sorted({source.topic for source in sources})},
        consistent=True,
    )
    for topic, partition, incarnation, a, b, rules, members in rows:
        if incarnations.get(topic) == incarnation:
            yield Source(topic, partition), intent_of(a, b, rules, _members(members))


class Ledger(LedgerReader):
    """Reads and writes the protocol's tables for one worker."""

    def __init__(self, shards: Shards, worker: str, rules: str) -> None:
        super().__init__(shards)
        self._worker = worker
        self._rules = rules

    def record_intents(self, announced: Iterable[Announced]) -> None:
        """Step 4: one insert in each shard for all chunks sealed together; idempotent by key.

        A group is of one shard, so its rows are there as a whole or not at all.
        """
        for store, some in self._shards.parted(announced, lambda one: _partition(one.range.source)):
            rows = [
                (
                    *_key(r),
                    announced_rules(self._rules, members, late_before),
                    *(_names(members), self._worker),
                )
                for r, members, late_before in some
            ]
            try:
                store.insert("intents", INTENTS, _columns(rows))
            except StoreUnavailable as error:
                quiet.let_go_of_what_is_left(store, error)
                raise

    def prepare(self, group: Group) -> list[Insert]:
        """Encode every block of the group for step 5, before anything of it is inserted.

        In the order of their insertion: outcomes last, for they tell how new an answer is, which
        must not be newer than what it is made of. Raises `ValueRefused`.
        """
        facts = [chunk.facts for chunk in group.chunks]
        outcomes = _together(map(outcome_rows, group.chunks))
        store, token = self._shards.of(group.members[0].partition), group.token
        return [
            Insert(FACTS_STEP, _prepared(store, group, sent(facts)), token, store),
            Insert(
                OUTCOMES_STEP, store.prepare("partitions_1m", PARTITIONS, outcomes), token, store
            ),
        ]

    def insert(self, insert: Insert) -> None:
        """Step 5: one block, under the group's token, to the shard of its partitions."""
        if insert.block is not None:
            insert.store.send(insert.block, token=insert.token)

    def live(self, sources: Sequence[Source], since_seconds: int) -> dict[Source, Minutes]:
        """Read the sources' sums by minute and tenant, from a minute (epoch seconds) on."""
        found: dict[Source, Minutes] = {source: {} for source in sources}
        for store, some in self._shards.parted(sources, _partition):
            for topic, partition, at, tenant, *sums in _minutes(store, some, since_seconds):
                source = Source(topic, partition)
                if source in found:
                    found[source][at, tenant] = sums
        return found

    def record_chunks(self, chunks: Iterable[Chunk]) -> None:
        """Step 6: the ledger rows, one insert in each shard for all; idempotent by key."""
        for store, some in self._shards.parted(chunks, lambda one: _partition(one.range.source)):
            store.insert("chunks", CHUNKS, _columns([self._row(chunk) for chunk in some]))

    def record_lost(self, ranges: Sequence[Range]) -> None:
        """Write down ranges that retention deleted before they were counted.

        For good: a worker that held such a range as part of a group, paused, may come and record it
        as counted, though some of its tables have the group without it (`LOSS_STAYS`).
        """
        for store, some in self._shards.parted(ranges, lambda one: _partition(one.source)):
            store.insert("chunks", LOST, _columns([self._lost_row(r) for r in some]))

    def _lost_row(self, r: Range) -> tuple[Any, ...]:
        counts, times = (0, 0, 0, 0, 0, r.b - r.a), (*_times(None), *_times(None))
        return (*_key(r), "lost", *counts, *times, self._rules, self._worker, LOSS_STAYS)

    def _row(self, chunk: Chunk) -> tuple[Any, ...]:
        facts = chunk.facts
        counts = (facts.received, facts.counted, facts.duplicate, facts.rejected, facts.skipped, 0)
        times = (*_times(facts.event_time), *_times(facts.arrival))
        return (*_key(chunk.range), "chunk", *counts, *times, self._rules, self._worker)


def _minutes(store: Store, sources: Sequence[Source], since_seconds: int) -> list[tuple[Any, ...]]:
    return store.query(
        "SELECT topic, partition, toUnixTimestamp(minute) AS at, tenant, "  # noqa: S608
        + ", ".join(f"sum({measure})" for measure in MEASURES)
        + " FROM partitions_1m WHERE topic IN {topics:Array(String)} AND outcome = 'counted' "
        "AND minute >= toDateTime({since:UInt32}, 'UTC') "
        "GROUP BY topic, partition, at, tenant "
        f"HAVING greatest({', '.join(f'sum({measure})' for measure in MEASURES)}) > 0",
        {"topics": sorted({s.topic for s in sources}), "since": since_seconds},
        consistent=True,
    )


def _prepared(store: Store, group: Group, rows: Block | Rows) -> Prepared | None:
    table, day = group.chunks[0].facts.head.table, group.late_before
    constant = None if day is None else Constant("late_before", "Date", _date(day))
    if isinstance(rows, Block):
        prepared = store.prepare_block(table, rows, constant)
    else:
        prepared = store.prepare(table, *rows, constant)
    # Requests of one key are one row already, where their sums fit.
    return prepared and prepared._replace(keys_differ=COUNT in rows.columns)


def _date(day: date) -> bytes:
    return (day - _EPOCH.date()).days.to_bytes(2, "little")


def _partition(source: Source) -> int:
    return source.partition


def outcome_rows(chunk: Chunk) -> list[list[Any]]:
    """Columns of `PARTITIONS`: events by their minute of arrival, live sums by that of event time.

    The two share a row where they have the same minute, which is the rule: a row costs the store
    what it costs, whether or not it has sums.
    """
    rows: dict[Outcome, list[int]] = {
        key: [events] + [0] * len(MEASURES) for key, events in chunk.facts.outcomes.items()
    }
    type_ = type_of(chunk.facts.head)
    for (minute, tenant), sums in _live(chunk).items():
        row = rows.setdefault((minute, tenant, type_, "counted", ""), [0] * (1 + len(MEASURES)))
        row[1:] = sums
    topic, partition = chunk.range.source
    return _columns(
        [(minute, topic, partition, *rest, *sums) for (minute, *rest), sums in sorted(rows.items())]
    )


def _live(chunk: Chunk) -> Minutes:
    """The sums of minutes that a takeover may restore live windows from."""
    if chunk.facts.arrival is None:
        return {}
    since = chunk.facts.arrival[1] // 1000 - LIVE_REACH_SECONDS
    return {key: sums for key, sums in chunk.minutes.items() if key[0] >= since}


def _together(rows: Iterable[list[list[Any]]]) -> list[list[Any]]:
    """Put the columns of several chunks' rows below each other; a chunk may have none."""
    return [list(chain(*columns)) for columns in zip(*(some for some in rows if some), strict=True)]


def _names(members: Members) -> str:
    return msgspec.json.encode(members).decode() if members else ""


def _members(names: str) -> Members:
    return msgspec.json.decode(names, type=Members) if names else ()


def _key(r: Range) -> tuple[str, int, str, int, int]:
    return (*r.source, r.incarnation, r.a, r.b)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _times(bounds: tuple[int, int] | None) -> tuple[datetime, datetime]:
    first, last = bounds or (0, 0)
    return _instant(first), _instant(last)


def _instant(milliseconds: int) -> datetime:
    # A producer may set any timestamp on its records; the column holds 1900 to 2299.
    return _EPOCH + timedelta(milliseconds=min(max(milliseconds, _FIRST_MS), _LAST_MS))
