"""How often a caller may ask, and how much at once; each API process counts for itself."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from pipeline.access.decision import Reason
from pipeline.api.problems import Problem

WAIT_SECONDS = 1.0
"""How long a query waits for one of the caller's own to end: a page asks for all at once."""

MOST_WAITING = 32
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """How a caller stands after a request."""

    allowed: bool
    remaining: int
    reset_seconds: int


class Limits:
    """Requests by the minute, and queries at once, of each caller."""

    def __init__(self, requests_per_minute: int, queries_at_once: int) -> None:
        self.requests_per_minute = requests_per_minute
        self.queries_at_once = queries_at_once
        self._item = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def hit(self, user: str) -> Rate:
        """Count a request of the caller's."""
        allowed = self._limiter.hit(self._item, user)
        stats = self._limiter.get_window_stats(self._item, user)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        return Rate(allowed, max(0, stats.remaining), min(reset, _MINUTE))

    def headers(self, rate: Rate) -> dict[str, str]:
        """What tells the caller how they stand (IETF draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"default";q={self.requests_per_minute};w={_MINUTE}',
            "RateLimit": f'"default";r={rate.remaining};t={rate.reset_seconds}',
        }

    def refuse(self, rate: Rate) -> Problem:
        """The answer to a request too many."""
        return Problem(
            429,
            f"more than {self.requests_per_minute:,} requests in a minute; "
            f"try again in {rate.reset_seconds} s",
            reason=Reason.RATE,
            headers={"Retry-After": str(rate.reset_seconds)},
        )

    @asynccontextmanager
    async def query(self, user: str) -> AsyncIterator[None]:
        """Hold one of the caller's queries for the block.

        Raises:
            Problem: 429, none came free within `WAIT_SECONDS`.
        """
        if self._running[user] >= self.queries_at_once:
            await self._wait(user)
        else:
            self._running[user] += 1
        try:
            yield
        finally:
            self._give_back(user)

    async def _wait(self, user: str) -> None:
        queue = self._waiting.setdefault(user, [])
        busy = Problem(
            429,
            f"{self.queries_at_once} of your queries run already; try again when one has ended",
            reason=Reason.BUSY,
            headers={"Retry-After": "1"},
        )
        if len(queue) >= MOST_WAITING:
            raise busy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await asyncio.wait({turn}, timeout=WAIT_SECONDS)
        except asyncio.CancelledError:
            if turn.done():
                self._give_back(user)
            raise
        finally:
            if turn in queue:
                queue.remove(turn)
            if not queue:
                self._waiting.pop(user, None)
        if not turn.done():
            raise busy

    def _give_back(self, user: str) -> None:
        """Pass a query on to who waits longest, or let it go."""
        queue = self._waiting.get(user)
        if queue:
            queue.pop(0).set_result(None)
            return
        self._running[user] -= 1
        if not self._running[user]:
            del self._running[user]
