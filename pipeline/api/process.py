"""``usage api``: one process that answers until it is told to stop.

SIGTERM or SIGINT: it is not ready any more, takes no new connection, ends live streams, lets
answers that are under way come to their end, and ends itself; a second one ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from pipeline.access.opening import Access, opened
from pipeline.api.application import Route, application
from pipeline.api.catalogue import Views
from pipeline.api.context import Api, Metrics, Reports
from pipeline.api.cursors import Signer
from pipeline.api.freshness import Freshness
from pipeline.api.instruments import Instruments
from pipeline.api.limits import Limits
from pipeline.api.log import Log
from pipeline.api.metric_days import Days
from pipeline.api.owner import OWNER, keep_key
from pipeline.api.sessions import Sessions
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.reading import Reader
from pipeline.clickhouse.schema.migrate import check
from pipeline.errors import SettingsError
from pipeline.kafka.sending import Sending
from pipeline.process.ending import Ending
from pipeline.process.logs import configure
from pipeline.process.version import program_version
from pipeline.reports.jobs import Job, Jobs
from pipeline.reports.runner import Runner

if TYPE_CHECKING:
    from pipeline.settings import Settings

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
MARGIN_SECONDS = 5.0

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter


def main(
    settings: Settings,
    more: Sequence[Route] = (),
    *,
    link: bool = False,
    key_file: Path | None = None,
) -> int:
    """Serve until told to end.

    ``more``: routes of other rooms, the page's. ``link``: print a link that works once.
    ``key_file``: keep an admin's key there.

    Raises:
        SettingsError: the port cannot be used.
        StoreError, MigrationError: the store does not answer, or lacks what is needed.
    """
    configure(settings)
    store = Store.connect(settings)
    try:
        check(store)
        asyncio.run(_serve(settings, store, more, link=link, key_file=key_file))
    finally:
        store.close()
    return 0


async def _serve(
    settings: Settings, store: Store, more: Sequence[Route], *, link: bool, key_file: Path | None
) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    Ending(lambda: loop.call_soon_threadsafe(told.set), DRAIN_SECONDS + MARGIN_SECONDS)
    sessions = Sessions() if link else None
    async with (
        opened(settings, store) as access,
        running(settings, store, access, sessions, more) as (api, port),
    ):
        if key_file is not None:
            await asyncio.to_thread(keep_key, access.keys, key_file)
        where = f"http://{_shown(settings.api_host)}:{port}"
        if sessions is not None:
            print(f"link: {where}/enter/{sessions.link(OWNER)}", flush=True)
        print(f"api ready: {where}", flush=True)
        await told.wait()
        api.draining = True
        log.info("ending: answers under way have %g s to come to their end", DRAIN_SECONDS)


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    store: Store,
    access: Access,
    sessions: Sessions | None = None,
    more: Sequence[Route] = (),
) -> AsyncIterator[tuple[Api, int]]:
    """Serve for the block; gives the API and its port."""
    async with Reader.connected(settings) as reader:
        views = Views(store)
        await asyncio.to_thread(views.read)
        freshness, instruments = Freshness(reader), Instruments(_registry())
        reports = _reports(settings, reader, freshness, instruments)
        sending = Sending(settings)
        api = Api(
            reader=reader,
            views=views,
            freshness=freshness,
            doors=(*access.doors, *([sessions] if sessions is not None else [])),
            keys=access.keys,
            limits=Limits(settings.api_requests_per_minute, settings.api_queries_at_once),
            reports=reports,
            metrics=Metrics(settings, store, sending),
            log=Log(settings),
            instruments=instruments,
            signer=Signer(await asyncio.to_thread(_secret, settings, store)),
            clock=lambda: datetime.now(UTC),
            release=program_version(),
        )
        loop = asyncio.get_running_loop()
        days = Days(store, settings.keep_product_events_days, api.clock)
        tasks = [loop.create_task(one) for one in (views.refresh(), reports.runner.run())]
        if not settings.clickhouse_cluster:  # whose servers may each have counted other events
            tasks.append(loop.create_task(days.run()))
        runner = web.AppRunner(
            application(api, sessions, more),
            # A reader that leaves cancels its handler, and so its query.
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=DRAIN_SECONDS,
        )
        await runner.setup()
        try:
            yield api, await _listen(runner, settings)
        finally:
            days.end()
            await runner.cleanup()
            await asyncio.to_thread(sending.close)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _reports(
    settings: Settings, reader: Reader, freshness: Freshness, instruments: Instruments
) -> Reports:
    async def about(_: Job) -> dict[str, Any]:
        fresh = await freshness.now()
        return {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "as_of": fresh.as_json("UTC"),
        }

    jobs = Jobs(settings.reports, timedelta(days=settings.keep_reports))
    runner = Runner(jobs, reader, about, settings.reports_at_once, instruments.report_ended)
    return Reports(jobs, runner)


async def _listen(runner: web.AppRunner, settings: Settings) -> int:
    site = web.TCPSite(runner, settings.api_host, settings.api_port)
    try:
        await site.start()
    except OSError as error:
        raise SettingsError(
            f"USAGE_API_HOST and USAGE_API_PORT are {settings.api_host}:{settings.api_port}, "
            f"where nothing can listen: {error.strerror or error}"
        ) from error
    return int(runner.addresses[0][1])


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


def _secret(settings: Settings, store: Store) -> bytes:
    """What all API processes over one store know, and no caller does."""
    if settings.api_secret:
        return settings.api_secret.reveal().encode()
    [(first,)] = store.query("SELECT min(applied_at) FROM migrations")
    return f"{settings.clickhouse.password.reveal()}\0{store.database}\0{first}".encode()


def _shown(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared only
