"""Days of user-defined metrics, added up before anybody asks: what fills ``metric_days``.

A filling is what some metrics come to in one week, with how many product events the week had before
they were read. Views take it only while the week has as many, and events are only added: so it
needs no protocol. It may be killed anywhere, run late, or run by two at once; a filling that was
read while events came is of no use, and never wrong (``docs/decisions/metric-days.md``).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.clickhouse.client import NOT_DEDUPLICATED, ONE_BLOCK
from pipeline.clickhouse.schema import views

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

LOOKED_BACK_DAYS = 187
"""Twice the longest interval, to the Monday before."""
WINDOWS = 28
"""Of the shortest interval: so many begin before any week that a filling may have."""
MOST_ROWS = 1_000_000
"""Of a filling, about: it is one block in the memory of the store, there as a whole or not."""
LONGEST = 100_000
"""Characters of the definitions of a filling; one that is longer alone is answered from events."""
MOST_LOOKS = 100_000_000
"""Events of the weeks of a filling, times its metrics: it takes the store some ten seconds."""
STALE_SECONDS = 3600
"""After this nobody reads a filling any more that did not hold when it was asked for."""
MOST_SECONDS = 50
"""Of a filling; less than its answer is waited for, so that it is not begun again beside itself."""

_WEEKS = """
SELECT toMonday(time) AS week, count() AS events, toString(serverUUID()) AS server
FROM product_events
WHERE time >= {since:DateTime('UTC')}
GROUP BY week
HAVING week BETWEEN toDate({since:DateTime('UTC')}) AND {today:Date}
ORDER BY week DESC
"""

_MISSING = """
SELECT week, groupArray(interpreted)
FROM
(
    SELECT arrayJoin({weeks:Array(Date)}) AS week, metric_id, interpreted
    FROM _that_add_up()
    WHERE length(interpreted) <= {longest:UInt32}
    ORDER BY metric_id
)
WHERE (week, metric_id, transform(week, {weeks:Array(Date)}, {counts:Array(UInt64)}, toUInt64(0)))
    NOT IN (SELECT week, asks, made_of FROM metric_days WHERE head)
GROUP BY week
"""

_TENANTS = "SELECT uniq(tenant) FROM product_events WHERE time >= {since:DateTime('UTC')}"

_FILL = """
INSERT INTO metric_days
    (
        week, head, asks, tenant, day, filling, made_of, events, missing, not_numeric, not_exact,
        value
    )
SELECT
    toMonday(day) AS week, head, asks, tenant, day, {filling:UInt64} + toUInt16(week),
    transform(week, {weeks:Array(Date)}, {counts:Array(UInt64)}, toUInt64(0)),
    events, missing, not_numeric, not_exact, value
