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

What is little is read in the loop, in a turn of its own: live, over many partitions, the way to the
thread and back costs more than all of the reading.

The turn is given in the order in which it was asked for: a backlog does not keep the seal waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from pipeline.process.waits import to_its_end
from pipeline.protocol.partition import Read, Reads

T = TypeVar("T")


class Folding:
    """One worker's thread for reading, and the turns of who must not meet it half way."""

    def __init__(self, thread: Executor | None = None) -> None:
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._turn = asyncio.Lock()

    async def run(self, reads: Reads[T], *, at_once: bool = False) -> T:
        """Make a partition's reads in the thread, in their order; returns what they come to.

        `at_once`: in the loop, for those that take less than to have them done elsewhere.

        Once begun they are made to their end, and a cancellation is raised behind that. Raises
        what a read raises.
        """
        async with self._turn:
            made = self._made(reads, here=at_once)
            return await (made if at_once else to_its_end(made))

    async def between(self, look: Callable[[], T]) -> T:
        """Call something in the loop while no read is under way; it must not wait."""
        async with self._turn:
            return look()

    async def _made(self, reads: Reads[T], *, here: bool) -> T:
        loop = asyncio.get_running_loop()
        while True:
            try:
                read = next(reads)
            except StopIteration as end:
                made: T = end.value
                return made
            if here:
                _called(read)
            else:
                await loop.run_in_executor(self._thread, _called, read)


def _called(read: Read) -> None:
    try:
        read()
    except StopIteration as error:  # which no future takes: who waits for it would for ever
        raise RuntimeError("a reader has raised StopIteration") from error
