"""What a log must come to: every record of it, read again, slowly and independently.

Nothing of the program is imported. `read_log` takes the partitions from first to end offset
(committed records only), `recount` turns them into what the store's tables must hold.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, TopicPartition

from tests.support.contract.events import (
    ATTRIBUTE_COLUMNS,
    EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    TYPES,
    Read,
    read_record,
)
from tests.support.harness.kafka_broker import KafkaBroker

SILENCE_SECONDS = 30
ODD_KEY = b"odd-batch"
"""Of records whose headers' names are no UTF-8 (`poison.send_odd_names`)."""
MINUTE = 60
QUARTER = 900
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)
REQUEST_KEY = (
    "tenant",
    "team_id",
    "agent_id",
    "token_id",
    "user_id",
    "model",
    "operation",
    "currency",
)
REQUEST_MEASURES = (
    "requests",
    "failed",
    "duration_us",
    *TOKENS,
    "unmetered",
    "cost_nanos",
    "unpriced",
)
TASK_KEY = ("tenant", "recipe_id", "app", "rule_set")
TASK_MEASURES = ("actions", "tasks", "failed")
EVENT_KEY = ("tenant", "user_id", "name")
EVENT_MEASURES = ("events",)
ENTITY_COLUMNS = ("entity", "entity_id", "deleted", "attributes", *ATTRIBUTE_COLUMNS)


class Record(NamedTuple):
    """One record of the log."""

    offset: int
    timestamp: int
    headers: list[tuple[str, bytes]]
    value: bytes | None
    key: str


@dataclass
class PartitionLog:
    """One partition's records, and the bounds of its log."""

    topic: str
    partition: int
    first: int
    last: int
    records: list[Record]
    deleted_to: int = 0
    """Nobody who read on from here could know what stood before it."""

    @property
    def due(self) -> int:
        """The offset that coverage must at least reach: behind the last record."""
        return self.records[-1].offset + 1 if self.records else self.first

    def without(self, a: int, b: int) -> PartitionLog:
        """Return the log as it would count had ``[a, b)`` been lost."""
        kept = [record for record in self.records if not a <= record.offset < b]
        return PartitionLog(self.topic, self.partition, self.first, self.last, kept, b)


Log = dict[tuple[str, int], PartitionLog]


class Growth(NamedTuple):
    """A topic got more partitions."""

    before: int
    after: int
    ends: tuple[int, ...]
    """Where the log of each one that there was ended."""


Growths = Mapping[str, Sequence[Growth]]
"""By topic (full name)."""


def read_log(kafka: KafkaBroker, topics: Iterable[str]) -> Log:
    """Read topics (full names) from each partition's first to its end offset."""
    log = {
        (topic, number): PartitionLog(topic, number, first, last, [])
        for topic in topics
        for number, (first, last) in kafka.bounds(topic).items()
    }
    waiting = {key for key, part in log.items() if part.last > part.first}
    consumer = kafka.consumer()
    try:
        consumer.assign([TopicPartition(t, p, log[t, p].first) for t, p in waiting])
        last_heard = time.monotonic()
        while waiting:
            for message in consumer.consume(1000, timeout=0.1):
                _take(message, log, waiting)
                last_heard = time.monotonic()
            silent = time.monotonic() - last_heard
            assert silent < SILENCE_SECONDS, f"nothing comes of {sorted(waiting)}"
    finally:
        consumer.close()
    return log


def _take(message: Any, log: Log, waiting: set[tuple[str, int]]) -> None:
    key = (message.topic(), message.partition())
    error = message.error()
    if error is not None:
        assert error.code() == KafkaError._PARTITION_EOF, str(error)
        waiting.discard(key)
        return
    odd = message.key() == ODD_KEY  # asked for these headers, the client crashes; they say nothing
    headers = [] if odd else [(name, value or b"") for name, value in message.headers() or []]
    timestamp = message.timestamp()[1]
    name = (message.key() or b"").decode()
    log[key].records.append(Record(message.offset(), timestamp, headers, message.value(), name))


