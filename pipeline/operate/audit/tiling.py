"""Each log's chunks tile its offsets: without gap, without overlap; lost ranges are said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.operate.audit.ledger import Ledger, Log
from pipeline.operate.audit.report import Check, Finding

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

SHOWN = 1000

# Compared with the greatest end of all rows before, not with the row before: a row inside another
# is one overlap, and no gap behind it.
BREAKS = """
SELECT topic, partition, incarnation, from_offset, to_offset, kind, reached FROM
(
    SELECT
        topic, partition, incarnation, from_offset, to_offset, kind,
        if(count() OVER before = 0, from_offset, max(to_offset) OVER before) AS reached
    FROM chunks FINAL
    WINDOW before AS
    (
        PARTITION BY topic, partition, incarnation ORDER BY from_offset
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
WHERE reached != from_offset OR to_offset <= from_offset OR kind = 'lost'
ORDER BY
    reached = from_offset AND to_offset > from_offset,
    topic, partition, incarnation, from_offset
LIMIT {limit:UInt32}
"""
"""What is lost alone comes last: however much there is of it, it cuts off no damage."""


class Break(NamedTuple):
    """A row that does not follow on those before, is empty, or of kind ``lost``."""

    log: Log
    a: int
    b: int
    kind: str
    reached: int
    """The greatest end of the rows before; ``a`` for the first row."""


def read(store: Store) -> list[Break]:
    """Read the rows that break the tiling, at most `SHOWN`: gaps and overlaps first."""
    rows = store.query(BREAKS, {"limit": SHOWN}, consistent=True)
    return [Break(Log(*row[:3]), *row[3:]) for row in rows]


def check(breaks: Sequence[Break], ledger: Ledger) -> Check:
    """Say what breaks the tiling; and rows that contradict themselves."""
    chunks = sum(one.chunks for one in ledger.values())
    result = Check("ledger", f"{chunks:,} chunks of {len(ledger):,} logs tile their offsets")
    for one in breaks:
        result.findings += _findings(one)
    if len(breaks) >= SHOWN:
        result.notes.append(
            f"of the rows that do not tile, the first {SHOWN:,} are listed, gaps and overlaps "
            "before what is lost; there may be more"
        )
    for log, totals in sorted(ledger.items()):
        if totals.uneven:
            result.findings.append(
                Finding(
                    "uneven",
                    str(log),
                    f"{totals.uneven:,} chunks of {log} do not add up: received is not counted + "
                    f"duplicate + rejected. `usage audit --recount` shows which of them is wrong",
                )
            )
    return result


def _findings(one: Break) -> list[Finding]:
    found = []
    log, a, b = one.log, one.a, one.b
    if b <= a:
        found.append(_finding("empty", log, a, b, f"a ledger row of {log} is [{a}, {b})"))
    if one.reached > a:
        text = f"two ledger rows of {log} cover [{a}, {min(b, one.reached)})"
        found.append(_finding("overlap", log, a, min(b, one.reached), f"{text}. {_TWICE}"))
    elif one.reached < a:
        text = f"no ledger row of {log} covers [{one.reached}, {a})"
        found.append(_finding("gap", log, one.reached, a, f"{text}. {_MISSING}"))
    if one.kind == "lost":
        found.append(_finding("lost", log, a, b, f"{log} [{a}, {b}): {_LOST}"))
    return found


_TWICE = "Its events may count twice: `usage audit --recount` tells by how much"
_MISSING = (
    "Where its events are in the tables, only the row is missing (the check of the tables tells); "
    "otherwise restore the store's newest copy, then `usage rewind --to-store`"
)
_LOST = "Kafka deleted it before it was counted (retention is shorter than an outage was)"


def _finding(kind: str, log: Log, a: int, b: int, message: str) -> Finding:
    details = {
        "topic": log.topic,
        "partition": log.partition,
        "incarnation": log.incarnation,
        "from_offset": a,
        "to_offset": b,
    }
    return Finding(kind, str(log), message, details)
