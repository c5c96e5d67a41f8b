"""Reading the tables: sums by partition, and what differs between tables that must agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.cluster import local_database
from pipeline.clickhouse.schema import views
from pipeline.clickhouse.schema.files import ALWAYS_SETTLED
from pipeline.clickhouse.schema.retention import (
    EVENTS_TABLE,
    MINUTE_TABLES,
    QUARTER_HOUR_TABLES,
    current,
)
from pipeline.clickhouse.schema.users_days import SETTLED
from pipeline.facts.rollups import Coarser, Rollup
from pipeline.facts.types import all_rollups
from pipeline.operate import kept_events

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

QUARTER_SECONDS = 900
DAY_SECONDS = 86_400
EXPIRY_MARGIN_SECONDS = 3600
"""Rows this close to their expiry are not compared: some may go while we look."""
MOST_DIFFERENCES = 100_000

_written_out = cache(views.written_out)
_SETTLED = f"(SELECT if(count() = 0, toDate('{ALWAYS_SETTLED}'), max(day)) FROM users_settlements)"  # noqa: S608
"""Users' days before it have all that is in quarter hours; later ones have what came late."""


class Kept(NamedTuple):
    """From when on rows are sure to be there, in epoch seconds; None: all are."""

    minutes: int | None
    quarters: int | None
    events: int = 0
    """From when on product events are sure to be kept one by one, all of them."""

    def later(self, by_minutes: bool) -> int:
        """The first quarter hour that both a table and the 15-minute rows hold whole."""
        bounds = (self.quarters, self.minutes if by_minutes else None)
        return max((bound for bound in bounds if bound is not None), default=0)


class Cell(NamedTuple):
    """What differs: two tables, a tenant, and the day (epoch seconds; 0: of all time)."""

    left: str
    right: str
    tenant: str
    day: int


@dataclass
class Sums:
    """The sums that the tables hold at one look, by rollup and key."""

    outcomes: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Events by topic, partition and outcome."""
    events: dict[str, int] = field(default_factory=dict)
    """Counted events that the 15-minute rows hold, by kind of topic."""
    cells: dict[str, dict[Cell, tuple[int, bool]]] = field(default_factory=dict)
    """By kind, only where tables differ: events of the left less the right one; any other sum?"""


def kept(store: Store) -> Kept:
    """Read how long rows are kept, as the tables themselves have it, at the store's clock."""
    [(now,)] = store.query("SELECT toUnixTimestamp(now())")
    engines = dict(
        store.query(
            "SELECT name, engine_full FROM system.tables WHERE database = {database:String}",
            # On a cluster, rows expire in the servers' own tables.
            {"database": local_database(store.database) if store.is_clustered else store.database},
        )
    )
    quarters = {*QUARTER_HOUR_TABLES, *(rollup.quarters for rollup in all_rollups())}
    events = max(_from(now, engines, [EVENTS_TABLE]) or 0, kept_events.complete_from(store))
    minutes = max(_from(now, engines, MINUTE_TABLES) or 0, views.minutes_from(store)) or None
    return Kept(minutes, _from(now, engines, quarters), events)


def _from(now: int, engines: dict[str, str], tables: Iterable[str]) -> int | None:
    days = [ttl[1] for table in tables if (ttl := current(engines.get(table, "")))]
    if not days:
        return None
    bound = now - min(days) * DAY_SECONDS + EXPIRY_MARGIN_SECONDS
    return math.ceil(bound / QUARTER_SECONDS) * QUARTER_SECONDS


def read(store: Store, span: Kept) -> Sums:
    """Read the sums of all tables once."""
    sums = Sums(outcomes=_outcomes(store))
    for rollup in all_rollups():
        [(events,)] = store.query(
            f"SELECT sum({rollup.events}) FROM {rollup.quarters} "  # noqa: S608
            f"WHERE quarter >= toDateTime({span.quarters or 0:d}, 'UTC')"
        )
        sums.events[rollup.kind] = int(events)
        cells: dict[Cell, tuple[int, bool]] = {}
        for statement, left, right in pairs(rollup, span):
            for tenant, day, events, other in store.query(statement):
                cells[Cell(left, right, tenant, day)] = (int(events), bool(other))
        sums.cells[rollup.kind] = cells
    return sums


