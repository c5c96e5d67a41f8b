"""ClickHouse's own time zones beside those of the ``tzdata`` package: which of them differ.

A view that takes a ``tz`` finds days, weeks and months by ClickHouse's; billing periods, the months
of live windows and what is typed at a terminal follow the package's (:mod:`.zones`).
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.clickhouse.schema.zones import changed_since, changes
from pipeline.errors import StoreRefused
from pipeline.facts import zones

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

AHEAD_SECONDS = 2 * 365 * 86_400
_STEP = 7 * 86_400
_YEAR = 365 * 86_400


class Comparison(NamedTuple):
    """Two zone databases, from the year before the older one up to two years ahead."""

    server: str
    """Version of the server's database, ``2026c``; empty where it does not say, nothing asked."""
    differing: tuple[str, ...]
    """The zones whose offsets differ."""

    @property
    def sentence(self) -> str:
        """What an operator should know; empty where there is nothing."""
        if not self.differing:
            return ""
        return (
            f"ClickHouse's time zones are of {self.server}, those of tzdata of {zones.VERSION}: "
            f"{', '.join(self.differing)} differ. Days, weeks and months of views in these zones "
            "are ClickHouse's; upgrade the server, or the package, so that both are of one version"
        )


def compare(store: Store, now: float | None = None) -> Comparison:
    """Ask the server about the zones that may differ.

    A zone once asked for takes 4.5 MB of the server for good, all of them 2.7 GB. So only those are
    asked for whose rules changed since the year before the older of the two versions.
    """
    server = _version(store)
    if server in ("", zones.VERSION):
        return Comparison(server, ())
    begin = min(_begin(server), _begin(zones.VERSION)) - _YEAR
    end = int(time.time() if now is None else now) + AHEAD_SECONDS
    names = changed_since(begin)
    return Comparison(server, tuple(name for name in names if _differs(store, name, (begin, end))))


def _version(store: Store) -> str:
    """The server's version of the zone database; empty where it does not say, or may not."""
    try:
        rows = store.query("SELECT value FROM system.build_options WHERE name = 'TZDATA_VERSION'")
    except StoreRefused:
        return ""
    return str(rows[0][0]) if rows else ""


def _differs(store: Store, name: str, span: tuple[int, int]) -> bool:
    instants = _instants(name, *span)
    try:
        [(theirs,)] = store.query(
            f"SELECT arrayMap(t -> timezoneOffset(toDateTime(t, '{name}')), "
            "{instants:Array(UInt32)})",
            {"instants": instants},
        )
    except StoreRefused:  # it has no such zone
        return True
    zone = ZoneInfo(name)
    return [_offset(zone, instant) for instant in instants] != list(theirs)


def _begin(version: str) -> int:
    """About when the year of a version began, in seconds since 1970; of none: 1970."""
    year = re.match(r"\d{4}", version)
    return (int(year[0]) - 1970) * _YEAR if year else 0


def _instants(name: str, begin: int, end: int) -> list[int]:
    """Every week, and both sides of each change that the zone's file lists."""
    listed = [since for since in changes(name) if begin < since < end]
    return sorted({*range(begin, end, _STEP), *listed, *(since - 1 for since in listed)})


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo's never is
    return round(offset.total_seconds())
