"""The live windows in a thread of their own, so that many tenants never hold up the event loop.

Whoever has 10,000 tenants has as many sums in each window: moving all of them on by a minute, or
labelling them for a scrape, takes tens of milliseconds. So the loop only says what has happened, in
the order in which it does, and a thread does it in that order: what is seen is how things stood in
the loop when it was asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from pipeline.facts.interface import Minutes
from pipeline.protocol.chunks import Source
from pipeline.worker.live.windows import Live, Totals, Window

T = TypeVar("T")


class Seen(NamedTuple):
    """What a scrape sees of tenants."""

    windows: Mapping[Window, Totals]
    """By label."""
    totals: Totals
    """By label."""
    overflowing: int
    """Tenants that share a label."""


class LiveThread:
    """One worker's `Live`; for the event loop, but for what `look` returns.

    `fail` hears, in the loop, of an error of its own.
    """

    def __init__(
        self,
        limit: int,
        allowed: Collection[str] = (),
        fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._live = Live(limit, allowed)
        self._fail = fail
        self._restored: set[Source] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")

    def restored(self, source: Source, minutes: Minutes) -> None:
        """See ``Live``."""
        self._restored.add(source)
        self._do(partial(self._live.restored, source, minutes))

    def keep(self, sources: Iterable[Source]) -> None:
        """See ``Live``."""
        kept = set(sources)
        self._restored &= kept
        self._do(partial(self._live.keep, kept))

    def forget(self, source: Source) -> None:
        """See ``Live``."""
        self._restored.discard(source)
        self._do(partial(self._live.forget, source))

    def is_restored(self, source: Source) -> bool:
        """See ``Live``."""
        return source in self._restored

    def counted(self, source: Source, minutes: Minutes) -> None:
        """See ``Live``. The minutes are not changed any more."""
        self._do(partial(self._live.counted, source, minutes))

    def advance(self, now_seconds: float) -> None:
        """See ``Live``."""
        self._do(partial(self._live.advance, now_seconds))

    def look(self, open_chunks: Sequence[Minutes]) -> Future[Seen]:
        """See what all say that was told by now, with what is in the open chunks.

        Those are not changed any more. Any thread may wait for it.
        """
        return self._told(self._thread.submit(self._seen, time.time(), open_chunks))

    def close(self) -> None:
        """Let go of the thread; nothing may be said or asked any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _seen(self, now_seconds: float, open_chunks: Sequence[Minutes]) -> Seen:
        windows = self._live.windows(now_seconds, open_chunks)
        return Seen(windows, self._live.totals.copy(), self._live.overflowing)

    def _do(self, call: Callable[[], object]) -> None:
        self._told(self._thread.submit(call))

    def _told(self, done: Future[T]) -> Future[T]:
        done.add_done_callback(partial(self._ended, asyncio.get_running_loop()))
        return done

    def _ended(self, loop: asyncio.AbstractEventLoop, done: Future[T]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None and self._fail is not None:
            loop.call_soon_threadsafe(self._fail, error)
