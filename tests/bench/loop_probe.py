"""Measures, inside a worker, how late its event loop wakes: a hook, loaded by ``USAGE_HOOK``.

Each wake-up that is late goes into the file that ``BENCH_STALLS`` names: when it was due (epoch
seconds) and by how many seconds it was late.
"""

from __future__ import annotations

import asyncio
import os
import time

EVERY_SECONDS = 0.005
LATE_SECONDS = 0.002
_tasks: set[asyncio.Task[None]] = set()


def hook(when: str, step: str) -> None:
    """Begin with the first step that the worker takes."""
    if not _tasks:
        _tasks.add(asyncio.get_running_loop().create_task(_watch()))


async def _watch() -> None:
    with open(os.environ["BENCH_STALLS"], "a", buffering=1) as stalls:  # noqa: ASYNC230, PTH123
        while True:
            due = time.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            late = time.time() - due
            if late > LATE_SECONDS:
                stalls.write(f"{due:.4f} {late:.4f}\n")
