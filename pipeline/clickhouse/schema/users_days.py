"""Up to which day users' days and months are complete, and how views find that: written down.

``users_settlements`` is the record. ``users_settled`` is what views look up as they are planned, a
day for each five minutes in which a query may have begun; it is in memory alone, and empty after a
start of the server: views then read all from quarter hours. Why: ``docs/decisions/users-days.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.clickhouse.client import insert_settings
from pipeline.clickhouse.schema import retention
from pipeline.clickhouse.schema.files import SETTLED_TABLE, SLOT_SECONDS, SLOTS

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

SETTLED = "(SELECT max(day) FROM users_settlements)"
"""The day before which all are complete; 1970 where the tables were not migrated to their end."""

WITHIN_SECONDS = 20
"""So long it may take to write a day down: less than it is ahead of a query that uses it."""

_PUBLISHED = f"joinGet('{SETTLED_TABLE}', 'days', toUInt8(0))"
_NOW = f"intDiv(toUnixTimestamp(now()), {SLOT_SECONDS})"
_IN_USE = f"has(arrayMap(n -> ({_NOW} + n) % {SLOTS}, [-2, -1, 0, 1]), slot)"
"""Whether a query that is being planned, or will be before this is written, may look a slot up."""
_LATER = f"""
INSERT INTO {SETTLED_TABLE} (one, days)
WITH {SETTLED} AS settled, {_PUBLISHED} AS published
SELECT 0, arrayMap(slot -> if({_IN_USE}, published[slot + 1], settled), range({SLOTS}))
WHERE arrayExists(slot -> NOT {_IN_USE} AND published[slot + 1] != settled, range({SLOTS}))
"""
AT_ONCE = f"""
INSERT INTO {SETTLED_TABLE} (one, days) SELECT 0, arrayWithConstant({SLOTS}, {SETTLED})
"""
"""Where no query is planned meanwhile, or none has found a day yet."""
_BEGIN = """
INSERT INTO users_settlements (day)
SELECT toDate(now('UTC')) WHERE (SELECT count() FROM users_settlements) = 0
"""


def begin(store: Store) -> None:
    """Have all of a store be settled until today, once: nothing is left for later so far.

    Behind the views, for from then on workers leave the day that runs for later, and views of
    before would read it from where it is not yet. Not where quarter hours are kept for so short a
    time that a month could not be made of them. Raises StoreError.
    """
    [(rows, is_empty, quarters)] = store.query(
        "SELECT (SELECT count() FROM users_settlements), "
        "(SELECT count() = 0 FROM (SELECT 1 FROM requests_15m LIMIT 1)), "
        "engine_full FROM system.tables "
        "WHERE database = {database:String} AND name = 'requests_15m'",
        {"database": store.database},
        consistent=True,
    )
    kept = retention.current(quarters)
    if not rows and (kept is None or kept[1] >= retention.LEAST_KEPT_DAYS):
        store.command(_BEGIN, settings=insert_settings(None))
        publish(store, nobody_asks=is_empty)


def publish(store: Store, *, nobody_asks: bool = False) -> None:
    """Have views find what is settled, from the next hour on; at once where nobody asks any.

    Raises StoreError.
    """
    bounds = {"max_execution_time": WITHIN_SECONDS, "lock_acquire_timeout": WITHIN_SECONDS}
    store.command(AT_ONCE if nobody_asks else _LATER, settings=insert_settings(None) | bounds)
