"""Tables against the ledger and against each other, over several looks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.facts.rollups import Rollup
from pipeline.facts.types import all_rollups
from pipeline.operate.audit.bounds import Interval, Narrowing, Number
from pipeline.operate.audit.ledger import OUTCOMES, Counts, Log
from pipeline.operate.audit.looks import Look
from pipeline.operate.audit.report import Check, Finding
from pipeline.operate.audit.sums import Cell, Kept

SHOWN = 50
"""Findings of one comparison that are listed."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What may be under way: least and most of the events in it."""

    events: Number

    def around(self, difference: int) -> Interval:
        """The interval of a difference between two tables, either of which may be ahead."""
        return Interval(difference - self.events, difference + self.events)


class Comparison:
    """Takes in looks and says in the end what certainly differs."""

    def __init__(self, span: Kept) -> None:
        self._span = span
        self._outcomes: Narrowing[tuple[str, int, str]] = Narrowing()
        self._rollups: Narrowing[str] = Narrowing()
        self._cells: Narrowing[Cell] = Narrowing()
        self._others: set[Cell] = set()
        self._look: Look | None = None

    def add(self, look: Look) -> None:
        """Add one look at store and ledger to what is compared."""
        self._look = look
        self._outcomes.add(dict(_outcome_differences(look)))
        self._rollups.add({r.kind: _rollup_difference(look, r) for r in all_rollups()})
        seen: dict[Cell, Interval] = {}
        widest: Number = 0
        for rollup in all_rollups():
            way = _Way(_counted_under_way(look, rollup))
            widest = max(widest, way.events)
            for cell, (events, _) in look.sums.cells[rollup.kind].items():
                seen[cell] = way.around(events)
        self._cells.add(seen, _Way(widest).around(0))
        if look.is_quiet:
            self._others = {
                cell
                for cells in look.sums.cells.values()
                for cell, (events, other) in cells.items()
                if other and not events
            }

    def checks(self) -> list[Check]:
        """Say what differs, and how exactly that could be told."""
        checks = [self._outcome_check(), self._rollup_check(), self._cell_check()]
        for check, width in zip(
            checks, (self._outcomes.width, self._rollups.width, self._cells.width), strict=True
        ):
            if width == math.inf:
                check.notes.append(self._open_note())
            elif width:
                check.notes.append(
                    f"workers were counting all the time: compared to within {int(width):,} "
                    "events; a calmer moment, or a longer --within, tells more"
                )
        return checks

    def _open_note(self) -> str:
        left = sorted(self._look.open.items()) if self._look else []
        where = ", ".join(f"{log} from {a} on" for log, a in left[:3])
        return (
            f"open, and nobody finishes it: {where}; what it has in the tables cannot be told. "
            "Start a worker, then audit again"
        )

    def _outcome_check(self) -> Check:
        check = Check("outcomes", "events by outcome and partition: partitions_1m = ledger")
        wrong = sorted(self._outcomes.differences().items())
        for (topic, partition, outcome), by in wrong:
            where = f"{topic}[{partition}]"
            message = f"partitions_1m has {_words(by)} {outcome} events of {where} {_THAN_LEDGER}"
            details = {"topic": topic, "partition": partition, "outcome": outcome}
            check.findings.append(_finding("outcomes", where, message, by, details))
        return check

    def _rollup_check(self) -> Check:
        compared = ", ".join(f"{r.quarters} ({r.events})" for r in all_rollups())
        if self._span.quarters is not None:
            compared += f" since {_time(self._span.quarters)}"
        check = Check("rollups", f"counted events: {compared} = ledger")
        for rollup in all_rollups():
            by = self._rollups.differences().get(rollup.kind)
            if by is not None:
                message = f"{rollup.quarters} has {_words(by)} {rollup.events} {_THAN_LEDGER}"
                check.findings.append(_finding("rollup", rollup.quarters, message, by, {}))
        return check

    def _cell_check(self) -> Check:
        since = self._span.later(by_minutes=True)
        held = f" since {_time(since)}" if since else ""
        check = Check(
            "tables",
            "by tenant and day, each sum: 1-minute rows and latencies = 15-minute rows"
            f"{held}; by tenant: 15-minute rows = partitions_1m",
        )
        wrong = sorted(
            self._cells.differences().items(), key=lambda item: (-abs(item[1].nearest), item[0])
        )
        check.findings += [_cell_finding(cell, by) for cell, by in wrong[:SHOWN]]
        check.findings += [_other_finding(cell) for cell in sorted(self._others)[:SHOWN]]
        left = max(0, len(wrong) - SHOWN) + max(0, len(self._others) - SHOWN)
        if left:
            check.notes.append(f"{left:,} more tenants and days differ")
        return check


