"""One number by many views: what one splits up must come to what another says whole. Reads only.

Compared over a range that nothing is counted into meanwhile: where a chunk lands while the views
are asked, they are asked again for what lies before its first event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.ledger import Log, LogTotals, Row, key_is
from pipeline.operate.audit.report import Check, Finding
from pipeline.operate.audit.sums import DAY_SECONDS, QUARTER_SECONDS, Kept
from pipeline.views.call import Value, call

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

DAYS = 31
"""So much of the past, before the newest event, is compared."""
LANDING_SECONDS = 3.0
POLL_SECONDS = 0.1
EVERY_RANK = 1_000_000_000

Numbers = dict[str, dict[str, Any]]
"""What each view says of each number."""


class Period(NamedTuple):
    """In epoch seconds: all of it, and where the last day begins, also asked by the minute."""

    since: int
    day: int
    until: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A view that is asked, and which of its columns are which number."""

    view: str
    columns: Mapping[str, str]
    """Number to column; they are summed up."""
    parameters: Mapping[str, Value]
    label: str = ""
    by: str = ""
    """A column that splits the numbers, which then bear its values."""
    is_last_day: bool = False

    @property
    def name(self) -> str:
        """The view's name with its label, as findings call it."""
        return f"{self.view}{self.label}"


_COUNTS = {
    "requests": "requests",
    "input tokens": "input_tokens",
    "output tokens": "output_tokens",
}
_USAGE = _COUNTS | {"requests": "interactions"}
_COST = {"cost": "cost", "unpriced requests": "unpriced_requests"}
_FAILED = {"failed requests": "failed_requests"}
_ALL: Mapping[str, Value] = {"tenant": ""}
_TOKENS: Mapping[str, Value] = {"tenant": "", "token": ""}
_MONTHS: Mapping[str, Value] = {"tz": "UTC", "tenant": ""}


def _by(grain: str, parameters: Mapping[str, Value]) -> Mapping[str, Value]:
    return {"tz": "UTC", "grain": grain, **parameters}


ASKED = (
    Asked("telemetry_summary", {"requests": "interactions"}, _ALL),
    Asked("usage_trend", {"requests": "interactions"}, _by("day", _ALL)),
    Asked("usage_by_agent", _USAGE, _ALL),
    Asked("usage_by_team", _USAGE, _ALL),
    Asked("request_summary", _COUNTS | _FAILED, _TOKENS),
    Asked("requests_over_time", _COUNTS | _FAILED, _by("hour", _TOKENS)),
    Asked("top_tenants", _COUNTS, {"k": EVERY_RANK}),
    Asked("top_tokens", _COUNTS, {"k": EVERY_RANK, "tenant": ""}),
    Asked("top_users", _COUNTS, {"k": EVERY_RANK, **_TOKENS}),
    Asked("requests_by_model", {"requests": "requests"}, _TOKENS),
    Asked("billing_by_tenant", _COST, _ALL, by="currency"),
    Asked("billing_by_team", _COST, _ALL, by="currency"),
    Asked("billing_by_agent", _COST, _ALL, by="currency"),
    Asked("cost_trend", {"cost": "cost"}, _by("day", _ALL), by="currency"),
    Asked("tasks_by_month", {"tasks": "tasks"}, _MONTHS),
    Asked("monthly_usage", {"tasks": "tasks"}, _MONTHS),
    Asked("monthly_usage_by_recipe", {"tasks": "tasks"}, _MONTHS),
    *(
        Asked(
            "requests_over_time",
            {f"{name} of the last day": column for name, column in (_COUNTS | _FAILED).items()},
            _by(grain, _TOKENS),
            label=f" by the {grain}",
            is_last_day=True,
        )
        for grain in ("minute", "hour")
    ),
)


