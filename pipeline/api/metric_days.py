"""Adds up days of user-defined metrics beside the API's answers, which lists of many then take.

Any number of processes may do so: what two of them bring is the same, and counts once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from pipeline.errors import StoreError
from pipeline.meters import days

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
WORTH = 1_000_000
"""Product events, below which days are not worth what they cost."""


class Days:
    """What fills ``metric_days``, week by week, once nothing more comes for a week."""

    def __init__(self, store: Store, kept_days: int, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._kept_days = kept_days
        self._clock = clock
        self._seen: Mapping[date, int] = {}
        self._ended = threading.Event()

    def look(self) -> int:
        """Add up weeks that are as they were at the last look; how many inserts that took.

        Waits for the store: call it in a thread.
        """
        found = days.weeks(self._store, self._clock(), self._kept_days)
        quiet = [week for week in found if self._seen.get(week.monday) == week.events]
        self._seen = {week.monday: week.events for week in found}
        if sum(week.events for week in found) < WORTH:
            return 0
        done = 0
        for _ in days.fill(self._store, quiet):
            done += 1
            if self._ended.is_set():
                break
        return done

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await asyncio.to_thread(self.look)
            except StoreError as error:
                log.warning("days of metrics could not be added up: %s", error.message)
            except Exception:
                log.exception("days of metrics could not be added up")

    def end(self) -> None:
        """Take nothing more up; what is under way comes to its end."""
        self._ended.set()
