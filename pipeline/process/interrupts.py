"""SIGINT and SIGTERM as something to wait for, in processes without an event loop.

Not a `threading.Event`: a handler runs in the main thread between any two of its instructions, and
setting an event there blocks for good if that thread was just then taking the event's lock.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType


class Interrupts:
    """Counts SIGINT and SIGTERM from its creation on; make it in the main thread, once."""

    def __init__(self) -> None:
        self.count = 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def __bool__(self) -> bool:
        return self.count > 0

    def wait(self, seconds: float) -> bool:
        """Wait until the first of them, so many seconds at most; whether there was one."""
        if not self.count:
            select.select([self._reader], [], [], max(0.0, seconds))
        return self.count > 0

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1:
            os.write(self._writer, b"!")