def check(
    store: Store,
    ledger: Mapping[Log, LogTotals],
    span: Kept,
    within_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Check:
    """Ask all views, again and again until nothing was counted into the range meanwhile."""
    found = Check("views", "one number by many views: sums by organization, team, agent …")
    period = _range(store, span)
    if period is None:
        return found
    ends = {log: totals.end for log, totals in ledger.items()}
    give_up = clock() + within_seconds
    while True:
        numbers, touched = _look(store, period, ends, clock)
        if touched is None or touched >= period.until:
            found.compared += f", {_minute(period.since)} to {_minute(period.until)} UTC"
            found.findings += differences(numbers, period)
            return found
        if touched > period.since:
            period = _before(period, touched)
        if clock() >= give_up or period.until <= period.since:
            found.notes.append(_TOO_BUSY)
            return found


_TOO_BUSY = (
    "views were not compared: chunks are open, or events of any age were being counted; a calmer "
    "moment, or a longer --within, tells more"
)


def differences(numbers: Numbers, period: Period) -> list[Finding]:
    """A finding for each number that is not the same in all views that give it."""
    found = []
    for number, by_view in sorted(numbers.items()):
        if len(set(by_view.values())) > 1:
            said = ", ".join(f"{view} {_plain(value)}" for view, value in by_view.items())
            message = (
                f"{number}, {_minute(period.since)} to {_minute(period.until)} UTC: {said}. The "
                "check of the tables tells which of them is wrong, if it is not a view"
            )
            details = {view: _plain(value) for view, value in by_view.items()}
            found.append(Finding("views", number, message, {"number": number, "views": details}))
    return found


def ask(store: Store, period: Period) -> Numbers:
    """Ask every view once; returns what each says of each number."""
    numbers: Numbers = {}
    currencies: set[str] = set()
    asking = [one for one in ASKED if period.day < period.until or not one.is_last_day]
    for asked in asking:
        for key, number, value in _answers(store, asked, period):
            currencies |= {key} if asked.by else set()
            numbers.setdefault(f"{number} {key}".strip(), {})[asked.name] = value
    for asked in asking:
        for number in asked.columns:
            for key in currencies if asked.by else ("",):
                # What is not in a view of currencies is 0 there.
                by_view = numbers.setdefault(f"{number} {key}".strip(), {})
                by_view.setdefault(asked.name, 0)
    return numbers


def _answers(store: Store, asked: Asked, period: Period) -> list[tuple[str, str, Any]]:
    since = period.day if asked.is_last_day else period.since
    times = {"since": _time(since), "until": _time(period.until)}
    sums = ", ".join(f"sum({column})" for column in asked.columns.values())
    source = call(asked.view, {**times, **asked.parameters})
    group = f"GROUP BY {asked.by}" if asked.by else ""
    rows = store.query(f"SELECT {asked.by or repr('')}, {sums} FROM {source} {group}")  # noqa: S608 - quoted
    return [
        (key, number, value or 0)
        for key, *values in rows
        for number, value in zip(asked.columns, values, strict=True)
    ]


def _look(
    store: Store, period: Period, ends: dict[Log, int], clock: Callable[[], float]
) -> tuple[Numbers, int | None]:
    """The numbers, and the earliest time that may have been counted into meanwhile (0: any)."""
    _go_on(store, ends, books.intents(store))
    numbers = ask(store, period)
    announced = {log: intent.a for log, intent in books.intents(store).items()}
    rows: list[Row] = []
    end = clock() + LANDING_SECONDS
    while True:
        rows += _go_on(store, ends, announced)
        if all(a < ends.get(log, 0) for log, a in announced.items()):
            return numbers, _first_event(store, rows)
        if clock() >= end:
            return numbers, 0
        time.sleep(POLL_SECONDS)


def _go_on(store: Store, ends: dict[Log, int], logs: Mapping[Log, object]) -> list[Row]:
    """The rows behind the ledger's known ends, which move on to theirs."""
    rows = books.rows_from(store, {log: ends.get(log, 0) for log in logs}) if logs else []
    for row in rows:
        ends[row.log] = max(row.b, ends.get(row.log, 0))
    return rows


def _first_event(store: Store, rows: Sequence[Row]) -> int | None:
    """The time of the first event that these chunks counted; None where they counted none."""
    counting = [row for row in rows if row.counts.counted]
    if not counting:
        return None
    wanted = " OR ".join(f"({key_is(row.log)} AND from_offset = {row.a:d})" for row in counting)
    [(first,)] = store.query(
        f"SELECT toInt64(toUnixTimestamp64Milli(min(first_event_time))) FROM chunks WHERE {wanted}"  # noqa: S608 - quoted
    )
    return int(first) // 1000


def _range(store: Store, span: Kept) -> Period | None:
    """The last days before the newest event; None where there is none."""
    newest = [
        event
        for (event,) in store.query(
            "SELECT newest_event FROM as_of WHERE type != 'usage.entity.v1'"  # they are not counts
        )
    ]
    if not newest:
        return None
    until = _floor(int(max(newest).timestamp())) + QUARTER_SECONDS
    since = max(until - DAYS * DAY_SECONDS, span.quarters or 0)
    day = max(until - DAY_SECONDS, span.later(by_minutes=True))
    return Period(min(since, until), min(day, until), until)


def _before(period: Period, touched: int) -> Period:
    until = _floor(touched)
    return Period(period.since, max(period.since, min(period.day, until - DAY_SECONDS)), until)


def _floor(seconds: int) -> int:
    return seconds // QUARTER_SECONDS * QUARTER_SECONDS


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _minute(seconds: int) -> str:
    return f"{_time(seconds):%Y-%m-%d %H:%M}"


def _plain(value: Any) -> str:
    return f"{value:,f}" if not isinstance(value, int) else f"{value:,}"
