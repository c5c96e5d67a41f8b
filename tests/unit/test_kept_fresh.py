"""What is read again and again goes on being read, whatever came in between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from pipeline.access import known as access
from pipeline.access.known import Known
from pipeline.api import catalogue, metric_days
from pipeline.api.catalogue import Views
from pipeline.api.metric_days import Days
from pipeline.errors import StoreUnavailable

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store


class Faulty:
    """A store that fails in a way that nobody foresaw, then in its own, then answers."""

    def __init__(self) -> None:
        self.faults: list[Exception] = [StoreUnavailable("away"), TypeError("unforeseen")]
        self.answered = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.database = "d"

    def query(self, *_: Any, **__: Any) -> list[Any]:
        if self.faults:
            raise self.faults.pop()
        self.loop.call_soon_threadsafe(self.answered.set)
        return []


async def _grants(store: Store) -> None:
    await Known(store).keep()


async def _views(store: Store) -> None:
    await Views(store).refresh()


async def _days(store: Store) -> None:
    await Days(store, 0, lambda: datetime.now(UTC)).run()


def test_grants_views_and_weeks_are_read_on_after_any_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "READ_SECONDS", 0.001)
    monkeypatch.setattr(catalogue, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(metric_days, "EVERY_SECONDS", 0.001)

    async def scenario() -> None:
        for kept in (_grants, _views, _days):
            store = Faulty()
            keeping = asyncio.create_task(kept(cast("Store", store)))
            done, _ = await asyncio.wait(
                {keeping, asyncio.create_task(store.answered.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert keeping not in done
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), 20))
