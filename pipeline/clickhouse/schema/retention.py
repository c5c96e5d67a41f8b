"""How long rollups are kept: the tables' TTLs, from the settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import views
from pipeline.clickhouse.schema.files import Lifetimes
from pipeline.facts.rollups import PRODUCT_EVENTS
from pipeline.facts.types import all_rollups

if TYPE_CHECKING:
    from pipeline.settings import Settings

_EXPIRING = [rollup for rollup in all_rollups() if rollup.minutes]
_DAYS = {"day": 1, "month": 31}

MINUTE_TABLES = tuple(table for rollup in _EXPIRING for table in rollup.minute_tables())
QUARTER_HOUR_TABLES = tuple(table for rollup in _EXPIRING for table in rollup.quarter_tables())
DAY_TABLES = {
    one.table: (one.at, _DAYS[one.at])
    for rollup in _EXPIRING
    for one in rollup.coarser
    if one.at in _DAYS
}
"""The column of the bucket, and its days: rows are kept until its last quarter hour goes."""

EVENTS_TABLE, EVENTS_TIME = PRODUCT_EVENTS.kept, "toDateTime(time)"
"""Where product events are kept one by one, and what tells their age."""

DAYS_TABLE, DAYS_WEEK = "metric_days", "week"
"""Where days of metrics are, made of events; as long as their week's last day."""

LEAST_KEPT_DAYS = 66
"""Users' days are kept so long at least: one may be waited for for a month, and then its month is
made of days and quarter hours, and looked at again for some days (`pipeline.protocol.settled`).
Where quarter hours are kept for less, all are made at once."""

_DAY_SECONDS, _QUARTER_SECONDS = 86_400, 900

_TTL = re.compile(r"\bTTL ((?:\w|[()])+) \+ toIntervalDay\((\d+)\)")


def wanted(settings: Settings) -> dict[str, tuple[str, int]]:
    """By rollup, its bucket's column and the days that it is to be kept (0: for good)."""
    minutes = dict.fromkeys(MINUTE_TABLES, ("minute", settings.keep_minute_rows))
    quarters = dict.fromkeys(QUARTER_HOUR_TABLES, ("quarter", settings.keep_quarter_hour_rows))
    days = settings.keep_quarter_hour_rows
    longer = {
        table: (column, max(days + lasting, LEAST_KEPT_DAYS + 1) if days else 0)
        for table, (column, lasting) in DAY_TABLES.items()
    }
    events = {EVENTS_TABLE: (EVENTS_TIME, settings.keep_product_events_days)}
    kept = settings.keep_product_events_days
    made = {DAYS_TABLE: (DAYS_WEEK, kept + 7 if kept else 0)}
    return minutes | quarters | longer | events | made


def current(engine: str) -> tuple[str, int] | None:
    """The column and the days in a table's ``engine_full``; None if it has no TTL."""
    found = _TTL.search(engine)
    return (found[1], int(found[2])) if found else None


def lifetimes(store: Store, own: Store, settings: Settings) -> Lifetimes:
    """What views are to know, before the TTLs are changed: minutes that are gone do not come back.

    ``own``: where the tables are that rows expire in. What was kept before is read from the tables
    and from the views, which are made last: also a migrator that was killed in between counts. From
    when on minutes are there is written down in the views alone. It is a day after the oldest that
    was kept, for merges go by the old TTL until the parts have the new one.
    """
    days, now = settings.keep_minute_rows, _now(own)
    engines = tables(own)
    marks = [mark for mark in views.marks(store).values() if mark]
    ttls = [ttl[1] for table in MINUTE_TABLES if (ttl := current(engines.get(table, "")))]
    before = min(filter(None, [*ttls, *(mark.days for mark in marks)]), default=0)
    since = views.minutes_from(store)
    if before and (before < days or not days):
        quarters = (now - (before - 1) * _DAY_SECONDS) // _QUARTER_SECONDS + 1
        since = max(since, quarters * _QUARTER_SECONDS)
    if days and since <= now - days * _DAY_SECONDS:  # what is kept began later: so it will always
        since = 0
    return Lifetimes(days, settings.keep_product_events_days, since)


def statements(store: Store, settings: Settings, cluster: str = "") -> list[str]:
    """The ALTERs that bring the TTLs to what the settings say; none where nothing changed."""
    engines = tables(store)
    on_cluster = f" ON CLUSTER '{cluster}'" if cluster else ""
    alters = []
    for table, (column, days) in wanted(settings).items():
        if table not in engines:  # a later migration makes it, with its own
            continue
        there = current(engines[table])
        if days and there != (column, days):
            alters.append(
                f"ALTER TABLE {table}{on_cluster} MODIFY TTL {column} + toIntervalDay({days})"
            )
        elif not days and there:
            alters.append(f"ALTER TABLE {table}{on_cluster} REMOVE TTL")
    return alters


def tables(store: Store) -> dict[str, str]:
    """The tables that are kept as parts, with the ``engine_full`` of each."""
    return dict(
        store.query(
            "SELECT name, engine_full FROM system.tables WHERE database = {database:String} "
            "AND engine LIKE '%MergeTree' ORDER BY name",
            {"database": store.database},
        )
    )


def _now(store: Store) -> int:
    [(now,)] = store.query("SELECT toUnixTimestamp(now())")
    return int(now)
