"""The live view: what it computes from the store's answers, and how it looks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from pipeline.embedded import readings, screen
from pipeline.embedded.readings import LedgerSums, Reading, Readings, TenantUse, rates
from pipeline.embedded.screen import Frame, compact, line, money, render, sparkline

NOW_MS = 1_780_000_000_000
TENANTS = tuple(
    TenantUse(f"tenant-{n}", 12_345 // n, n, 9_876_543_210 // n, 777, {"USD": Decimal("98.7")})
    for n in range(1, 40)
)
READING = Reading(
    at_ms=NOW_MS,
    totals=LedgerSums(1_000_100, 990_000, 10_000, 100, 5, 0, 4321, NOW_MS - 1500),
    rates=tuple(float(n) for n in range(120)),
    tenants=TENANTS,
)
FRAME = Frame((("broker", "127.0.0.1:9092"), ("try", "curl " + "x" * 200)), 3725.4)


def drawn(reading: Reading | None, frame: Frame = FRAME, width: int = 80, height: int = 24) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(render(reading, frame, width, height))
    return out.getvalue()


class AnsweringStore:
    def __init__(self, ledger: tuple[Any, ...]) -> None:
        self.answers: dict[str, list[tuple[Any, ...]]] = {
            readings.LEDGER: [(*ledger, [])],
            readings.TENANTS: [
                ("acme", 3, 1, 50, 2, [("USD", Decimal("0.5"))]),
                ("globex", 0, 0, 0, 1, []),
            ],
        }
        self.asked: list[str] = []
        self.parameters: dict[str, Any] | None = None

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        self.asked.append(sql)
        self.parameters = parameters
        return next(rows for named, rows in self.answers.items() if named in sql)


def test_a_chunk_spreads_over_the_seconds_in_which_it_arrived() -> None:
    # 0.5 s to 2.5 s: a quarter, a half, a quarter
    assert rates([(500, 2499, 100)], 4000, 4) == (25.0, 50.0, 25.0, 0.0)


def test_arrivals_at_one_instant_are_of_one_second() -> None:
    assert rates([(1500, 1500, 7)], 3000, 3) == (0.0, 7.0, 0.0)


def test_what_lies_outside_is_left_out() -> None:
    assert rates([(-1000, 999, 20), (3000, 9000, 5)], 3000, 3) == (10.0, 0.0, 0.0)


def test_chunks_add_up() -> None:
    found = rates([(0, 2999, 30), (1000, 1999, 5)], 3000, 3)
    assert found == pytest.approx((10, 15, 10))


def test_a_reading_is_what_the_store_answers() -> None:
    reading = Readings(AnsweringStore((10, 7, 1, 1, 4, 0, 2, 6))).take()
    assert reading.totals == LedgerSums(10, 7, 1, 1, 4, 0, 2, 6)
    assert reading.totals.difference == 1
    assert reading.tenants == (
        TenantUse("acme", 3, 1, 50, 2, {"USD": Decimal("0.5")}),
        TenantUse("globex", tasks=1),
    )


def test_what_tenants_used_is_of_five_minutes_with_the_one_that_runs() -> None:
    store = AnsweringStore((10, 7, 1, 1, 4, 0, 2, 6))
    readings.tenants(store, datetime(2026, 5, 1, 12, 0, 59, tzinfo=UTC))
    assert store.parameters is not None
    assert [datetime.fromtimestamp(store.parameters[name], UTC) for name in ("since", "until")] == [
        datetime(2026, 5, 1, 11, 56, tzinfo=UTC),
        datetime(2026, 5, 1, 12, 1, tzinfo=UTC),
    ]


@pytest.mark.parametrize(("takes", "asked"), [(0.01, 4), (0.3, 4), (2.0, 2)])
def test_tenants_are_asked_for_seldom_and_never_over_a_tenth_of_the_time(
    takes: float, asked: int
) -> None:
    store, now = AnsweringStore((10, 10, 0, 0, 0, 0, 1, 6)), [100.0]

    class SlowTenants:
        def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Any]:
            if sql == readings.TENANTS:
                now[0] += takes
            return store.query(sql)

    reader = Readings(SlowTenants(), clock=lambda: now[0])
    for _ in range(31):
        reader.take()
        now[0] += 1.0
    assert store.asked.count(readings.TENANTS) == asked


def test_tenants_are_asked_for_again_at_once_while_there_are_none() -> None:
    store = AnsweringStore((10, 7, 1, 1, 4, 0, 2, 6))
    used, store.answers[readings.TENANTS] = store.answers[readings.TENANTS], []
    reader = Readings(store, clock=lambda: 100.0)
    assert reader.take().tenants == ()
    store.answers[readings.TENANTS] = used
    assert len(reader.take().tenants) == 2


def test_without_a_screen_the_ledger_alone_is_asked_once() -> None:
    store = AnsweringStore((10, 7, 1, 1, 4, 0, 2, 6))
    assert Readings(store, has_tenants=False).take().tenants == ()
    assert store.asked == [readings.LEDGER]


def test_rates_are_of_the_ledgers_arrivals() -> None:
    store = AnsweringStore((10, 10, 0, 0, 0, 0, 1, 6))
    long_ago = time.time_ns() // 1_000_000 - readings.SETTLE_MS - 60_000
    store.answers[readings.LEDGER] = [(*range(8), [(long_ago, long_ago, 3)])]
    assert sum(Readings(store).take().rates) == 3


def test_freshness_is_the_age_of_the_newest_arrival() -> None:
    assert READING.behind_ms == 1500
    assert Reading(at_ms=NOW_MS).behind_ms is None


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("height", [20, 24, 60])
def test_it_fits_its_terminal(width: int, height: int) -> None:
    lines = drawn(READING, Frame(FRAME.places, 1, "the store is away"), width, height).splitlines()
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width


def test_it_shows_every_number_of_the_ledger() -> None:
    text = drawn(READING)
    for number in ("1,000,100", "990,000", "10,000", "100", "4,321 chunks", "01:02:05", "1.5 s"):
        assert number in text
    assert "tenant-1 " in text


def test_a_taller_terminal_shows_more_tenants() -> None:
    assert drawn(READING, height=40).count("tenant-") > drawn(READING).count("tenant-")


def test_before_the_first_numbers_it_says_so_and_where_everything_is() -> None:
    for reading in (None, Reading(NOW_MS)):
        text = drawn(reading)
        assert "Waiting for the first numbers" in text
        assert "127.0.0.1:9092" in text


def test_a_difference_is_an_alarm() -> None:
    bad = Reading(NOW_MS, LedgerSums(received=10, counted=7))
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system="standard")
    console.print(screen._ledger(bad.totals))
    assert "\x1b[1;31m" in out.getvalue()
    assert "difference 3" in line(bad)


def test_a_plain_line_says_the_same() -> None:
    assert line(READING) == (
        "received 1,000,100 = counted 990,000 + duplicate 10,000 + rejected 100, difference 0; "
        "skipped 5, lost 0; 4,321 chunks; 117 events/s, 1.5 s behind"
    )


def test_a_sparkline_goes_from_nothing_to_the_highest() -> None:
    assert sparkline((0.0, 50.0, 100.0), 10) == "▁▅█"
    assert sparkline((1.0, 2.0, 3.0), 2) == "▆█"
    assert sparkline((0.0, 0.0), 5) == "▁▁"
    assert sparkline((), 5) == ""


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9999, "9,999"), (12_345, "12.3k"), (999_999, "1.00M"), (4_560_000_000, "4.56G")],
)
def test_large_numbers_are_short(number: int, text: str) -> None:
    assert compact(number) == text


def test_amounts_of_different_currencies_stay_apart() -> None:
    assert money({"EUR": Decimal("2.505"), "USD": Decimal("0.01234")}) == "€2.50 + $0.0123"
    assert money({"CHF": Decimal("1234.5")}) == "CHF 1,234.50"
    assert money({"EUR": Decimal(1), "USD": Decimal(0)}) == "€1.00"
    assert money({"USD": Decimal(0)}) == "$0.0000"
    assert money({}) == ""
