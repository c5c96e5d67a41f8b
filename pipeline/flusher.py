"""Steps 3 to 7 of `pipeline.chunks`, with their I/O: sealed chunks become rows, exactly once.

`Flusher.flush` reads as the protocol. The store is only called in threads, never from the event
loop; a store that is away is tried again until it answers or the assignment is over.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.chunks import Commit, Lease, Source, commit_metadata, intent_metadata
from pipeline.commits import Offset
from pipeline.errors import Halted, StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from pipeline.dead_letter import DeadLetters
    from pipeline.ledger import Ledger
    from pipeline.partitions import Chunk

log = logging.getLogger(__name__)
T = TypeVar("T")

COMMIT_TIMEOUT_SECONDS = 15.0
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
STORE_THREADS = 4
"""Inserts of several chunks at once; each is one block, so their order is free."""


class AssignmentOver(Exception):
    """These chunks are no longer ours to commit; whoever has the partition next goes on."""


class GroupLost(AssignmentOver):
    """A commit's result is unknown: the group must be left before the next one."""


class Committer(Protocol):
    """What commits offsets: `pipeline.transport.BatchThread`."""

    async def commit_once(
        self, lease: Lease, offsets: Mapping[Source, Offset], timeout_seconds: float
    ) -> Commit:
        """Make one fenced attempt."""


class Hook(Protocol):
    """Called before and after every step; fault tests kill the process in it."""

    def __call__(self, when: str, step: str) -> None:
        """Be told of a step: `when` is before or after."""


def no_hook(when: str, step: str) -> None:
    """Do nothing."""


class Flusher:
    """Takes sealed chunks through the protocol."""

    def __init__(
        self, ledger: Ledger, dead_letters: DeadLetters, rules: str, hook: Hook = no_hook
    ) -> None:
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._rules = rules
        self._hook = hook
        self._threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
        self._store_away = False

    async def flush(self, chunks: Sequence[Chunk], lease: Lease, committer: Committer) -> None:
        """Count the chunks, of different partitions, and commit them.

        Raises `AssignmentOver` when they are another's by now, `Halted` when the store refuses
        what a retry cannot heal. Until it returns, the chunks' fate is unknown.
        """
        await self._step("intend", lambda: self._commit(self._intents(chunks), lease, committer))
        await self._step("record_intent", lambda: self._store(self._record_intents, chunks))
        await asyncio.gather(*(self._insert(chunk) for chunk in chunks))
        await self._step("dead_letter", lambda: self._send_dead_letters(chunks))
        await self._step("ledger", lambda: self._store(self._ledger.record_chunks, chunks))
        await self._step("commit", lambda: self._commit(self._ends(chunks), lease, committer))

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call of the store, again and again while the store is away."""
        return await self._store(lambda _: call(), None)

    def close(self) -> None:
        """Let go of the threads; one that hangs in the store is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _intents(self, chunks: Sequence[Chunk]) -> dict[Source, Offset]:
        return {
            chunk.range.source: Offset(chunk.range.a, intent_metadata(chunk.range, self._rules))
            for chunk in chunks
        }

    def _ends(self, chunks: Sequence[Chunk]) -> dict[Source, Offset]:
        return {
            chunk.range.source: Offset(chunk.range.b, commit_metadata(chunk.range.incarnation))
            for chunk in chunks
        }

    def _record_intents(self, chunks: Sequence[Chunk]) -> None:
        self._ledger.record_intents([chunk.range for chunk in chunks])

    async def _insert(self, chunk: Chunk) -> None:
        await self._step("insert:facts", lambda: self._store(self._ledger.insert_facts, chunk))
        await self._step(
            "insert:outcomes", lambda: self._store(self._ledger.insert_outcomes, chunk)
        )

    async def _send_dead_letters(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            await self._dead_letters.send(chunk.range.source, chunk.facts.rejections)

    async def _step(self, step: str, act: Callable[[], Awaitable[None]]) -> None:
        self._hook("before", step)
        await act()
        self._hook("after", step)

    async def _commit(
        self, offsets: dict[Source, Offset], lease: Lease, committer: Committer
    ) -> None:
        backoff = _backoff()
        while True:
            result = await committer.commit_once(lease, offsets, COMMIT_TIMEOUT_SECONDS)
            if result is Commit.DONE:
                return
            if result is Commit.UNKNOWN:
                raise GroupLost("a commit's result is unknown")
            if result is Commit.FENCED:
                raise AssignmentOver("the group has moved on")
            await asyncio.sleep(next(backoff))

    async def _store(self, call: Callable[[T], object], argument: T) -> object:
        """Call the store in a thread until it answers."""
        loop = asyncio.get_running_loop()
        backoff = _backoff()
        while True:
            try:
                answer = await loop.run_in_executor(self._threads, call, argument)
            except StoreUnavailable as error:
                self._say_away(error)
                await asyncio.sleep(next(backoff))
            except StoreRefused as error:
                raise Halted(f"the store refuses what was sent: {error}") from error
            else:
                self._say_back()
                return answer

    def _say_away(self, error: StoreUnavailable) -> None:
        if not self._store_away:
            log.warning("the store is away, trying again until it answers: %s", error)
        self._store_away = True

    def _say_back(self) -> None:
        if self._store_away:
            log.info("the store answers again")
        self._store_away = False


class _backoff:  # noqa: N801  # an iterator of seconds
    """Exponential, with full jitter so that workers do not come back in step."""

    def __init__(self) -> None:
        self._ceiling = FIRST_BACKOFF_SECONDS

    def __next__(self) -> float:
        seconds = random.uniform(0, self._ceiling)  # noqa: S311  # nothing secret
        self._ceiling = min(2 * self._ceiling, LONGEST_BACKOFF_SECONDS)
        return max(seconds, 0.01)
