"""Reading a range of the log again, and adding up what it comes to."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import facts
from pipeline.facts.interface import remembered_from
from pipeline.facts.rollups import Rollup
from pipeline.facts.rules import rules_of
from pipeline.facts.types import all_rollups, remembered_offsets
from pipeline.kafka.faults import unanswered
from pipeline.kafka.group import bounds
from pipeline.kafka.growth import changes
from pipeline.kafka.reading import LogReader, LogRecord
from pipeline.operate.audit.ledger import Counts, Log, Row
from pipeline.operate.audit.sums import QUARTER_SECONDS
from pipeline.protocol.chunks import Source
from pipeline.protocol.lineage import Change, Lineage, Stretch, lineage, oldest

if TYPE_CHECKING:
    from pipeline.settings import Settings

BATCH = 5_000
READ_SECONDS = 0.1
SILENCE_SECONDS = 30.0

Key = tuple[Any, ...]


class Folder:
    """Folds chunks of the log by the settings' rules.

    ``known``: the partitions that there are; a broker that lacks one is behind, and not asked.
    """

    def __init__(self, settings: Settings, known: Iterable[Source]) -> None:
        self._settings = settings
        self._known = tuple(known)
        self._rules = rules_of(settings)
        self.digest = self._rules.digest()
        self._log_reader = LogReader(settings)
        self._readers: dict[Log, tuple[facts.Reader, int]] = {}
        """How far each log was read, and by which reader."""
        self._changes: dict[tuple[str, str], Collection[Change]] = {}
        self._firsts: dict[Source, int] = {}

    def close(self) -> None:
        """Close the connection to Kafka."""
        self._log_reader.close()

    def fold(self, log: Log, rows: Sequence[Row], first: int) -> Iterator[tuple[Row, facts.Facts]]:
        """Read the log over these rows, in order, and yield what each comes to.

        Each one's duplicates may be of events up to a window before it: the ids of those are read
        too, as far as Kafka has them, also in the logs that stand before its own. Rows that come
        next go on where the last ones ended.
        """
        before = self._lineage(log)
        reader, at = self._readers.get(log) or (self._reader(log), oldest(before))
        window = self._window(log)
        records: _Records | None = None
        for row in rows:
            if row.a < at:  # rows overlap, which the ledger's check tells
                reader, at, records = self._reader(log), oldest(before), None
            wanted = max(at, remembered_from(row.a, window, oldest(before)))
            if wanted < 0:
                self._remember_others(reader, log, before, wanted)
            begin = max(wanted, first)
            if records is None or begin > at:
                records = _Records(self._settings, self._log_reader, log, begin)
            for some in records.until(row.a):
                reader.remember(some)
            into = reader.facts()
            for some in records.until(row.b):
                reader.read(some, into)
            at = row.b
            yield row, into
        self._readers[log] = reader, at

    def window_is_whole(self, row: Row, first: int) -> bool:
        """Say whether Kafka still has all that the chunk's duplicates may be of."""
        before = self._lineage(row.log)
        wanted = remembered_from(row.a, self._window(row.log), oldest(before))
        return first <= max(wanted, 0) and all(
            self._first(row.log, one) <= max(wanted - one.at, 0)
            for one in before
            if wanted < one.to
        )

    def _remember_others(
        self, reader: facts.Reader, log: Log, before: Lineage, wanted: int
    ) -> None:
        """Show a reader what stands before a log's own from an offset on, which is below 0."""
        for one in before:
            if wanted >= one.to:
                continue
            other = log._replace(partition=one.partition)
            begin = max(wanted - one.at, self._first(log, one))
            if begin < one.end:
                records = _Records(self._settings, self._log_reader, other, begin)
                for some in records.until(one.end):
                    reader.remember(some)
            reader.continue_after(one.end)

    def _first(self, log: Log, stretch: Stretch) -> int:
        """The first offset that Kafka has of a log that stands before another one."""
        source = log.source._replace(partition=stretch.partition)
        if source not in self._firsts:
            found = bounds(self._settings, [log.topic])
            self._firsts |= {source: edges.first for source, edges in found.items()}
        return self._firsts[source]

    def _lineage(self, log: Log) -> Lineage:
        of_topic = (log.topic, log.incarnation)
        if of_topic not in self._changes:
            known = [source for source in self._known if source.topic == log.topic]
            found = changes(self._settings, dict([of_topic]), [log.source, *known])
            self._changes[of_topic] = found.get(log.topic, ())
        return lineage(self._changes[of_topic], log.partition)

    def _window(self, log: Log) -> int:
        topic = self._settings.topic_name(log.topic)
        return remembered_offsets(topic, self._rules.duplicate_window)

    def _reader(self, log: Log) -> facts.Reader:
        topic_name = self._settings.topic_name(log.topic)
        return facts.reader(topic_name, self._rules, log.partition)


