"""Waiting in the event loop: within a time, and until tasks have really ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def now() -> float:
    """Return the running loop's clock, in seconds."""
    return asyncio.get_running_loop().time()


async def within(waiting: Awaitable[object], seconds: float) -> bool:
    """Wait so long at most; say whether it was done by then.

    Not by `asyncio.wait_for`, which drops a cancellation that comes when it is done (Python 3.11).
    """
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return False
    return True


async def cancelled(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancel tasks, but not the one that asks, and wait for their end."""
    current = asyncio.current_task()
    ending = [task for task in tasks if task and not task.done() and task is not current]
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait until it has ended, however often that is cancelled; a cancellation is raised then.

    Raises what it raises; the cancellation then comes where whoever gets that waits next.
    """
    task, asking = asyncio.ensure_future(work), asyncio.current_task()
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is None:
        return task.result()
    if asking is not None and not task.cancelled() and task.exception() is not None:
        asking.uncancel()  # for it is the same one
        asking.cancel()
        return task.result()
    raise cancellation
