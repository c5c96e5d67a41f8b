"""ClickHouse's own time zones beside those of the ``tzdata`` package: whose days differ.

``usage migrate`` writes these few into the views, so that days, weeks and months are the package's
in every zone (:mod:`.zone_shifts`). How ClickHouse itself prints an instant in them is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.schema import zone_shifts
from pipeline.clickhouse.schema.zones import changed_since, rows_of
from pipeline.errors import StoreRefused
from pipeline.facts import zones

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_DAY = 86_400
_YEAR = 365

UNTIL = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()) // _DAY
"""Days are compared until then, in days since 1970: a fixed one, so that views stay as they are."""


class Comparison(NamedTuple):
    """Two zone databases, from the year before the older one to :data:`UNTIL`."""

    server: str
    """Version of the server's database, ``2026c``; empty where it does not say, nothing asked."""
    shifts: zone_shifts.Shifts
    """The zones whose days differ, and how views set them right."""
    wrong: tuple[str, ...]
    """Zones that no view can set right: the server lacks them, or has days far from ours."""

    @property
    def sentence(self) -> str:
        """What an operator should know; empty where there is nothing."""
        if not self.wrong:
            return ""
        return (
            f"ClickHouse's time zones are of {self.server}, those of tzdata of {zones.VERSION}: "
            f"{', '.join(self.wrong)} differ too much. Views in these zones fail, or have "
            "ClickHouse's days, weeks and months; upgrade the server, or the package, so that "
            "both are of one version"
        )


def compare(store: Store) -> Comparison:
    """Ask the server about the zones that may differ.

    A zone once asked for takes 4.5 MB of the server for good, all of them 2.7 GB. So only those are
    asked for whose rules changed since the year before the older of the two versions.
    """
    server = _version(store)
    if server in ("", zones.VERSION):
        return Comparison(server, (), ())
    days = range(min(_first(server), _first(zones.VERSION)), UNTIL)
    shifts, wrong = [], []
    for name in changed_since(days.start * _DAY):
        found = _compared(store, name, days)
        if found is None:
            wrong.append(name)
        elif found.changes:
            shifts.append(found)
    return Comparison(server, tuple(shifts), tuple(wrong))


def _version(store: Store) -> str:
    """The server's version of the zone database; empty where it does not say, or may not."""
    try:
        rows = store.query("SELECT value FROM system.build_options WHERE name = 'TZDATA_VERSION'")
    except StoreRefused:
        return ""
    return str(rows[0][0]) if rows else ""


def _compared(store: Store, name: str, days: range) -> zone_shifts.Shift | None:
    try:
        [(theirs,)] = store.query(
            f"SELECT arrayMap(day -> toUnixTimestamp(toDateTime(toDate(day), '{name}')), "
            "range({first:UInt32}, {end:UInt32}))",
            {"first": days.start, "end": days.stop},
        )
    except StoreRefused:  # it has no such zone
        return None
    return zone_shifts.between(name, list(begins(name, days)), theirs)


def _first(version: str) -> int:
    """About a year before the year of a version, in days since 1970; of none: 1971."""
    year = re.match(r"\d{4}", version)
    return (int(year[0]) - 1970) * _YEAR - _YEAR if year else _YEAR


def begins(name: str, days: range) -> Iterator[int]:
    """When each day begins by the package, in seconds since 1970."""
    rows = iter(rows_of(name))
    since, offset, reached = next(rows)
    for midnight in (day * _DAY for day in days):
        while reached <= midnight:
            since, offset, reached = next(rows)
        yield max(since, midnight - offset)