class _Records:
    """One partition's records from an offset on."""

    def __init__(self, settings: Settings, reader: LogReader, log: Log, start: int) -> None:
        self._settings = settings
        self._reader = reader
        self._log = log
        self._held: list[LogRecord] = []
        reader.start({log.source: start})
        self._end = reader.ends()[log.source]

    def until(self, end: int) -> Iterator[list[LogRecord]]:
        """Yield all records before ``end``, some at a time. Raises BrokerError when none come."""
        due_to = min(end, self._end)
        while True:
            due = [record for record in self._held if record.offset < end]
            if due:
                self._held = self._held[len(due) :]
                yield due
            if self._held or self._reader.position(self._log.source) >= due_to:
                return
            self._fetch(due_to)

    def _fetch(self, due_to: int) -> None:
        end = time.monotonic() + SILENCE_SECONDS
        while not (found := self._reader.read(BATCH, READ_SECONDS)):
            if self._reader.position(self._log.source) >= due_to:
                return  # what is left is no record: the marks of transactions
            if time.monotonic() >= end:
                raise unanswered(
                    self._settings, f"nothing comes of {self._log} for {SILENCE_SECONDS:g} s"
                )
        self._held += found


@dataclass
class Folded:
    """What the chunks that were folded again come to, all together."""

    rows: list[Row] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    outcomes: dict[Key, list[int]] = field(default_factory=dict)
    """[events] by (minute, topic, partition, tenant, type, outcome, reason)."""
    sums: dict[str, dict[Key, list[int]]] = field(default_factory=dict)
    """By kind: [events, measures …] by (quarter, finest key …)."""

    def add(self, row: Row, one: facts.Facts) -> None:
        """Take in a chunk."""
        counts = counts_of(one)
        self.rows.append(row)
        self.counts = self.counts.plus(counts)
        for (minute, *key), events in one.outcomes.items():
            at = (minute, row.log.topic, row.log.partition, *key)
            self.outcomes.setdefault(at, [0])[0] += events
        for rollup in all_rollups():
            if row.log.topic.endswith(rollup.kind):
                _add_rows(self.sums.setdefault(rollup.kind, {}), rollup, one)

    def ranges(self) -> dict[Log, list[tuple[int, int]]]:
        """The offsets taken, adjoining chunks joined."""
        found: dict[Log, list[tuple[int, int]]] = {}
        for row in sorted(self.rows):
            ranges = found.setdefault(row.log, [])
            if ranges and ranges[-1][1] == row.a:
                ranges[-1] = (ranges[-1][0], row.b)
            else:
                ranges.append((row.a, row.b))
        return found


def counts_of(one: facts.Facts) -> Counts:
    """The counts that a ledger row should have, from what its chunk was folded to."""
    return Counts(one.received, one.counted, one.duplicate, one.rejected, one.skipped)


def _add_rows(into: dict[Key, list[int]], rollup: Rollup, one: facts.Facts) -> None:
    columns = {
        name: column for (name, _), column in zip(one.head.columns, one.columns, strict=True)
    }
    names = (*rollup.key, *rollup.sources())
    width = len(rollup.key)
    seconds = columns["minute"] if "minute" in columns else _seconds(columns["time"])
    for second, *values in zip(seconds, *(columns[name] for name in names), strict=True):
        quarter = second // QUARTER_SECONDS * QUARTER_SECONDS
        sums = into.setdefault((quarter, *values[:width]), [0] * (1 + len(names) - width))
        sums[0] += 1
        for n, value in enumerate(values[width:], start=1):
            sums[n] += value


def _seconds(milliseconds: Iterable[Any]) -> Iterator[int]:
    return (one // 1000 for one in milliseconds)
