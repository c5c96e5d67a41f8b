"""The audit's decisions, without store and Kafka."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pipeline.facts.types import all_rollups
from pipeline.kafka.group import Bounds
from pipeline.operate.audit import match as matching
from pipeline.operate.audit import offsets, tiling
from pipeline.operate.audit.bounds import Interval, Narrowing
from pipeline.operate.audit.compare import Comparison
from pipeline.operate.audit.ledger import Counts, Log, LogTotals, Row
from pipeline.operate.audit.looks import Look
from pipeline.operate.audit.offsets import Seen
from pipeline.operate.audit.report import Check, Finding, Report
from pipeline.operate.audit.sums import Cell, Kept, Sums
from pipeline.protocol.chunks import Intent, Offset, Range, commit_metadata, intent_metadata

LOG = Log("usage.requests", 0, "one")
LOG_BOUNDS = Bounds(0, 90)
ACTIONS = Log("usage.recipe-actions", 0, "two")


def totals(counted: int, rejected: int = 0) -> LogTotals:
    counts = Counts(counted + rejected, counted, 0, rejected, 0)
    return LogTotals(0, 100, counts, (counted, counted), 1)


def look(
    counted: int,
    stored: int,
    under_way: int = 0,
    *,
    is_open: bool = False,
    cells: Mapping[Cell, tuple[int, bool]] | None = None,
) -> Look:
    sums = Sums(
        outcomes={("usage.requests", 0, "counted"): stored},
        events={rollup.kind: 0 for rollup in all_rollups()} | {"usage.requests": stored},
        cells={rollup.kind: {} for rollup in all_rollups()} | {"usage.requests": dict(cells or {})},
    )
    way = {LOG: Counts(under_way, under_way)} if under_way else {}
    return Look({LOG: totals(counted)}, sums, way, {LOG: 100} if is_open else {})


def compare(*looks: Look) -> Report:
    comparison = Comparison(Kept(None, None))
    for one in looks:
        comparison.add(one)
    return Report(comparison.checks())


def notes(report: Report) -> list[str]:
    return [note for check in report.checks for note in check.notes]


def test_equal_sums_are_silent() -> None:
    report = compare(look(10, 10))
    assert (report.exit_code, report.findings, notes(report)) == (0, [], [])


def test_too_few_and_too_many_are_found_exactly() -> None:
    for stored, by in ((7, -3), (13, 3)):
        report = compare(look(10, stored))
        assert report.exit_code == 1
        assert {f.kind for f in report.findings} == {"outcomes", "rollup"}
        assert {(f.details["difference"], f.details["exact"]) for f in report.findings} == {
            (by, True)
        }


def test_what_is_under_way_is_no_damage_wherever_it_stands() -> None:
    for stored in range(10, 16):
        assert not compare(look(10, stored, under_way=5)).findings
    assert compare(look(10, 9, under_way=5)).findings
    assert compare(look(10, 16, under_way=5)).findings


def test_looks_narrow_what_each_alone_could_not_tell() -> None:
    """Three rows too many: hidden under five, then under four that came in full."""
    first, second = look(10, 13, under_way=5), look(15, 22, under_way=4)
    assert not compare(first).findings
    assert not compare(look(15, 19, under_way=4)).findings
    [outcomes, rollup] = compare(first, second).findings
    assert outcomes.details["difference"] == rollup.details["difference"] == 3
    assert outcomes.details["exact"]
    assert compare(look(10, 10, under_way=5), look(15, 18)).findings


def test_an_open_chunk_hides_no_missing_rows() -> None:
    more = compare(look(10, 14, is_open=True))
    assert not more.findings
    assert any("Start a worker" in note for note in notes(more))
    assert compare(look(10, 9, is_open=True)).findings


def test_differing_tables_are_named_by_tenant_and_day() -> None:
    cell = Cell("requests_1m", "requests_15m", "acme", 86_400)
    [found] = compare(look(10, 10, cells={cell: (-2, True)})).findings
    assert "requests_1m has 2 fewer events of tenant 'acme' on 1970-01-02" in found.message
    assert not compare(look(10, 10, under_way=2, cells={cell: (-2, True)})).findings
    [found] = compare(look(10, 10, cells={cell: (0, True)})).findings
    assert "differ in another sum" in found.message


@given(
    damage=st.integers(-50, 50),
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8),
)
def test_narrowing_never_excludes_the_truth(damage: int, steps: list[tuple[int, int]]) -> None:
    """Each step: events under way, of which so many had arrived."""
    narrowing: Narrowing[str] = Narrowing()
    for way, arrived in steps:
        difference = damage + min(way, arrived)
        narrowing.add({"all": Interval(difference - way, difference)})
    found = narrowing.differences().get("all")
    if damage == 0:
        assert found is None
    if found is not None:
        assert found.low <= damage <= found.high
    if any(way == 0 for way, _ in steps):
        assert narrowing.width == 0
        assert (found is None) == (damage == 0)


def test_a_key_not_seen_is_as_wide_as_the_others() -> None:
    narrowing: Narrowing[str] = Narrowing()
    narrowing.add({}, Interval(-2, 2))
    narrowing.add({"a": Interval(0, 5)}, Interval(-4, 4))
    assert not narrowing.differences()
    narrowing.add({"a": Interval(1, 1)}, Interval(0, 0))
    assert narrowing.differences() == {"a": Interval(1, 1)}
    assert Narrowing[str]().width == 0


def breaks(*rows: tuple[int, int]) -> list[tiling.Break]:
    """The rows that the statement gives, the slow way."""
    found, reached = [], None
    for a, b in sorted(rows):
        start = a if reached is None else reached
        if start != a or b <= a:
            found.append(tiling.Break(LOG, a, b, "chunk", start))
        reached = max(b, start)
    return found


def spans(check: Check) -> list[tuple[str, int, int]]:
    return [(f.kind, f.details["from_offset"], f.details["to_offset"]) for f in check.findings]


def test_gaps_overlaps_and_losses() -> None:
    ledger = {LOG: totals(1)}
    assert not tiling.check(breaks((5, 10), (10, 20)), ledger).findings
    assert spans(tiling.check(breaks((0, 10), (20, 30)), ledger)) == [("gap", 10, 20)]
    inside = tiling.check(breaks((0, 10), (3, 4), (10, 20)), ledger)
    assert spans(inside) == [("overlap", 3, 4)]
    lost = tiling.check([tiling.Break(LOG, 10, 20, "lost", 10)], ledger)
    assert (spans(lost), lost.state) == ([("lost", 10, 20)], "lost")
    both = tiling.check([tiling.Break(LOG, 10, 20, "lost", 5)], ledger)
    assert (spans(both), both.state) == ([("gap", 5, 10), ("lost", 10, 20)], "damaged")


def test_rows_that_do_not_add_up() -> None:
    uneven = LogTotals(0, 9, Counts(9, 8), (8, 8), 2, uneven=1)
    [found] = tiling.check([], {LOG: uneven}).findings
    assert found.kind == "uneven"


def seen(
    committed: int | None,
    *,
    metadata: str = "",
    before: int | None = 50,
    after: int | None = None,
    intent: Intent | None = None,
    bounds: Bounds = LOG_BOUNDS,
    first_row: int | None = 0,
) -> Seen:
    offset = None if committed is None else Offset(committed, metadata)
    end = before if after is None else after
    return Seen(first_row if before is not None else None, before, end, intent, offset, bounds)


def offset_kinds(one: Seen) -> list[str]:
    return [finding.kind for finding in offsets.check({LOG: one}, "usage").findings]


def test_offsets_that_workers_leave_are_silent() -> None:
    done = commit_metadata("one")
    open_at = intent_metadata(Range(LOG.source, "one", 40, 50), "r")
    next_open = intent_metadata(Range(LOG.source, "one", 50, 60), "r")
    for one in (
        seen(50, metadata=done),
        seen(50),
        seen(None),
        seen(None, before=None),
        seen(40, metadata=open_at),  # counted, not committed yet
        seen(50, metadata=next_open, intent=Intent(50, 60, "r")),
        seen(60, metadata=done, after=70),  # a worker went on while we read
        seen(20, metadata=commit_metadata("of a topic that is gone")),
    ):
        assert not offset_kinds(one)


def test_offsets_that_were_moved() -> None:
    done = commit_metadata("one")
    assert offset_kinds(seen(51, metadata=done)) == ["ahead"]
    assert offset_kinds(seen(49, metadata=done)) == ["behind"]
    stale = intent_metadata(Range(LOG.source, "one", 20, 30), "r")
    assert offset_kinds(seen(20, metadata=stale)) == ["behind"]
    assert offset_kinds(seen(5, before=None)) == ["ahead"]


def test_what_else_stops_a_worker_is_said() -> None:
    assert offset_kinds(seen(50, bounds=Bounds(0, 40))) == ["halt"]
    assert offset_kinds(seen(50, intent=Intent(60, 70, "r"))) == ["halt"]
    assert offset_kinds(seen(50, first_row=10)) == ["gap"]
    assert offset_kinds(seen(50, bounds=Bounds(60, 90))) == ["expired"]


def test_open_chunks_and_missing_offsets_are_notes() -> None:
    check = offsets.check({LOG: seen(50, intent=Intent(50, 60, "r"))}, "usage")
    assert any("[50, 60) is open" in note for note in check.notes)
    check = offsets.check({LOG: seen(None)}, "usage")
    assert any("no committed offset" in note for note in check.notes)
    assert check.state == "ok"


def test_recounted_sums_are_least_or_exact() -> None:
    def exact_from_ten(key: matching.Key) -> bool:
        return bool(key[0] >= 10)

    due = {(1, "a"): [2, 5], (10, "a"): [3, 3]}
    fine = matching.match(
        due, {(1, "a"): [4, 9], (2, "b"): [1, 1], (10, "a"): [3, 3]}, exact_from_ten
    )
    assert (fine.exact, fine.least, fine.wrong) == (1, 1, [])
    wrong = matching.match(due, {(1, "a"): [4, 4], (10, "b"): [1, 1]}, exact_from_ten)
    assert [one.key for one in wrong.wrong] == [(1, "a"), (10, "a"), (10, "b")]
    assert len(list(wrong.findings("t"))) == 3


def test_exit_codes() -> None:
    lost = Check("ledger", "", [Finding("lost", "", "")])
    damaged = Check("offsets", "", [Finding("ahead", "", "")])
    assert Report([Check("a", "")]).exit_code == 0
    assert Report([lost]).exit_code == 3
    assert Report([lost, damaged]).exit_code == 1
    assert [Report([one]).as_json()["state"] for one in (lost, damaged)] == ["lost", "damaged"]


def test_a_row_added_to_totals() -> None:
    more = totals(10).plus(Row(ACTIONS, 100, 120, "chunk", Counts(7, 5, 1, 1, 2), "r"))
    assert more.end == 120
    assert more.counts == Counts(17, 15, 1, 1, 2)
    assert more.kept == (15, 15)
    assert Interval(-math.inf, 0).width == math.inf