def _outcome_differences(look: Look) -> Iterable[tuple[tuple[str, int, str], Interval]]:
    ledger: dict[tuple[str, int], Counts] = {}
    for log, totals in look.ledger.items():
        key = log.topic, log.partition
        ledger[key] = ledger.get(key, Counts()).plus(totals.counts)
    way = _by_source(look.under_way)
    unknown = {log.source for log in look.open}
    named = {(topic, partition) for topic, partition, _ in look.sums.outcomes}
    for topic, partition in sorted(ledger.keys() | named):
        for outcome in OUTCOMES:
            due = getattr(ledger.get((topic, partition), Counts()), outcome)
            most = getattr(way.get((topic, partition), Counts()), outcome)
            if (topic, partition) in unknown:
                most = math.inf
            by = look.sums.outcomes.get((topic, partition, outcome), 0) - due
            yield (topic, partition, outcome), Interval(by - most, by)


def _rollup_difference(look: Look, rollup: Rollup) -> Interval:
    of = [totals for log, totals in look.ledger.items() if log.topic.endswith(rollup.kind)]
    found = look.sums.events[rollup.kind]
    least, most = sum(one.kept[0] for one in of), sum(one.kept[1] for one in of)
    return Interval(found - most - _counted_under_way(look, rollup), found - least)


def _counted_under_way(look: Look, rollup: Rollup) -> Number:
    if any(log.topic.endswith(rollup.kind) for log in look.open):
        return math.inf
    ways = look.under_way.items()
    return sum(counts.counted for log, counts in ways if log.topic.endswith(rollup.kind))


def _by_source(counts: Mapping[Log, Counts]) -> dict[tuple[str, int], Counts]:
    found: dict[tuple[str, int], Counts] = {}
    for log, one in counts.items():
        key = log.topic, log.partition
        found[key] = found.get(key, Counts()).plus(one)
    return found


def _cell_finding(cell: Cell, by: Interval) -> Finding:
    message = f"{cell.left} has {_words(by)} events of {_place(cell)} than {cell.right}. {_RECOUNT}"
    details = {"left": cell.left, "right": cell.right, "tenant": cell.tenant, "day": _day(cell)}
    return _finding("tables", cell.left, message, by, details)


def _other_finding(cell: Cell) -> Finding:
    message = (
        f"{cell.left} and {cell.right} have as many events of {_place(cell)}, but differ in "
        f"another sum, or in the quarter hours. {_RECOUNT}"
    )
    details = {"left": cell.left, "right": cell.right, "tenant": cell.tenant, "day": _day(cell)}
    return Finding("tables", cell.left, message, details)


_RECOUNT = "`usage audit --recount` tells which of them is right, while Kafka has the events"
_THAN_LEDGER = (
    "than the ledger has counted. Too few: rows were deleted or never arrived; too many: something "
    "was inserted twice, or a ledger row is missing (the check of the ledger tells)"
)


def _words(by: Interval) -> str:
    count = by.nearest
    least = "at least " if by.width else ""
    return f"{least}{abs(count):,} {'more' if count > 0 else 'fewer'}"


def _finding(
    kind: str, where: str, message: str, by: Interval, details: Mapping[str, object]
) -> Finding:
    exact = {"difference": by.nearest, "exact": by.width == 0}
    return Finding(kind, where, message, {**details, **exact})


def _place(cell: Cell) -> str:
    day = _day(cell)
    return f"tenant {cell.tenant!r}" + (f" on {day}" if day else "")


def _day(cell: Cell) -> str:
    return datetime.fromtimestamp(cell.day, UTC).date().isoformat() if cell.day else ""


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")
