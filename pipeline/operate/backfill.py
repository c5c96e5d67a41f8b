"""Product events of before they were kept: read from Kafka again, into ``product_events`` alone.

Exactly once, beside running workers: it takes chunks that the table cannot have (`kept_events`),
over exactly their ranges of the ledger and in the order of the log, and writes each under its own
token, then its row into ``product_events_filled``. Killed between the two and started again, the
same chunk is written under the same token, and dropped. A chunk that does not come to what the
ledger says of it is passed over: nobody knows which of its events counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.clickhouse.schema.retention import EVENTS_TABLE
from pipeline.clickhouse.shards import Shards
from pipeline.facts.heads import PRODUCT_EVENTS
from pipeline.facts.rollups import PRODUCT_EVENTS as ROLLUP
from pipeline.facts.rules import before_events_were_kept, rules_of
from pipeline.kafka import group, topics
from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.fold import Folder, counts_of
from pipeline.operate.audit.ledger import Log, Row
from pipeline.operate.kept_events import NOT_KEPT
from pipeline.protocol.chunks import Range, Source

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.facts import Facts
    from pipeline.settings import Settings

COLUMNS = ("name", "tenant", "time", "user_id", "properties")
"""Of the head, those that are kept."""

FILLED = (
    ("topic", "String"),
    ("partition", "UInt32"),
    ("incarnation", "String"),
    ("from_offset", "Int64"),
    ("to_offset", "Int64"),
    ("events", "UInt64"),
)


@dataclass
class Filled:
    """What a backfill did so far."""

    chunks: int = 0
    events: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    """Chunks by the reason why they stay as they are."""


def backfill(settings: Settings, store: Store, *, any_rules: bool = False) -> Iterator[Filled]:
    """Fill in what Kafka still holds; yields the same object after each log, and at the end.

    Args:
        settings: of the group, with the rules by which the chunks were counted.
        store: whose ledger says which chunks there are.
        any_rules: also chunks of other rules, if their counts are those of the ledger.

    Raises:
        StoreError, BrokerError: it could not go on; run it again.
    """
    topic = settings.topic(ROLLUP.kind)
    [incarnation] = topics.incarnations(settings, [topic]).values()
    firsts = {source: edges.first for source, edges in group.bounds(settings, [topic]).items()}
    work = _Work(settings, store, firsts, any_rules)
    try:
        for log, rows in work.rows(topic).items():
            if log.incarnation != incarnation:
                work.filled.passed_over["their topic was made anew"] += len(rows)
                continue
            work.fill(log, rows, firsts[log.source])
            yield work.filled
    finally:
        work.close()
    yield work.filled


class _Work:
    def __init__(
        self, settings: Settings, store: Store, known: Iterable[Source], any_rules: bool
    ) -> None:
        self._store = store
        self._shards = Shards.connect(settings, store)
        self._folder = Folder(settings, known)
        self._older = before_events_were_kept(rules_of(settings)).digest()
        self._any_rules = any_rules
        self.filled = Filled()

    def close(self) -> None:
        """Close the connections to Kafka and to the shards."""
        self._folder.close()
        self._shards.close()

    def rows(self, topic: str) -> Mapping[Log, list[Row]]:
        """The chunks that are not kept, by log, in order."""
        found: dict[Log, list[Row]] = {}
        for row in books.rows_where(
            self._store,
            f"topic = {{topic:String}} AND {NOT_KEPT}",
            topic=topic,
            older_rules=self._older,
        ):
            found.setdefault(row.log, []).append(row)
        return found

    def fill(self, log: Log, rows: list[Row], first: int) -> None:
        """Write the chunks of one log; ``first``: the first offset that Kafka still has."""
        taken = [row for row in rows if self._can(row, first)]
        for row, facts in self._folder.fold(log, taken, first):
            if counts_of(facts) == row.counts:
                self._write(row, facts)
            elif self._folder.window_is_whole(row, first):
                self._pass_over("the log does not come to what their ledger rows say")
            else:
                self._pass_over("what their duplicates repeat may be what Kafka has deleted")

    def _can(self, row: Row, first: int) -> bool:
        if row.a < first:
            self._pass_over("Kafka has deleted their events")
            return False
        if row.rules in (self._older, self._folder.digest) or self._any_rules:
            return True
        self._pass_over("counted by other rules than these settings (--any-rules takes them)")
        return False

    def _pass_over(self, why: str) -> None:
        self.filled.passed_over[why] += 1

    def _write(self, row: Row, facts: Facts) -> None:
        by_name = {
            name: (kind, column)
            for (name, kind), column in zip(PRODUCT_EVENTS.columns, facts.columns, strict=True)
        }
        columns = [(name, by_name[name][0]) for name in COLUMNS]
        data = [by_name[name][1] for name in COLUMNS]
        token = Range(row.log.source, row.log.incarnation, row.a, row.b).token
        shard = self._shards.of(row.log.source.partition)
        shard.insert(EVENTS_TABLE, columns, data, token=token)
        done = (*row.log, row.a, row.b, facts.counted)
        shard.insert("product_events_filled", FILLED, [[value] for value in done])
        self.filled.chunks += 1
        self.filled.events += facts.counted
