"""The order in which an audit reads and compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.kafka import group as outside
from pipeline.operate.audit import invariants, looks, offsets, release, sums, tiling
from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.compare import Comparison
from pipeline.operate.audit.ledger import Log, LogTotals
from pipeline.operate.audit.report import Check, Report
from pipeline.protocol.chunks import Intent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clickhouse.client import Store
    from pipeline.operate.audit.selection import ChunkSelection
    from pipeline.settings import Settings

WITHIN_SECONDS = 15.0
"""How long to look for a moment in which nothing is under way."""


def audit(
    settings: Settings,
    store: Store,
    selection: ChunkSelection | None = None,
    within_seconds: float = WITHIN_SECONDS,
) -> Report:
    """Check everything; with a selection, count its range of the log again.

    Raises:
        StoreError, BrokerError, Halted: it could not be checked.
    """
    incarnations = outside.incarnations(settings)
    span = sums.kept(store)
    intents = books.intents(store)
    ledger = books.totals(store, span.quarters)
    report = Report([tiling.check(tiling.read(store), ledger)])
    report.checks.append(_offsets(settings, store, ledger, intents, incarnations))
    comparison = Comparison(span)
    for look in looks.Looks(store, ledger, span).until_quiet(within_seconds):
        comparison.add(look)
    report.checks += comparison.checks()
    report.checks.append(invariants.check(store, ledger, span, within_seconds))
    report.checks.append(release.check(store))
    if selection is not None:
        from pipeline.operate.audit.recount import recount  # what it folds by takes long to import

        report.checks += recount(settings, store, selection, incarnations, within_seconds)
    return report


def _offsets(
    settings: Settings,
    store: Store,
    ledger: Mapping[Log, LogTotals],
    intents: Mapping[Log, Intent],
    incarnations: Mapping[str, str],
) -> Check:
    """Read in the order that `offsets` wants; intents and ledger were read before."""
    sources = list(outside.bounds(settings, sorted(incarnations)))
    committed = outside.committed(settings, sources)
    logs = [Log(*source, incarnations[source.topic]) for source in sources]
    starts = {log: ledger[log].end if log in ledger else 0 for log in logs}
    ends = {row.log: row.b for row in books.rows_from(store, starts)}
    bounds = outside.bounds(settings, sorted(incarnations))
    seen = {}
    for log in logs:
        known = ledger.get(log)
        before = known.end if known else None
        seen[log] = offsets.Seen(
            first_row=known.first if known else None,
            before=before,
            after=ends.get(log, before),
            intent=intents.get(log),
            committed=committed.get(log.source),
            bounds=bounds[log.source],
        )
    return offsets.check(seen, settings.group)