def _outcomes(store: Store) -> dict[tuple[str, int, str], int]:
    rows = store.query(
        "SELECT topic, partition, outcome, sum(events) FROM partitions_1m "
        "GROUP BY topic, partition, outcome"
    )
    return {(topic, partition, outcome): int(n) for topic, partition, outcome, n in rows}


class _Side(NamedTuple):
    """One side of a comparison: rows of one table, by quarter hour."""

    table: str
    at: str
    measures: Sequence[str]
    where: str
    rows: str = ""
    """What is read, where that is not the table."""

    def select(self, sign: str) -> str:
        """The statement that reads it, its measures with this sign."""
        sums = (f"{sign}toInt128({measure}) AS m{n}" for n, measure in enumerate(self.measures))
        return (
            f"SELECT tenant, {self.at} AS at, {', '.join(sums)} "  # noqa: S608 - our own names
            f"FROM {self.rows or self.table} WHERE {self.where}"
        )


def pairs(rollup: Rollup, span: Kept) -> list[tuple[str, str, str]]:
    """What is compared tenant by tenant: (statement, left table, right table)."""
    events, quarters = [rollup.events], rollup.quarters
    every = [*events, *rollup.measures]
    both = span.later(by_minutes=True)
    sides = []
    if rollup.minutes:
        sides.append((_minutes(rollup.minutes, every, both), _quarters(quarters, every, both)))
    for old, by_minutes in rollup.old_latency:
        since = span.later(by_minutes)
        side = _latency(rollup, old, by_minutes=by_minutes, since=since)
        sides.append((side, _quarters(quarters, events, since)))
    whole = span.later(by_minutes=False)
    if rollup.kept:
        sides.append(_kept_one_by_one(rollup, max(span.events, whole)))
    sides += [_coarser(coarser, rollup, whole) for coarser in rollup.coarser]
    if span.quarters is None:
        never = "toDateTime(0, 'UTC')"
        counted = f"outcome = 'counted' AND endsWith(topic, '{rollup.kind}')"
        sides.append(
            (
                _Side(quarters, never, events, "1"),
                _Side("partitions_1m", never, ["events"], counted),
            )
        )
    return [(_signed(left, right), left.table, right.table) for left, right in sides]


def _minutes(table: str, measures: Sequence[str], since: int) -> _Side:
    at = "toStartOfFifteenMinutes(minute)"
    return _Side(table, at, measures, f"minute >= toDateTime({since:d}, 'UTC')")


def _quarters(table: str, measures: Sequence[str], since: int) -> _Side:
    return _Side(table, "quarter", measures, f"quarter >= toDateTime({since:d}, 'UTC')")


def _latency(rollup: Rollup, old: str, *, by_minutes: bool, since: int) -> _Side:
    """How many events there is a latency of: in the rows, and in the table of before."""
    table, time = (rollup.minutes, "minute") if by_minutes else (rollup.quarters, "quarter")
    timed = _written_out(f"_timed({rollup.latency})")
    side = (_minutes if by_minutes else _quarters)(f"{table}.{rollup.latency}", ["timed"], since)
    rows = (
        f"(SELECT tenant, {time}, {timed} AS timed FROM {table} "  # noqa: S608 - our own names
        f"UNION ALL SELECT tenant, {time}, requests AS timed FROM {old})"
    )
    return side._replace(rows=rows)


