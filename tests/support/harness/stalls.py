"""How a worker is made to stall from within: a blocked loop, a takeover or a stop without an end.

Set by USAGE_HOOK. ``STALL_FILE`` names a file: while it is there, the event loop is blocked at the
next chunk's intent. ``STALL_TAKEOVER``: partitions are never taken up. ``STALL_STOP``: Faust never
stops. ``STALLED_SECONDS`` replaces how long /healthz waits before it calls a worker stuck.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import NoReturn

from pipeline.worker.app import UsageApp
from pipeline.worker.takeover import Takeover
from pipeline.worker.telemetry import health

HOOK = "tests.support.harness.stalls:stall"


def stall(when: str, step: str) -> None:
    """Block while the file is there."""
    file = os.environ.get("STALL_FILE")
    while file and (when, step) == ("before", "intend") and Path(file).exists():
        time.sleep(0.1)  # in the event loop, which is the point


async def _never(*_: object) -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


if "STALL_TAKEOVER" in os.environ:
    Takeover.take = _never  # type: ignore[assignment, method-assign]
if "STALL_STOP" in os.environ:
    UsageApp.stop = _never  # type: ignore[assignment, method-assign]
if "STALLED_SECONDS" in os.environ:
    health.STALLED_SECONDS = float(os.environ["STALLED_SECONDS"])
