"""As of when answers are: asked at most a few times a second, whoever many want to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.clickhouse.reading import Reader

FRESH_SECONDS = 0.25
"""An answer may say that it is this much older than it is; never that it is newer."""

COLUMNS = ("type", "newest_event", "newest_arrival")
_ASK = "SELECT type, newest_event, newest_arrival FROM as_of"
_VERSION = "SELECT count() AS chunks FROM chunks"
_ISO = {"date_time_output_format": "iso"}


@dataclass(frozen=True)
class Fresh:
    """The newest that an answer contains, at least."""

    newest: tuple[tuple[str, datetime, datetime], ...]
    """Type of event, newest event time, newest arrival."""
    version: str
    """Another one whenever anything was counted: arrivals are told to the minute only."""

    def as_json(self, tz: str) -> list[dict[str, Any]]:
        """As an answer has it, instants with the offset of the zone."""
        zone = ZoneInfo(tz)
        return [
            dict(
                zip(COLUMNS, (type_, *(at.astimezone(zone).isoformat() for at in ats)), strict=True)
            )
            for type_, *ats in self.newest
        ]


class Freshness:
    """The store's newest; used from one event loop."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._found: tuple[float, Fresh] | None = None
        self._asking: asyncio.Task[Fresh] | None = None

    async def now(self) -> Fresh:
        """As of when an answer is that is asked for after this.

        Raises:
            StoreUnavailable, StoreRefused: the store's own reasons.
        """
        if self._found is not None and self._clock() - self._found[0] < FRESH_SECONDS:
            return self._found[1]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Fresh:
        began = self._clock()
        # The number of chunks first: what is counted between the two is then told once more.
        [version] = await self._reader.rows(_VERSION)
        rows = await self._reader.rows(_ASK, _ISO)
        newest = tuple(
            (row["type"], _instant(row["newest_event"]), _instant(row["newest_arrival"]))
            for row in rows
        )
        fresh = Fresh(newest, str(version["chunks"]))
        self._found = (began, fresh)
        return fresh


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
