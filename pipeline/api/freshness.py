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

WHOLE_SECONDS = 10.0
"""After so long the newest is asked for although nothing was counted: rows may have expired."""

COLUMNS = ("type", "newest_event", "newest_arrival")
_ASK = "SELECT type, newest_event, newest_arrival FROM as_of"
_COUNTED = """
SELECT (SELECT count() FROM chunks) AS chunks, (SELECT count() FROM partitions_1m) AS outcomes
"""
"""What tells for next to nothing whether the newest, twenty times as dear, can be another."""

_ISO = {"date_time_output_format": "iso"}


Newest = tuple[tuple[str, datetime, datetime], ...]
"""Of each type of event its name, the newest event time, the newest arrival."""


@dataclass(frozen=True)
class Fresh:
    """The newest that an answer contains, at least."""

    newest: Newest
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
        self._whole: tuple[float, dict[str, Any], Newest] | None = None
        """When the newest was asked for, what was counted then, and it."""
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
        # What is counted first: what comes between the two is then told once more.
        [counted] = await self._reader.rows(_COUNTED)
        whole = self._whole
        if whole is None or whole[1] != counted or began - whole[0] >= WHOLE_SECONDS:
            whole = self._whole = (began, counted, await self._newest())
        fresh = Fresh(whole[2], str(counted["chunks"]))
        self._found = (began, fresh)
        return fresh

    async def _newest(self) -> Newest:
        rows = await self._reader.rows(_ASK, _ISO)
        return tuple(
            (row["type"], _instant(row["newest_event"]), _instant(row["newest_arrival"]))
            for row in rows
        )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
