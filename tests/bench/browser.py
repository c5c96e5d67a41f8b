"""What the page costs whoever looks at it: the first numbers, a filter's change, blocked moments.

A world of 2,000 customers, 200 models and a year of days on the embedded store, in a real browser.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect

from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.panels.panel import Tab
from pipeline.simulate.stream import Options
from pipeline.web import ROUTES
from tests.bench.bed import Bed
from tests.support.harness.api import Served, served
from tests.support.harness.browser import WAIT_MS, Screen, chromium, screen
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.simulated import fill
from tests.support.harness.store import EmbeddedStore

TENANTS, DAYS, MODELS = 2_000, 365, 190
STREAM = Options(rate=0.02, announce=True, steady=True)
TABS = [tab for tab in Tab if tab not in (Tab.HEALTH, Tab.CUSTOMER)]
REST_SECONDS = 120
LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.longTasks.push(task.duration);
    }).observe({ type: "longtask", buffered: true });
"""
"""Tasks of the page's thread of 50 ms and more, in ms."""


def browser(bed: Bed) -> list[str]:
    """Fill a world, open every tab of it, and change a filter."""
    quick = bed.scale.quick
    tenants = 100 if quick else TENANTS
    with _world(bed, tenants, 30 if quick else DAYS) as (api, events), chromium() as driver:
        admin = api.let(Role.ADMIN, ALL)
        tenant = str(api.view("top_tenants", {"since": "30d"}, who=admin).json["rows"][0]["tenant"])
        own = api.let(Role.MANAGER, tenant)
        runs = 2 if quick else 5
        first = [_first(driver, api, own) for _ in range(runs)]
        every = [_first(driver, api, admin) for _ in range(runs)]
        changed = _changed(driver, api, own, runs)
        return [
            (
                f"{tenants:,} customers, {MODELS + 10} models, {events:,} events of a year; one "
                "store, and the API beside the browser. Medians."
            ),
            "",
            "| | ms |",
            "| --- | --- |",
            f"| opened until the first numbers stand, one organization | {_ms(first)} |",
            f"| the same, all organizations | {_ms(every)} |",
            f"| a filter changed until all of the tab stands, one organization | {_ms(changed)} |",
            "",
            (
                "| tab, all organizations, the last year | until all of it stands, ms | "
                "tasks over 50 ms | the longest, ms |"
            ),
            "| --- | --- | --- | --- |",
            *_tabs(driver, api, admin),
        ]


@contextmanager
def _world(bed: Bed, tenants: int, days: int) -> Iterator[tuple[Served, int]]:
    folder = bed.folder / "browser"
    folder.mkdir()
    running = EmbeddedStore(folder)
    running.start()
    try:
        tables = new_database(running.port)
        settings = settings_for(
            running.port,
            tables.database,
            USAGE_API_PORT="0",
            USAGE_API_REQUESTS_PER_MINUTE="100000",
        )
        migrate(tables, settings)
        until = int(time.time() * 1000)
        events = fill(
            tables, STREAM, seed=1, tenants=tenants, days=days, until=until, models=MODELS
        )
        _rest(tables)
        store = Store.connect(settings)
        with served(settings, store, ROUTES) as api:
            yield api, events
        store.close()
        tables.close()
    finally:
        running.stop()


def _rest(tables: Store) -> None:
    """Wait until the store has merged what a year in a minute left it with: nobody's year does."""
    end = time.monotonic() + REST_SECONDS
    while tables.query("SELECT count() FROM system.merges") != [(0,)]:
        assert time.monotonic() < end, f"the store merges for over {REST_SECONDS} s"
        time.sleep(0.5)


@contextmanager
def _open(driver: Browser, api: Served, who: str) -> Iterator[Screen]:
    with screen(driver, f"http://127.0.0.1:{api.port}", who, timezone_id="UTC") as shown:
        shown.page.add_init_script(LONG_TASKS)
        yield shown


def _first(driver: Browser, api: Served, who: str) -> float:
    """Seconds from nothing to the first numbers, in a browser that has no file of the page."""
    with _open(driver, api, who) as shown:
        return _timed(
            lambda: shown.page.goto(f"{shown.url}/#tab=requests&frame=1w"),
            lambda: expect(shown.panel("requests-summary").locator("dd").first).to_be_visible(
                timeout=WAIT_MS
            ),
        )


def _changed(driver: Browser, api: Served, who: str, runs: int) -> list[float]:
    """Seconds from a key that changes the time frame to all answers of the tab."""
    with _open(driver, api, who) as shown:
        shown.show("tab=requests&frame=1d")
        return [
            _timed(lambda key=key: shown.page.keyboard.press(key), shown.settle)  # type: ignore[misc]
            for _ in range(runs)
            for key in ("w", "m")
        ]


def _tabs(driver: Browser, api: Served, who: str) -> Iterator[str]:
    for tab in TABS:
        with _open(driver, api, who) as shown:
            took = _timed(lambda: shown.show(f"tab={tab}&frame=1y"))  # noqa: B023 - called at once
            tasks = shown.page.evaluate("window.longTasks")
            longest = f"{max(tasks):.0f}" if tasks else "–"
            yield f"| {tab.heading} | {took * 1e3:.0f} | {len(tasks)} | {longest} |"


def _timed(*steps: Callable[[], object]) -> float:
    began = time.perf_counter()
    for step in steps:
        step()
    return time.perf_counter() - began


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.0f}"