@dataclass
class Row:
    """The sums of one key in one bucket."""

    sums: Counter[str] = field(default_factory=Counter)
    first_minute: int = 2**62
    last_minute: int = 0

    def add(self, minute: int, measures: dict[str, int]) -> None:
        for name, value in measures.items():
            self.sums[name] += value
        self.first_minute = min(self.first_minute, minute)
        self.last_minute = max(self.last_minute, minute)


Key = tuple[Any, ...]
OUTCOMES = ("counted", "duplicate", "rejected", "skipped")


class DeadLetter(NamedTuple):
    """A rejected event, by its origin."""

    reason: str
    value: bytes | None


@dataclass
class Expected:
    """What the store must hold. Buckets are epoch seconds, keys start with the bucket."""

    requests_1m: dict[Key, Row] = field(default_factory=dict)
    requests_15m: dict[Key, Row] = field(default_factory=dict)
    tasks_1m: dict[Key, Row] = field(default_factory=dict)
    tasks_15m: dict[Key, Row] = field(default_factory=dict)
    events_1m: dict[Key, Row] = field(default_factory=dict)
    events_15m: dict[Key, Row] = field(default_factory=dict)
    product_events: Counter[Key] = field(default_factory=Counter)
    """(time in ms, `EVENT_KEY`, its leaves' paths and texts in order) to rows."""
    entities: Counter[Key] = field(default_factory=Counter)
    """(time, arrival, partition, offset, element, tenant, `ENTITY_COLUMNS`) to rows; in ms."""
    outcomes: Counter[Key] = field(default_factory=Counter)
    """(arrival minute, topic, partition, tenant, type, outcome, reason) to events."""
    ledger: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)
    """Source to received, counted, duplicate, rejected, skipped."""
    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    """By ``topic:partition:offset`` (and ``:index``)."""


Refused = Callable[[Read], bool]
"""Whether a table refuses an event, though it is as it should be."""


def nothing_refused(_: Read) -> bool:
    """Say that tables take whatever is valid."""
    return False


def recount(
    logs: Iterable[Log],
    prefix: str,
    duplicate_window: int = 0,
    refused: Refused = nothing_refused,
    growths: Growths = MappingProxyType({}),
) -> Expected:
    """Count logs from the beginning; several are those of a topic's incarnations.

    ``prefix`` stands before each topic's name; ``duplicate_window`` in offsets, 0 for none.
    ``growths`` are those of the one incarnation that there is.
    """
    expected = Expected()
    for log in logs:
        for (topic, partition), part in sorted(log.items()):
            kind = topic.removeprefix(prefix)
            before = _before(log, topic, partition, growths.get(topic, ()))
            _count_partition(expected, part, kind, duplicate_window, refused, before)
            expected.ledger.setdefault((topic, partition), Counter())
    return expected


def _before(
    log: Log, topic: str, partition: int, growths: Sequence[Growth]
) -> list[tuple[int, Record]]:
    """What stands before a partition's own log, by offsets below 0: its parent's, all of it."""
    for before, after, ends in growths:
        if before <= partition < after:
            parent = partition % before
            end = ends[parent]
            older = [(at - end, record) for at, record in _before(log, topic, parent, growths)]
            records = log[topic, parent].records
            return older + [(r.offset - end, r) for r in records if r.offset < end]
    return []


def _count_partition(
    expected: Expected,
    part: PartitionLog,
    kind: str,
    window: int,
    refused: Refused,
    others: Sequence[tuple[int, Record]],
) -> None:
    seen, last = _Seen(window), -1
    for at, record in others:
        for read in read_record(kind, record.value, record.headers, record.timestamp):
            if read.outcome == "counted":
                seen.last(read, at)
    for record in part.records:
        if record.offset >= part.deleted_to > max(last, 0):
            seen = _Seen(window)
        last = record.offset
        for read in read_record(kind, record.value, record.headers, record.timestamp):
            if read.outcome == "counted" and (before := seen.last(read, record.offset)) is not None:
                read.outcome, read.reason = "duplicate", "" if before == read.sent else "conflict"
            if read.outcome == "counted" and refused(read):
                read.outcome, read.reason = "rejected", "internal"
            _count(expected, part, kind, record, read)


