"""Shows readings of the store until told to stop: a live screen in a terminal, else plain lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rich.live import Live

from pipeline.clickhouse.client import Store
from pipeline.embedded.readings import Reading, Readings
from pipeline.embedded.screen import Frame, line, render
from pipeline.errors import StoreError
from pipeline.process import terminal
from pipeline.process.interrupts import Interrupts
from pipeline.process.printable import printable

if TYPE_CHECKING:
    from pipeline.settings import Settings

READ_SECONDS = 2.0
"""From one reading to the next one's question, so that a store that is slow is asked less."""
DRAW_SECONDS = 1.0
LINE_SECONDS = 2.0


class Face(Protocol):
    """What shows readings."""

    every_seconds: float

    def show(self, reading: Reading | None, trouble: str, running_seconds: float) -> None:
        """Show these readings now, in place of those before."""


def show(
    settings: Settings,
    places: tuple[tuple[str, str], ...],
    problem: Callable[[], str],
    seconds: float,
    interrupts: Interrupts,
) -> str:
    """Show the store's numbers; returns '' when it was time to end, else what went wrong.

    Args:
        settings: where the store is.
        places: what is said about where everything is.
        problem: asked often; anything but '' ends the view.
        seconds: 0 for no end.
        interrupts: the first ends the view.
    """
    console = terminal.console()
    watcher = _Watcher(settings, has_tenants=console.is_terminal)
    if not console.is_terminal:
        return _loop(_Lines(), watcher, problem, seconds, interrupts)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        found = _loop(_Screen(live, places), watcher, problem, seconds, interrupts)
    if watcher.reading is not None:  # the screen is gone with its numbers: leave the last ones
        print(line(watcher.reading))
    return found


def _loop(
    face: Face,
    watcher: _Watcher,
    problem: Callable[[], str],
    seconds: float,
    interrupts: Interrupts,
) -> str:
    began = time.monotonic()
    running = 0.0
    while not seconds or running < seconds:
        found = problem()
        if found:
            return found
        face.show(watcher.reading, watcher.trouble, running)
        if interrupts.wait(face.every_seconds):
            return ""
        running = time.monotonic() - began
    return ""


class _Watcher:
    """Takes readings in a thread, so that a store that hangs holds up nothing else."""

    def __init__(self, settings: Settings, *, has_tenants: bool) -> None:
        self.reading: Reading | None = None
        self.trouble = ""
        self._settings = settings
        self._has_tenants = has_tenants
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        readings: Readings | None = None
        while True:
            try:
                readings = readings or self._readings()
                self.reading = readings.take()
                self.trouble = ""
            except StoreError as error:
                self.trouble = error.message
            time.sleep(READ_SECONDS if self.reading and self.reading.totals.received else 0.5)

    def _readings(self) -> Readings:
        return Readings(Store.connect(self._settings), has_tenants=self._has_tenants)


class _Screen:
    every_seconds = DRAW_SECONDS

    def __init__(self, live: Live, places: tuple[tuple[str, str], ...]) -> None:
        self._live = live
        self._places = places

    def show(self, reading: Reading | None, trouble: str, running_seconds: float) -> None:
        width, height = self._live.console.size
        frame = Frame(self._places, running_seconds, trouble)
        self._live.update(render(reading, frame, width, height), refresh=True)


class _Lines:
    every_seconds = LINE_SECONDS

    def __init__(self) -> None:
        self._said = ""

    def show(self, reading: Reading | None, trouble: str, running_seconds: float) -> None:
        if reading is None or not reading.totals.received:
            text = "waiting for the first numbers"
        else:
            text = line(reading)
        if trouble:
            text = f"{text} ({printable(trouble)})"
        if text != self._said:
            self._said = text
            print(f"{running_seconds:6.1f} s  {text}", flush=True)
