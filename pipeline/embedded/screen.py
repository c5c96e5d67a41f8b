"""The live view of `usage run`: a pure function from a reading of the store to the screen."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rich.console import Group, RenderableType

from pipeline.embedded.readings import TENANT_MINUTES, LedgerSums, Reading, TenantUse
from pipeline.process import terminal

BARS = "▁▂▃▄▅▆▇█"
RATE_OVER_SECONDS = 5
MAX_WIDTH = 120
FRESH_MS = 5_000
STALE_MS = 15_000
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}

HEADING = "bold cyan"
QUIET = "bright_black"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the numbers: where everything is, how long it has run, what is wrong."""

    places: tuple[tuple[str, str], ...] = ()
    running_seconds: float = 0.0
    trouble: str = ""


def render(reading: Reading | None, frame: Frame, width: int, height: int) -> RenderableType:
    """The whole screen, `height` lines at most; None while there is no reading yet."""
    width = min(width, MAX_WIDTH)
    foot = _foot(frame)
    if reading is None or not reading.totals.received:
        return Group(
            _title(frame, width), terminal.line(), *_waiting(frame), terminal.line(), *foot
        )
    fixed = 13 + len(foot) + bool(frame.trouble)
    parts: list[RenderableType] = [
        _title(frame, width),
        terminal.line(),
        _pace(reading, width),
        terminal.line(),
        _heading("Ledger", f"{reading.totals.chunks:,} chunks"),
        _ledger(reading.totals),
        terminal.line(),
        _heading("Top tenants", f"last {TENANT_MINUTES} minutes"),
        _tenants(reading.tenants[: max(1, height - fixed)], width),
        terminal.line(),
    ]
    if frame.trouble:
        parts.append(_trouble(frame.trouble))
    return Group(*parts, *foot)


def line(reading: Reading) -> str:
    """One plain line of a reading, for an output that is no terminal."""
    totals = reading.totals
    behind = reading.behind_ms
    age = f"{behind / 1000:.1f} s behind" if behind is not None else "nothing yet"
    return (
        f"received {totals.received:,} = counted {totals.counted:,} + duplicate "
        f"{totals.duplicate:,} + rejected {totals.rejected:,}, difference {totals.difference:,}; "
        f"skipped {totals.skipped:,}, lost {totals.lost:,}; {totals.chunks:,} chunks; "
        f"{_rate(reading.rates):,.0f} events/s, {age}"
    )


def sparkline(values: tuple[float, ...], width: int) -> str:
    """The newest `width` values as bars from 0 to the highest."""
    shown = values[-width:] if width > 0 else ()
    top = max(shown, default=0.0)
    if top <= 0:
        return BARS[0] * len(shown)
    return "".join(BARS[round(value / top * (len(BARS) - 1))] for value in shown)


def compact(number: int) -> str:
    """At most five characters above ten thousand: `9,876`, `12.3k`, `4.56M`, `1.20G`."""
    if number < 10_000:
        return f"{number:,}"
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        value = number / size
        if value >= 0.9995:  # would be written as 1000 of the next smaller unit
            digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{digits}f}{unit}"
    raise AssertionError(number)


def money(cost: dict[str, Decimal]) -> str:
    """Cost in cents, or in hundredths of them below a unit; of several currencies, each."""
    shown = {currency: amount for currency, amount in cost.items() if amount} or cost
    return " + ".join(
        f"{SYMBOLS.get(currency, currency + ' ')}{amount:,.{2 if amount >= 1 else 4}f}"
        for currency, amount in sorted(shown.items())
    )


def _rate(values: tuple[float, ...]) -> float:
    newest = values[-RATE_OVER_SECONDS:]
    return sum(newest) / len(newest) if newest else 0.0


def _title(frame: Frame, width: int) -> RenderableType:
    minutes, seconds = divmod(int(frame.running_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    grid = _grid(width)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row(
        terminal.line(" Usage Pipeline", style="bold"),
        terminal.line(f"running {hours:02d}:{minutes:02d}:{seconds:02d} ", style=QUIET),
    )
    return grid


def _waiting(frame: Frame) -> list[RenderableType]:
    parts: list[RenderableType] = [
        terminal.line(" Waiting for the first numbers …", style="italic")
    ]
    return [*parts, _trouble(frame.trouble)] if frame.trouble else parts


def _pace(reading: Reading, width: int) -> RenderableType:
    """Events per second with their last minute or two, and how fresh the numbers are."""
    behind = reading.behind_ms or 0
    style = "green" if behind < FRESH_MS else "yellow" if behind < STALE_MS else "bold red"
    grid = _grid(width)
    grid.add_column()
    grid.add_column(justify="right")
    bars = max(10, width - 24)
    now = (f"{_rate(reading.rates):>7,.0f}", "bold")
    age = terminal.line(f"{behind / 1000:,.1f} s ", style=style)
    grid.add_row(_heading("Events per second"), terminal.line("Freshness ", style=HEADING))
    grid.add_row(terminal.line(now, "  ", (sparkline(reading.rates, bars), "cyan")), age)
    return grid


def _ledger(totals: LedgerSums) -> RenderableType:
    table = _table(None)
    cells = {
        "received": totals.received,
        "counted": totals.counted,
        "duplicate": totals.duplicate,
        "rejected": totals.rejected,
        "skipped": totals.skipped,
        "lost": totals.lost,
        "difference": totals.difference,
    }
    for name in cells:
        table.add_column(name, justify="right", no_wrap=True, min_width=9)
    alarms = {"lost": "bold red", "difference": "bold red"}
    table.add_row(
        *(
            terminal.line(f"{value:,}", style=alarms[name] if value else "green")
            if name in alarms
            else f"{value:,}"
            for name, value in cells.items()
        )
    )
    return table


def _tenants(tenants: tuple[TenantUse, ...], width: int) -> RenderableType:
    table = _table(width)
    table.add_column("tenant", no_wrap=True, ratio=1)
    for name in ("requests", "failed", "tokens", "cost", "tasks"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in tenants:
        table.add_row(
            one.tenant,
            f"{one.requests:,}",
            terminal.line(f"{one.failed:,}", style="" if one.failed else QUIET),
            compact(one.tokens),
            money(one.cost),
            f"{one.tasks:,}",
        )
    return table


def _foot(frame: Frame) -> list[RenderableType]:
    lines: list[RenderableType] = [
        terminal.line((f" {name:<7}", QUIET), value, is_cut=True) for name, value in frame.places
    ]
    return [*lines, terminal.line(" Ctrl-C ends it all", style=QUIET)]


def _trouble(sentence: str) -> RenderableType:
    return terminal.line(f" {sentence}", style="yellow", is_cut=True)


def _heading(title: str, note: str = "") -> RenderableType:
    return terminal.line((f" {title}", HEADING), (f"  {note}", QUIET))


def _grid(width: int) -> terminal.Cells:
    return terminal.Cells(head=False, padding=0, pad_edge=False, collapse_padding=True, width=width)


def _table(width: int | None) -> terminal.Cells:
    return terminal.Cells(width=width, padding=(0, 1), header_style=QUIET)
