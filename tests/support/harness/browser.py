"""The system's Chromium, and pages in it that must neither complain nor ask anybody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WAIT_MS = 60_000

expect.set_options(timeout=WAIT_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser for the block."""
    path = shutil.which("chromium")
    if path is None:
        raise AssertionError("there is no chromium; tests/setup.sh test installs it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Screen:
    """One page, as somebody sees it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Errors of scripts, violations of the policy, requests to others."""

    def show(self, state: str = "") -> None:
        """Go to a state of the page, and wait until every panel has its answer."""
        self.page.goto(f"{self.url}/#{state}")
        self.settle()

    def settle(self) -> None:
        """Wait until every panel has its answer."""
        expect(self.page.locator("main#main")).to_be_visible(timeout=WAIT_MS)
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=WAIT_MS)

    def panel(self, name: str) -> Locator:
        """A panel by its id."""
        return self.page.locator(f"[data-panel={name}]")

    def tabs(self) -> list[str]:
        """The names of the tabs."""
        return self.page.locator("nav a").all_inner_texts()

    def barriers(self) -> list[str]:
        """What axe finds."""
        violations = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:120]}" for one in violations for node in one["nodes"]]

    def cut_off(self) -> list[str]:
        """Tables that are wider than their place, by their names."""
        return list(
            self.page.locator(".scroll").evaluate_all(
                "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1)"
                ".map((one) => one.getAttribute('aria-label'))"
            )
        )

    def stands_in_the_dark_and_on_paper(self) -> None:
        """Fail unless what is shown can be read in dark colours, and whole on a sheet of A4."""
        self.page.emulate_media(color_scheme="dark")
        assert self.barriers() == []
        assert self.cut_off() == []
        size = self.page.viewport_size
        self.page.emulate_media(media="print")
        self.page.set_viewport_size({"width": 718, "height": 1047})
        self.settle()
        assert self.cut_off() == []
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 718
        paper = "getComputedStyle(document.querySelector('.card')).backgroundColor"
        assert self.page.evaluate(paper) == "rgb(255, 255, 255)"
        assert not self.page.locator(".filters").is_visible()
        self.page.emulate_media(media="screen", color_scheme="light")
        if size is not None:
            self.page.set_viewport_size(size)


@contextmanager
def screen(browser: Browser, url: str, who: str, **options: Any) -> Iterator[Screen]:
    """A page for somebody, for the block; at its end there must be no complaint."""
    headers = {"Authorization": f"Bearer {who}"}
    context = browser.new_context(extra_http_headers=headers, bypass_csp=False, **options)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    found = Screen(page, url)

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.complaints.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if urlsplit(request.url).netloc in (urlsplit(url).netloc, "")
            else found.complaints.append(f"asked {request.url}")
        ),
    )
    try:
        yield found
        assert found.complaints == []
    finally:
        context.close()
