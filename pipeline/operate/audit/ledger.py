"""Reading the ledger: totals once, then only what comes behind them; the newest intents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.clickhouse.quoting import quoted
from pipeline.protocol.chunks import Intent, Source

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

KEYS_PER_QUERY = 200
OUTCOMES = ("counted", "duplicate", "rejected", "skipped")


class Log(NamedTuple):
    """One partition of one incarnation of a topic: what offsets belong to."""

    topic: str
    partition: int
    incarnation: str

    @property
    def source(self) -> Source:
        """The partition, whatever its incarnation."""
        return Source(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class Counts(NamedTuple):
    """How many events of a chunk, or of many, had each outcome."""

    received: int = 0
    counted: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sums, one by one."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


class Row(NamedTuple):
    """One chunk's row of the ledger, offsets [a, b)."""

    log: Log
    a: int
    b: int
    kind: str
    counts: Counts
    rules: str

    def __str__(self) -> str:
        return f"{self.log} [{self.a}, {self.b})"


@dataclass(frozen=True, slots=True)
class LogTotals:
    """The sums of all ledger rows of one log, and where they begin and end."""

    first: int
    end: int
    """The end of its newest row, which is where workers go on."""
    counts: Counts
    kept: tuple[int, int]
    """Least and most of the counted events that 15-minute rows still hold: the same unless expiry
    cuts through chunks."""
    chunks: int = 0
    lost: int = 0
    uneven: int = 0
    """Rows whose received is not counted + duplicate + rejected."""

    def plus(self, row: Row) -> LogTotals:
        """Totals with one more row behind these."""
        kept = (self.kept[0] + row.counts.counted, self.kept[1] + row.counts.counted)
        return LogTotals(
            self.first,
            row.b,
            self.counts.plus(row.counts),
            kept,
            self.chunks + 1,
            self.lost,
            self.uneven,
        )


def begin(log_first: int) -> LogTotals:
    """The totals of a log that has no ledger rows yet."""
    return LogTotals(log_first, log_first, Counts(), (0, 0))


Ledger = Mapping[Log, LogTotals]


def totals(store: Store, kept_from: int | None) -> dict[Log, LogTotals]:
    """Read the sums of the whole ledger, by log.

    ``kept_from``: epoch seconds from which 15-minute rows are kept; None: all of them are.
    """
    bound = "0" if kept_from is None else f"toDateTime64({kept_from:d}, 3, 'UTC')"
    kept = (
        "sum(counted), sum(counted)"
        if kept_from is None
        else f"sumIf(counted, first_event_time >= {bound}), "
        f"sumIf(counted, last_event_time >= {bound})"
    )
    rows = store.query(
        "SELECT topic, partition, incarnation, "  # noqa: S608 - numbers only
        "min(from_offset), argMax(to_offset, from_offset), "
        f"sum(received), sum(counted), sum(duplicate), sum(rejected), sum(skipped), {kept}, "
        "count(), sum(lost), countIf(received != counted + duplicate + rejected) "
        "FROM chunks FINAL GROUP BY topic, partition, incarnation",
        consistent=True,
    )
    return {
        Log(*row[:3]): LogTotals(
            row[3], row[4], Counts(*map(int, row[5:10])), (int(row[10]), int(row[11])), *row[12:15]
        )
        for row in rows
    }


def rows_from(store: Store, starts: Mapping[Log, int]) -> list[Row]:
    """Read the rows of each log that begin at its offset or behind, in order."""
    found: list[Row] = []
    for part in _parts(sorted(starts.items())):
        wanted = " OR ".join(f"({key_is(log)} AND from_offset >= {start:d})" for log, start in part)
        found += rows_where(store, wanted)
    return found


def intents(store: Store) -> dict[Log, Intent]:
    """Read the newest intent of every log."""
    rows = store.query(
        "SELECT topic, partition, incarnation, max(from_offset), argMax(to_offset, from_offset), "
        "argMax(rules, from_offset) FROM intents GROUP BY topic, partition, incarnation",
        consistent=True,
    )
    return {Log(*row[:3]): Intent(*row[3:]) for row in rows}


def key_is(log: Log) -> str:
    """A condition in SQL: it is a row of this log."""
    return (
        f"topic = {quoted(log.topic)} AND partition = {log.partition:d} "
        f"AND incarnation = {quoted(log.incarnation)}"
    )


def rows_where(store: Store, where: str, **parameters: str) -> list[Row]:
    """Read the rows of which a condition in SQL holds, in order."""
    # Conditions stand in the statement: as parameters, which go into the URL, they are too long.
    rows = store.query(
        "SELECT topic, partition, incarnation, from_offset, to_offset, kind, "  # noqa: S608 - quoted
        "received, counted, duplicate, rejected, skipped, rules FROM chunks FINAL "
        f"WHERE {where} ORDER BY topic, partition, incarnation, from_offset",
        parameters,
        consistent=True,
    )
    return [_row(row) for row in rows]


def _row(row: tuple[Any, ...]) -> Row:
    return Row(Log(*row[:3]), row[3], row[4], row[5], Counts(*map(int, row[6:11])), row[11])


def _parts(items: Sequence[tuple[Log, int]]) -> Iterator[Sequence[tuple[Log, int]]]:
    for start in range(0, len(items), KEYS_PER_QUERY):
        yield items[start : start + KEYS_PER_QUERY]
