"""Looking at ledger and tables, again and again, until nothing is under way. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.operate.audit import ledger as books
from pipeline.operate.audit import sums
from pipeline.operate.audit.ledger import Counts, Log, LogTotals, Row, begin

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

LANDING_SECONDS = 3.0
"""How long one look waits for an open chunk's row."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Look:
    """What one look read: ledger, sums, and what was under way meanwhile."""

    ledger: Mapping[Log, LogTotals]
    """Read first: all of it is in the tables."""
    sums: sums.Sums
    under_way: Mapping[Log, Counts]
    """Landed since: in the tables or not yet, in part perhaps."""
    open: Mapping[Log, int]
    """Where a chunk begins that did not land in time: its counts are not known."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was under way: then all sums are exact."""
        return not self.under_way and not self.open


class Looks:
    """A series of looks, whose ledger is read in full once."""

    def __init__(self, store: Store, base: Mapping[Log, LogTotals], span: sums.Kept) -> None:
        self._store = store
        self._ledger = dict(base)
        self._span = span
        self._stuck: dict[Log, int] = {}

    def until_quiet(
        self, within_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[Look]:
        """Look until nothing is under way, or only chunks that nobody is at, or time is up."""
        end = clock() + within_seconds
        while True:
            look = self.look(clock)
            yield look
            if not look.under_way and set(look.open) <= set(self._stuck):
                return
            if clock() >= end:
                return

    def look(self, clock: Callable[[], float] = time.monotonic) -> Look:
        """Look once; the order of the reads is what makes it right."""
        self._go_on(books.intents(self._store))
        before = dict(self._ledger)
        read = sums.read(self._store, self._span)
        announced = {log: intent.a for log, intent in books.intents(self._store).items()}
        landed = self._landed(announced, clock)
        under_way: dict[Log, Counts] = {}
        for row in landed:
            if row.a <= announced[row.log]:
                under_way[row.log] = under_way.get(row.log, Counts()).plus(row.counts)
        return Look(before, read, under_way, self._still_open(announced))

    def _landed(self, announced: Mapping[Log, int], clock: Callable[[], float]) -> list[Row]:
        """Take in what comes behind the ledger, until all that was announced is there."""
        rows = self._go_on(announced)
        end = clock() + LANDING_SECONDS
        while waiting := self._waiting(announced):
            if clock() >= end:
                self._stuck |= {log: announced[log] for log in waiting}
                break
            time.sleep(POLL_SECONDS)
            rows += self._go_on(waiting)
        return rows

    def _waiting(self, announced: Mapping[Log, int]) -> dict[Log, int]:
        return {
            log: a
            for log, a in announced.items()
            if a >= self._end(log, a) and self._stuck.get(log) != a
        }

    def _still_open(self, announced: Mapping[Log, int]) -> dict[Log, int]:
        return {log: a for log, a in announced.items() if a >= self._end(log, a)}

    def _end(self, log: Log, otherwise: int) -> int:
        found = self._ledger.get(log)
        return found.end if found is not None else otherwise

    def _go_on(self, logs: Mapping[Log, object]) -> list[Row]:
        """Take in the rows behind the ledger's ends; return them."""
        starts = {log: self._end(log, 0) for log in logs}
        rows = books.rows_from(self._store, starts) if starts else []
        for row in rows:
            self._ledger[row.log] = self._ledger.get(row.log, begin(row.a)).plus(row)
        return rows
