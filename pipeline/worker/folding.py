"""The thread that reads: slices become columns there, while the event loop stays free.

There is one for a worker, and one turn for all that must not meet a fold half done. A fold has the
turn from before it looks at its partition until what it read is in the open chunk; sealing, a
scrape and whoever asks where a partition stands take theirs between two folds (`Folding.between`).
So all that was true when folds ran in the loop is true still:

- A partition's records are read in the log's order: one read of all is under way, and the next is
  chosen behind it.
- A chunk is sealed between reads, so that its range is what its columns hold.
- Whoever is cancelled while its read is under way is so behind its end, with the partition moved
  on: nothing is read into a chunk that has been sealed, and nothing is read twice. What was thrown
  away meanwhile, or taken over, is an object that nobody looks at any more; it has a reader and
  columns of its own.
- What a read raises comes out where the fold was asked for. Its chunk is torn
  (`pipeline.protocol.partition`) from before it began, so that no seal that comes first counts it.

The turn is given in the order in which it was asked for: a backlog does not keep the seal waiting.

What only makes readers remember (`Folding.beside`) touches nothing that is sealed or looked at, and
each partition has a reader of its own: several are read at once, in other threads, without a turn.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from pipeline.process.waits import to_its_end
from pipeline.protocol.partition import Read, Reads

T = TypeVar("T")

AT_ONCE = max(1, min(4, os.cpu_count() or 1))
"""Partitions whose ids are read again at the same time."""


class Folding:
    """One worker's thread for reading, and the turns of who must not meet it half way."""

    def __init__(self, thread: Executor | None = None) -> None:
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._beside = thread or ThreadPoolExecutor(AT_ONCE, thread_name_prefix="remember")
        self._turn = asyncio.Lock()

    async def run(self, reads: Reads[T]) -> T:
        """Make a partition's reads in the thread, in their order; returns what they come to.

        Once begun they are made to their end, and a cancellation is raised behind that. Raises
        what a read raises.
        """
        async with self._turn:
            return await to_its_end(self._made(reads, self._thread))

    async def beside(self, several: Collection[Reads[T]]) -> list[T]:
        """Make reads of different partitions at the same time, which have them remember only.

        As `run` does: to their end, of all of them. Raises what the first read raises.
        """
        return await to_its_end(self._all(several))

    async def _all(self, several: Collection[Reads[T]]) -> list[T]:
        made = [asyncio.ensure_future(self._made(reads, self._beside)) for reads in several]
        if made:
            await asyncio.wait(made)
        return [one.result() for one in made]

    async def between(self, look: Callable[[], T]) -> T:
        """Call something in the loop while no read is under way; it must not wait."""
        async with self._turn:
            return look()

    async def _made(self, reads: Reads[T], thread: Executor) -> T:
        loop = asyncio.get_running_loop()
        while True:
            try:
                read = next(reads)
            except StopIteration as end:
                made: T = end.value
                return made
            await loop.run_in_executor(thread, _called, read)


def _called(read: Read) -> None:
    try:
        read()
    except StopIteration as error:  # which no future takes: who waits for it would for ever
        raise RuntimeError("a reader has raised StopIteration") from error
