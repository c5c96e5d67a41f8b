"""``make screenshots``: pictures of the page over a simulated world, for README and docs.

The world, its events and the time are fixed, so that the same sources give the same pictures (on a
machine with the same fonts and browser).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.simulate.stream import Options
from pipeline.web import ROUTES
from tests.support.harness.api import Served, served
from tests.support.harness.browser import WAIT_MS, Screen, chromium, screen
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.simulated import fill
from tests.support.harness.store import EmbeddedStore

IMAGES = Path(__file__).parents[2] / "docs" / "images"
NOW = datetime(2026, 11, 19, 14, 38, tzinfo=UTC)
DAYS = 400
TENANTS = 24
STREAM = Options(rate=0.006, announce=True, late=0.02, events=0.3)
SIZE = {"width": 1280, "height": 860}
KEPT = {"USAGE_KEEP_MINUTE_ROWS": "0", "USAGE_KEEP_PRODUCT_EVENTS_DAYS": "0"}
"""For good: the pictures' time passes, and rows must not expire."""

PICTURES = {
    "dashboard": "tab=dashboard",
    "requests": "tab=requests&frame=1w",
    "billing": "tab=billing",
    "usage-metrics": "tab=usage-metrics",
    "analytics-dark": "tab=analytics&frame=90d",
    "metric-editor": "tab=metrics&metric=new",
}
"""A picture's name, and the state of the page that it shows; dark where the name says so."""


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with _served() as api, chromium() as browser:
        for name, state in PICTURES.items():
            _picture(browser, api, name, state)
            print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1024:.0f} KiB")


@contextmanager
def _served() -> Iterator[Served]:
    """An API over the world, at a time that stands."""
    with tempfile.TemporaryDirectory(prefix="usage-pictures-") as folder:
        running = EmbeddedStore(Path(folder))
        running.start()
        try:
            tables = new_database(running.port)
            settings = settings_for(running.port, tables.database, USAGE_API_PORT="0", **KEPT)
            migrate(tables, settings)
            until = int(NOW.timestamp() * 1000)
            print(f"{fill(tables, STREAM, seed=4, tenants=TENANTS, days=DAYS, until=until)} events")
            tables.close()
            store = Store.connect(settings)
            with served(settings, store, ROUTES) as api:
                api.api.clock = lambda: NOW
                yield api
            store.close()
        finally:
            running.stop()


def _picture(browser: Browser, api: Served, name: str, state: str) -> None:
    who = api.named.add("demo", Role.ADMIN, ALL)
    scheme = "dark" if name.endswith("-dark") else "light"
    options = {"color_scheme": scheme, "viewport": SIZE, "timezone_id": "Europe/Berlin"}
    with screen(browser, f"http://127.0.0.1:{api.port}", who, locale="en-GB", **options) as shown:
        shown.page.clock.set_fixed_time(NOW)
        shown.show(state)
        if name == "metric-editor":
            _define(shown)
        shown.page.screenshot(path=str(IMAGES / f"{name}.png"), animations="disabled")


def _define(shown: Screen) -> None:
    """Fill the editor in, and wait for what the metric would come to."""
    page = shown.page
    page.get_by_role("textbox", name="Name").fill("Good API calls")
    page.get_by_role("combobox", name="Event 1", exact=True).fill("api_request")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add filter").click()
    page.get_by_role("combobox", name="Property of filter 1", exact=True).fill("status")
    page.keyboard.press("Enter")
    page.get_by_label("Value of filter 1", exact=True).fill("200")
    dry = page.get_by_role("region", name="Dry run")
    expect(dry.get_by_label("Events that each filter leaves")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("textbox", name="Name").focus()
    shown.settle()


if __name__ == "__main__":
    main()