class _Seen:
    """Which events stood in the last ``window`` offsets; a repeat renews."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._at: dict[tuple[str, str, str], tuple[int, str]] = {}

    def last(self, read: Read, offset: int) -> str | None:
        """Return the data of the last event of the same names; None if it is in no window."""
        if not self._window:
            return None
        before = self._at.get(read.identity)
        self._at[read.identity] = offset, read.sent
        return before[1] if before is not None and offset - before[0] <= self._window else None


def _count(expected: Expected, part: PartitionLog, kind: str, record: Record, read: Read) -> None:
    source = (part.topic, part.partition)
    minute = record.timestamp // 1000 // MINUTE * MINUTE
    known = read.type if read.type == TYPES[kind] else ""
    expected.outcomes[minute, *source, read.tenant, known, read.outcome, read.reason] += 1
    totals = expected.ledger.setdefault(source, Counter())
    totals[read.outcome] += 1
    totals["received"] += read.outcome != "skipped"
    if read.outcome == "rejected":
        origin = f"{part.topic}:{part.partition}:{record.offset}"
        if read.index is not None:
            origin += f":{read.index}"
        value = record.value if read.index is None else None  # an element's bytes: not compared
        expected.dead_letters[origin] = DeadLetter(read.reason, value)
    elif read.outcome == "counted" and kind == REQUESTS:
        _add_request(expected, read)
    elif read.outcome == "counted" and kind == RECIPE_ACTIONS:
        _add_action(expected, read)
    elif read.outcome == "counted" and kind == EVENTS:
        _add_product_event(expected, read)
    elif read.outcome == "counted":
        place = (part.partition, record.offset, read.index or 0)
        columns = [read.data[name] for name in ENTITY_COLUMNS]
        expected.entities[read.time_ms, record.timestamp, *place, read.tenant, *columns] += 1


def _add_request(expected: Expected, read: Read) -> None:
    data: dict[str, Any] = {"tenant": read.tenant} | read.data
    cost = data["cost_nanos"]
    measures: dict[str, int] = {
        "requests": 1,
        "failed": data["failed"],
        "duration_us": data["duration_us"],
        "cost_nanos": cost or 0,
        "unpriced": int(cost is None),
        "unmetered": data["unmetered"],
    } | {name: data[name] for name in TOKENS}
    key = tuple(data[name] for name in REQUEST_KEY)
    _add(expected.requests_1m, expected.requests_15m, read.time_ms, key, measures)


def _add_action(expected: Expected, read: Read) -> None:
    data: dict[str, Any] = {"tenant": read.tenant, "rule_set": 1} | read.data
    measures = {"actions": 1, "tasks": data["task"], "failed": data["failed"]}
    key = tuple(data[name] for name in TASK_KEY)
    _add(expected.tasks_1m, expected.tasks_15m, read.time_ms, key, measures)


def _add_product_event(expected: Expected, read: Read) -> None:
    data: dict[str, Any] = {"tenant": read.tenant} | read.data
    key = tuple(data[name] for name in EVENT_KEY)
    _add(expected.events_1m, expected.events_15m, read.time_ms, key, {"events": 1})
    leaves = tuple(sorted(data["properties"].items()))
    expected.product_events[read.time_ms, *key, leaves] += 1


def _add(
    minutes: dict[Key, Row],
    quarters: dict[Key, Row],
    time_ms: int,
    key: Sequence[Any],
    measures: dict[str, int],
) -> None:
    second = time_ms // 1000
    minute = second // MINUTE * MINUTE
    for rows, bucket in ((minutes, minute), (quarters, second // QUARTER * QUARTER)):
        rows.setdefault((bucket, *key), Row()).add(minute, measures)
