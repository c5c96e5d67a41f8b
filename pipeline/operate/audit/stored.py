"""What the store holds for the keys that a recount came to, and which chunks stand beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import quoted
from pipeline.facts.rollups import Rollup
from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.ledger import Log, key_is
from pipeline.operate.audit.sums import Kept

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.operate.audit.fold import Folded, Key

BUCKETS_PER_QUERY = 100


def stored_outcomes(store: Store, folded: Folded) -> dict[Key, list[int]]:
    """Events of all keys in the minutes and partitions that were counted again."""
    found: dict[Key, list[int]] = {}
    names = sorted({key[1] for key in folded.outcomes})
    if not names:
        return found
    of = f"topic IN ({', '.join(map(quoted, names))})"
    sources = {(row.log.topic, row.log.partition) for row in folded.rows}
    for minutes in _parts(sorted({key[0] for key in folded.outcomes})):
        rows = store.query(
            "SELECT toUnixTimestamp(minute), topic, partition, tenant, type, outcome, "  # noqa: S608
            f"reason, sum(events) FROM partitions_1m WHERE {of} AND minute IN ({_times(minutes)}) "
            "AND events > 0 GROUP BY minute, topic, partition, tenant, type, outcome, reason"
        )
        found |= {tuple(row[:-1]): [int(row[-1])] for row in rows if (row[1], row[2]) in sources}
    return found


def stored_quarters(
    store: Store, rollup: Rollup, folded: Folded, span: Kept
) -> dict[Key, list[int]]:
    """The sums of all keys in the quarter hours that were counted again."""
    due = folded.sums.get(rollup.kind, {})
    quarters = sorted({key[0] for key in due if key[0] >= (span.quarters or 0)})
    sums = ", ".join(f"sum(toInt128({name}))" for name in (rollup.events, *rollup.measures))
    keys = ", ".join(rollup.key)
    found: dict[Key, list[int]] = {}
    for part in _parts(quarters):
        rows = store.query(
            f"SELECT toUnixTimestamp(quarter), {keys}, {sums} FROM {rollup.quarters} "  # noqa: S608
            f"WHERE quarter IN ({_times(part)}) GROUP BY quarter, {keys}"
        )
        n = 1 + len(rollup.key)
        found |= {tuple(row[:n]): [int(value) for value in row[n:]] for row in rows}
    return found


@dataclass(frozen=True)
class Outside:
    """The chunks that were not counted again."""

    arrivals: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """Their last arrival, by partition; epoch seconds, infinite where one is open."""
    events: Mapping[str, float] = field(default_factory=dict)
    """The last time of their counted events, by topic; likewise."""
    is_settled: bool = True
    """Whether all of the chosen logs' chunks were taken when the sums were read."""

    def outcome_is_exact(self, key: Key) -> bool:
        """Whether no chunk outside can have a share of this arrival minute."""
        last = self.arrivals.get((key[1], key[2]), -math.inf)
        return bool(key[0] > last)

    def quarter_is_exact(self, rollup: Rollup) -> Callable[[Key], bool]:
        """Whether a quarter hour of the rollup is exact."""
        ends = (last for topic, last in self.events.items() if topic.endswith(rollup.kind))
        after = max(ends, default=-math.inf)

        def is_exact(key: Key) -> bool:
            return bool(key[0] > after)

        return is_exact


def outside(
    store: Store, ranges: Mapping[Log, Sequence[tuple[int, int]]], ends: Mapping[Log, int]
) -> Outside:
    """Read, after the sums, which chunks are not in these ranges: landed or announced.

    ``ends``: how far the ledger of each chosen log was read.
    """
    announced = books.intents(store)
    rows = store.query(
        "SELECT topic, partition, incarnation, "  # noqa: S608 - quoted
        "toUnixTimestamp64Milli(max(last_arrival)) / 1000, "
        "toUnixTimestamp64Milli(max(last_event_time)) / 1000, "
        f"max(to_offset) FROM chunks FINAL WHERE NOT ({_inside(ranges)}) "
        "GROUP BY topic, partition, incarnation"
    )
    arrivals: dict[tuple[str, int], float] = {}
    events: dict[str, float] = {}
    newest: dict[Log, int] = {}
    for topic, partition, incarnation, arrival, event, to in rows:
        arrivals[topic, partition] = max(arrival, arrivals.get((topic, partition), -math.inf))
        events[topic] = max(event, events.get(topic, -math.inf))
        newest[Log(topic, partition, incarnation)] = to
    settled = all(newest.get(log, 0) <= end for log, end in ends.items())
    for log, intent in announced.items():
        if intent.a >= max(newest.get(log, 0), ranges[log][-1][1] if log in ranges else 0):
            arrivals[log.topic, log.partition] = events[log.topic] = math.inf
            settled = settled and log not in ends
    return Outside(arrivals, events, settled)


def _inside(ranges: Mapping[Log, Sequence[tuple[int, int]]]) -> str:
    parts = [
        f"({key_is(log)} AND from_offset >= {a:d} AND to_offset <= {b:d})"
        for log, of_log in ranges.items()
        for a, b in of_log
    ]
    return " OR ".join(parts) or "0"


def _times(seconds: Sequence[int]) -> str:
    return ", ".join(f"toDateTime({second:d}, 'UTC')" for second in seconds)


def _parts(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), BUCKETS_PER_QUERY):
        yield values[start : start + BUCKETS_PER_QUERY]
