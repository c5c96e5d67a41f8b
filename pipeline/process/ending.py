"""SIGTERM and SIGINT for a process with an event loop, which may be blocked when they come.

A thread waits for them, so that a second one, or too long a wait after the first, ends the process
whatever its main thread hangs in.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

SAYING_SECONDS = 1.0
"""A log that blocks must not hold up the end."""


class Ending:
    """Calls ``ask``, in a thread, at the first signal; ends the process at the second.

    The second may also be ``within_seconds`` without an end. Make it in the main thread, once.
    """

    def __init__(self, ask: Callable[[], object], within_seconds: float) -> None:
        self._ask = ask
        self._within_seconds = within_seconds
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        # The interpreter's own handler writes the signal's number here, at any instant; a handler
        # in Python would wait for whatever the main thread is in.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def _watch(self) -> None:
        number = os.read(self._reader, 1)[0]
        self._ask()
        again, _, _ = select.select([self._reader], [], [], self._within_seconds)
        if not again:
            self._say_late()
        os._exit(128 + number)

    def _say_late(self) -> None:
        what = "did not stop within %g s: ended as it is, whoever goes on counts what it held"
        saying = threading.Thread(target=log.error, args=(what, self._within_seconds), daemon=True)
        saying.start()
        saying.join(SAYING_SECONDS)
