"""``usage audit --recount``: a range of the log folded again, chunk by chunk, and compared.

The chunks are the ledger's, whole ones only, as far as Kafka still has them, and of the rules that
this program has now. Compared is, by its own code (`pipeline.facts`), on records that are read
again (committed ones only, without joining the group), with the duplicate window before each chunk:

- each chunk's received, counted, duplicate, rejected and skipped with its ledger row;
- the events of each arrival minute, tenant, type, outcome and reason of a partition with
  ``partitions_1m``;
- every sum of each finest key and quarter hour with the 15-minute rows.

A stored sum may also hold events of chunks that were not counted again, so it must be at least the
recounted one. It must be exactly that where no other chunk can have a share: in minutes after the
last arrival, and quarter hours after the last event, of all the chunks outside the range. With the
newest chunks of all partitions in it that is what has arrived since the range began; while workers
write, the recount goes after them until it has everything, or time is up.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError
from pipeline.facts.types import all_rollups
from pipeline.kafka.group import bounds
from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.fold import Folded, Folder, counts_of
from pipeline.operate.audit.ledger import Log, Row
from pipeline.operate.audit.looks import LANDING_SECONDS, POLL_SECONDS
from pipeline.operate.audit.match import Matched, match
from pipeline.operate.audit.report import Check, Finding
from pipeline.operate.audit.selection import ChunkSelection
from pipeline.operate.audit.stored import Outside, outside, stored_outcomes, stored_quarters
from pipeline.operate.audit.sums import kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


def recount(
    settings: Settings,
    store: Store,
    selection: ChunkSelection,
    incarnations: Mapping[str, str],
    within_seconds: float,
) -> list[Check]:
    """Count the selected chunks again; raises as `run.audit` does, and SettingsError."""
    edges = bounds(settings, sorted(incarnations))
    logs = [Log(*source, incarnations[source.topic]) for source in edges]
    chosen = [log for log in logs if selection.takes(settings, log)]
    if not chosen:
        raise SettingsError(
            f"there is no partition {selection.partition} of {selection.topic or 'any topic'}; "
            f"the topics are {', '.join(sorted(incarnations))}"
        )
    folder = Folder(settings, edges)
    try:
        work = _Work(store, folder, selection, {log: edges[log.source].first for log in chosen})
        exact = work.go(within_seconds)
        return [work.ledger_check(), *work.table_checks(exact)]
    finally:
        folder.close()


class _Work:
    """One recount: the chunks taken, and what they came to."""

    def __init__(
        self, store: Store, folder: Folder, selection: ChunkSelection, firsts: dict[Log, int]
    ) -> None:
        self._store = store
        self._folder = folder
        self._firsts = firsts
        self._ends: dict[Log, int] = {}
        self._last = selection.last
        self._since = selection.since_offset
        self._findings: list[Finding] = []
        self._passed_over: dict[str, int] = {}
        self.folded = Folded()
        self.outcomes: Matched = Matched()
        self.sums: dict[str, Matched] = {}

    def go(self, within_seconds: float) -> bool:
        """Fold all, then what came meanwhile; say whether the sums were read with all of it in."""
        self._take(books.rows_from(self._store, dict.fromkeys(self._firsts, self._since)))
        end = time.monotonic() + within_seconds
        patience = time.monotonic() + LANDING_SECONDS
        while True:
            around = self._compare()
            if around.is_settled or time.monotonic() >= min(end, patience):
                return around.is_settled
            time.sleep(POLL_SECONDS)
            if self._take(books.rows_from(self._store, self._ends)):
                patience = time.monotonic() + LANDING_SECONDS

    def ledger_check(self) -> Check:
        """Compare what each chunk was folded to with its ledger row."""
        n = len(self.folded.rows)
        check = Check(
            "recount: ledger", f"{n:,} chunks, {self.folded.counts.received:,} events: each row"
        )
        check.findings = self._findings
        check.notes = [
            f"{count:,} chunks were passed over: {why}" for why, count in self._passed_over.items()
        ]
        return check

    def table_checks(self, settled: bool) -> list[Check]:
        """What the chunks come to against the tables."""
        matches = {"partitions_1m": self.outcomes} | self.sums
        checks: list[Check] = []
        for table, matched in matches.items():
            check = Check(
                f"recount: {table}",
                f"{matched.exact:,} keys exactly, {matched.least:,} as the least they must hold",
                list(matched.findings(table)),
            )
            if not settled and not checks:  # said once
                check.notes.append("workers were counting all the time: fewer keys compare exactly")
            checks.append(check)
        return checks

    def _take(self, rows: Sequence[Row]) -> int:
        """Fold rows that come next, in each log's order; return how many."""
        by_log: dict[Log, list[Row]] = {}
        for row in rows:
            by_log.setdefault(row.log, []).append(row)
        for log, of_log in by_log.items():
            newest = of_log[-self._last :] if self._last and log not in self._ends else of_log
            self._fold(log, [row for row in newest if self._can(row)])
            self._ends[log] = of_log[-1].b
        return len(rows)

    def _can(self, row: Row) -> bool:
        why = ""
        if row.kind != "chunk":
            why = "lost, so there is nothing to count"
        elif row.a < self._firsts[row.log]:
            why = "Kafka has deleted their events"
        elif row.rules != self._folder.digest:
            why = "counted by other rules than these settings and this release"
        if why:
            self._pass_over(why)
        return not why

    def _pass_over(self, why: str) -> None:
        self._passed_over[why] = self._passed_over.get(why, 0) + 1

    def _fold(self, log: Log, rows: Sequence[Row]) -> None:
        first = self._firsts[log]
        for row, facts in self._folder.fold(log, rows, first):
            counts = counts_of(facts)
            if not self._folder.window_is_whole(row, first) and _fewer_duplicates(row, counts):
                self._pass_over("what their duplicates repeat may be what Kafka has deleted")
                continue
            self.folded.add(row, facts)
            if counts != row.counts:
                self._findings.append(_wrong(row, counts))

    def _compare(self) -> Outside:
        outcomes = stored_outcomes(self._store, self.folded)
        span = kept(self._store)
        found = {
            r.quarters: stored_quarters(self._store, r, self.folded, span) for r in all_rollups()
        }
        around = outside(self._store, self.folded.ranges(), self._ends)
        self.outcomes = match(self.folded.outcomes, outcomes, around.outcome_is_exact)
        for rollup in all_rollups():
            due = self.folded.sums.get(rollup.kind, {})
            held = {key: sums for key, sums in due.items() if key[0] >= (span.quarters or 0)}
            self.sums[rollup.quarters] = match(
                held, found[rollup.quarters], around.quarter_is_exact(rollup)
            )
        return around


def _fewer_duplicates(row: Row, counts: books.Counts) -> bool:
    """Say whether only this differs: some of the row's duplicates count."""
    stored = row.counts
    missing = stored.duplicate - counts.duplicate
    return missing > 0 and counts == stored._replace(
        counted=stored.counted + missing, duplicate=counts.duplicate
    )


def _wrong(row: Row, counts: books.Counts) -> Finding:
    due = ", ".join(
        f"{name} {stored:,} is {right:,}"
        for name, stored, right in zip(counts._fields, row.counts, counts, strict=True)
        if stored != right
    )
    message = (
        f"the ledger row of {row} is not what the log comes to: {due}. Keep the store as it is and "
        "find out who wrote there; the events are in Kafka until retention takes them"
    )
    details = {
        "topic": row.log.topic,
        "partition": row.log.partition,
        "from_offset": row.a,
        "to_offset": row.b,
        "stored": row.counts._asdict(),
        "recounted": counts._asdict(),
    }
    return Finding("chunk", str(row), message, details)