FROM
(
    SELECT
        0 AS head, metric_id AS asks, CAST(tenant, 'String') AS tenant, toDate(time) AS day,
        sum(n) AS events, sum(missing) AS missing, sum(not_numeric) AS not_numeric,
        sum(not_exact) AS not_exact,
        multiIf(
            any(calculation) = 'min', min(x), any(calculation) = 'max', max(x), sum(x)) AS value
    FROM _left_of(
        _of_events(
            _due, WINDOWS, {since:DateTime('UTC')},
            _of_names(_due) AND has({weeks:Array(Date)}, toMonday(time))),
        _all_hold)
    GROUP BY asks, tenant, day
    UNION ALL
    SELECT 1, metric_id, '', arrayJoin({weeks:Array(Date)}), 0, 0, 0, 0, NULL FROM _due()
)
WHERE NOT throwIf(toString(serverUUID()) != {server:String}, 'another server has counted')
""".replace("WINDOWS", str(WINDOWS))

_SETTINGS: Mapping[str, Any] = {
    **{name: to.strip("'") for name, to in views.SETTINGS.items()},
    **ONE_BLOCK,
    **NOT_DEDUPLICATED,
    "max_execution_time": MOST_SECONDS,
}
_written_out = cache(views.written_out)


class Week(NamedTuple):
    """A week of product events, as a server has it."""

    monday: date
    events: int
    server: str
    """Which one: another replica may have fewer of them."""


class Filling(NamedTuple):
    """What one insert brought."""

    weeks: int
    metrics: int


def weeks(store: Store, now: datetime, kept_days: int = 0) -> list[Week]:
    """The weeks that metrics look at and that are kept from their Monday on, the newest first.

    Those that have not begun by `now` are none of them. ``kept_days``: how long product events are
    kept; 0 is for good.
    """
    back = min(LOOKED_BACK_DAYS, kept_days or LOOKED_BACK_DAYS)
    since = f"{(now - timedelta(days=back)).date()} 00:00:00"
    return [Week(*row) for row in store.query(_WEEKS, {"since": since, "today": now.date()})]


def fill(store: Store, due: Sequence[Week]) -> Iterator[Filling]:
    """Add up what is not there of some weeks, as `weeks` gave them; yields what is in, each time.

    Raises:
        StoreError: it could not go on; what is in is right, and it may be run again.
    """
    by_metrics: dict[tuple[str, ...], list[Week]] = {}
    for week, definitions in _missing(store, due):
        by_metrics.setdefault(definitions, []).append(week)
    for definitions, missing in by_metrics.items():
        for of, at_once in _bounded(store, definitions, missing):
            _fill(store, at_once, of)
            yield Filling(len(at_once), len(of))
        for week in missing:
            forget(store, week)


def forget(store: Store, week: Week, seconds: int = STALE_SECONDS) -> None:
    """Delete what was added up of a week before it had more events, once nobody reads it any more.

    That is ``seconds`` after a later filling has counted more; many are deleted at once.
    """
    given = {"week": week.monday, "made_of": week.events}
    stale = (  # what is put in is a number
        "made_of != {made_of:UInt64} AND made_of < (SELECT max(made_of) FROM metric_days "  # noqa: S608
        f"WHERE head AND week = {{week:Date}} AND made_at < now() - {seconds:d})"
    )
    much = f"week = {{week:Date}} AND made_at < now() - {2 * seconds:d} AND {stale}"
    if store.query(f"SELECT 1 FROM metric_days WHERE {much} LIMIT 1", given):  # noqa: S608 - ours
        partition = f"IN PARTITION '{week.monday}'"
        store.command(f"ALTER TABLE metric_days DELETE {partition} WHERE {stale}", given)


def _missing(store: Store, due: Sequence[Week]) -> Iterator[tuple[Week, tuple[str, ...]]]:
    """The definitions in force that were not added up of the weeks as they are."""
    if not due:
        return
    by_monday = {week.monday: week for week in due}
    given = {**_counted(due), "longest": LONGEST}
    found = dict(store.query(_written_out(_MISSING), given))
    for monday in sorted(found, reverse=True):
        yield by_monday[monday], tuple(found[monday])


def _bounded(
    store: Store, definitions: Sequence[str], missing: Sequence[Week]
) -> Iterator[tuple[Sequence[str], Sequence[Week]]]:
    """Some metrics and some weeks at a time."""
    since = f"{min(missing).monday} 00:00:00"
    [(tenants,)] = store.query(_TENANTS, {"since": since})
    of_metric, events = 7 * max(1, int(tenants)), max(week.events for week in missing)
    short = LONGEST // max(map(len, definitions))
    metrics = max(1, min(len(definitions), short, MOST_ROWS // of_metric, MOST_LOOKS // events))
    at_once = max(1, min(MOST_ROWS // of_metric, MOST_LOOKS // events) // metrics)
    for first in range(0, len(missing), at_once):
        for place in range(0, len(definitions), metrics):
            yield definitions[place : place + metrics], missing[first : first + at_once]


def _fill(store: Store, of: Sequence[Week], definitions: Sequence[str]) -> None:
    mondays = [week.monday for week in of]
    store.command(
        _written_out(_FILL),
        {
            **_counted(of),
            "since": f"{min(mondays)} 00:00:00",
            "as_of": f"{max(mondays) + timedelta(days=7)} 00:00:00",
            "tenant": "",
            "definitions": f"[{','.join(definitions)}]",
            "filling": secrets.randbits(46) << 16,
            "server": of[0].server,
        },
        settings=_SETTINGS,
    )


def _counted(of: Sequence[Week]) -> dict[str, Any]:
    return {"weeks": [week.monday for week in of], "counts": [week.events for week in of]}