def _kept_one_by_one(rollup: Rollup, since: int) -> tuple[_Side, _Side]:
    """Each event by its name and quarter hour, which are told by a hash: sums of it differ."""
    at = "toStartOfFifteenMinutes(toDateTime(time, 'UTC'))"
    told = "toInt128({events}) * cityHash64(name, toUnixTimestamp({at}))"
    kept = ["1", told.format(events="1", at=at)]
    summed = [rollup.events, told.format(events=rollup.events, at="quarter")]
    where = f"time >= toDateTime64({since:d}, 3, 'UTC')"
    return _Side(rollup.kept, at, kept, where), _quarters(rollup.quarters, summed, since)


def _coarser(coarser: Coarser, rollup: Rollup, since: int) -> tuple[_Side, _Side]:
    mine = [rollup.events, *(left for left, _ in coarser.measures)]
    theirs = [rollup.events, *(_written_out(right) for _, right in coarser.measures)]
    if coarser.at == "quarter":
        return _quarters(coarser.table, mine, since), _quarters(rollup.quarters, theirs, since)
    since = math.ceil(since / DAY_SECONDS) * DAY_SECONDS
    whole, settled = f"toDate(toDateTime({since:d}, 'UTC'), 'UTC')", _SETTLED
    if coarser.is_of_latency:
        return _months_of_latency(coarser, rollup, whole)
    begins, at_once = "toDate(quarter, 'UTC')", "late > 0"
    if coarser.at == "month":
        whole, settled = _first_month(whole), f"toStartOfMonth({settled})"
        begins, at_once = "toStartOfMonth(quarter)", "late = 2"
    sides = (coarser.table, coarser.at, mine), (rollup.quarters, begins, theirs)
    left, right = (
        _Side(
            table,
            f"toDateTime({at}, 'UTC')",
            measures,
            f"{at} >= {whole} AND ({at_once} OR {at} < {settled})",
        )
        for table, at, measures in sides
    )
    return left, right


def _months_of_latency(coarser: Coarser, rollup: Rollup, since: str) -> tuple[_Side, _Side]:
    """Compare how many events there is a latency of, in settled months, with what was not late."""
    begins, settled = "toStartOfMonth(quarter)", f"toStartOfMonth({SETTLED})"
    within = "{at} >= " + _first_month(since) + " AND {at} < " + settled
    timed = _written_out(f"_timed({rollup.latency})")
    places = _written_out(
        "arraySum(entry -> (_latency_kind() * 1024 + _bucket_of(entry)) * _requests_of(entry), "
        f"{rollup.latency})"
    )
    table, quarters = coarser.table, f"{rollup.quarters}.{rollup.latency}"
    return (
        _Side(
            table,
            "toDateTime(month, 'UTC')",
            [rollup.events, f"place * {rollup.events}"],
            within.format(at="month"),
        ),
        _Side(
            quarters,
            f"toDateTime({begins}, 'UTC')",
            [timed, places],
            f"late < 2 AND {within.format(at=begins)}",
            rows=rollup.quarters,
        ),
    )


def _first_month(day: str) -> str:
    return f"toStartOfMonth(addMonths({day}, 1) - 1)"


def _signed(left: _Side, right: _Side) -> str:
    """What differs by tenant and day: the sums of one side less those of the other.

    Besides each measure, the events' quarter hours are summed up, so that one in the wrong quarter
    of the day shows.
    """
    sums = [f"sum(m{n})" for n in range(1, len(left.measures))]
    other = " OR ".join(f"{one} != 0" for one in [*sums, "sum(m0 * toUnixTimestamp(at))"])
    return (
        "SELECT tenant, toUnixTimestamp(toStartOfDay(at)) AS day, "  # noqa: S608 - our own names
        f"sum(m0) AS events, {other} AS other "
        f"FROM ({left.select('')} UNION ALL {right.select('-')}) "
        "GROUP BY tenant, day HAVING events != 0 OR other "
        f"ORDER BY abs(events) DESC, tenant, day LIMIT {MOST_DIFFERENCES}"
    )
