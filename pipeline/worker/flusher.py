"""Steps 3 to 7 of the chunk protocol, with their I/O: sealed chunks become rows, exactly once.

`Flusher.flush` reads as the protocol. The store is only called in threads, never from the event
loop; a store that is away is tried again until it answers or the assignment is over.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from aiokafka.errors import KafkaError

from pipeline.errors import Halted, StoreRefused, StoreUnavailable, ValueRefused
from pipeline.kafka.faults import may_pass, words
from pipeline.process.logs import SAY_AGAIN_SECONDS, place
from pipeline.protocol.chunks import (
    Commit,
    Lease,
    Offset,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
)
from pipeline.protocol.hooks import Hook, no_hook
from pipeline.protocol.sealed import Announced, Group, announced, sealed_together

if TYPE_CHECKING:
    from pipeline.protocol.ledger import Ledger
    from pipeline.protocol.partition import Chunk
    from pipeline.protocol.rejected import DeadLetters
    from pipeline.worker.set_aside import SetAside
    from pipeline.worker.telemetry.instruments import Instruments

log = logging.getLogger(__name__)
T = TypeVar("T")

COMMIT_TIMEOUT_SECONDS = 15.0
COMMIT_BYTES, OFFSET_BYTES = 500_000, 150
"""What one commit announces: half of the 1,048,588 bytes that Kafka's `message.max.bytes` allows
unless it is set. And what a partition's offset takes beside its metadata, as its topic's name."""
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
PATIENCE_SECONDS = 2 * LONGEST_BACKOFF_SECONDS
"""Away for so long it is said, however lately it was said before."""
STORE_THREADS = 8
"""Inserts of several chunks at once; each is one block, so their order is free."""


class AssignmentOver(Exception):
    """These chunks are no longer ours to commit; whoever has the partition next goes on."""


class GroupLost(AssignmentOver):
    """A commit's result is unknown: the group must be left before the next one."""


class Committer(Protocol):
    """What commits offsets: `pipeline.worker.transport.ConsumerThread`."""

    async def commit_once(
        self, lease: Lease, offsets: Mapping[Source, Offset], timeout_seconds: float
    ) -> Commit:
        """Make one fenced attempt."""


class Flusher:
    """Takes sealed chunks through the protocol."""

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetters,
        rules: str,
        set_aside: SetAside,
        instruments: Instruments,
        hook: Hook = no_hook,
    ) -> None:
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._rules = rules
        self._set_aside = set_aside
        self._instruments = instruments
        self._hook = hook
        self.store_away_since: float | None = None
        """When the store stopped answering, by the loop's clock; None while it answers."""
        self._is_said_away = False
        self._said_away_at = -math.inf
        self._calls: dict[object, float] = {}
        self._turn = asyncio.Lock()
        """One thing at a time: a replay or a loss of one partition, or the flush of others."""
        self.commit_is_out = False
        """Whether a commit was sent that nobody waits for any more: its result is unknown."""
        self._threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
        self._days: set[date] = set()

    async def flush(
        self, chunks: Sequence[Chunk], lease: Lease, committer: Committer
    ) -> Sequence[Chunk]:
        """Count the chunks, of different partitions, and commit them; returns what was counted.

        That is the chunks, but for events that the store refuses: they are rejected instead.
        Raises `AssignmentOver` when they are another's by now, `Halted` when the store refuses
        what a retry cannot heal. Until it returns, the chunks' fate is unknown.
        """
        groups = sealed_together(chunks, self._ledger.shard, lease.late_before)
        return await self.flush_groups(groups, lease, committer)

    async def flush_groups(
        self,
        groups: Sequence[Group],
        lease: Lease,
        committer: Committer,
        mine: Collection[Source] | None = None,
    ) -> Sequence[Chunk]:
        """Do the same for chunks by groups; commit for the partitions of `mine` only, if given.

        Those of others, in a replay, are theirs to commit.
        """
        async with self._turn:
            counted: list[Chunk] = []
            for portion in self._portions(groups):
                counted += await self._flush_portion(portion, lease, committer, mine)
            return counted

    def _portions(self, groups: Sequence[Group]) -> Iterator[list[Group]]:
        """Groups that one commit announces, for the broker writes it as one batch of records."""
        portion: list[Group] = []
        held = 0
        for group in groups:
            each = next(iter(self._intents(announced([group])[:1]).values()))
            size = len(group.chunks) * (len(each.metadata) + OFFSET_BYTES)
            if portion and held + size > COMMIT_BYTES:
                yield portion
                portion, held = [], 0
            portion.append(group)
            held += size
        if portion:
            yield portion

    async def _flush_portion(
        self,
        groups: Sequence[Group],
        lease: Lease,
        committer: Committer,
        mine: Collection[Source] | None,
    ) -> list[Chunk]:
        ledger, named = self._ledger, announced(groups)
        own = [one for one in named if mine is None or one.range.source in mine]
        ends = self._ends([one.range for one in own], lease)
        await self._step("intend", lambda: self._commit(self._intents(own), lease, committer))
        await self._step(
            "record_intent", lambda: self.in_thread(lambda: ledger.record_intents(named))
        )
        inserted = await asyncio.gather(*(self._insert(group) for group in groups))
        self._days |= {one.late_before for one in groups if one.late_before is not None}
        chunks = [chunk for group in inserted for chunk in group.chunks]
        await self._step("dead_letter", lambda: self._send_dead_letters(chunks))
        await self._step("ledger", lambda: self.in_thread(lambda: ledger.record_chunks(chunks)))
        await self._step("commit", lambda: self._commit(ends, lease, committer))
        return chunks

    async def give_up(self, lost: Sequence[Announced], lease: Lease, committer: Committer) -> None:
        """Write down ranges that can never be counted: intended like chunks, then in the ledger.

        Whoever else meets the same loss so writes the same rows. Raises as `flush` does.
        """
        ranges = [one.range for one in lost]
        async with self._turn:
            await self._commit(self._intents(lost), lease, committer)
            await self.in_thread(lambda: self._ledger.record_intents(lost))
            await self.in_thread(lambda: self._ledger.record_lost(ranges))
            for one in ranges:
                self._instruments.lost(one)
            await self._commit(self._ends(ranges, lease), lease, committer)

    async def catch_up(self, ends: Sequence[Range], lease: Lease, committer: Committer) -> None:
        """Commit the ends of ranges that somebody else has counted (step 7). Raises as `flush`."""
        async with self._turn:
            await self._commit(self._ends(ends, lease), lease, committer)

    async def say(
        self, end: Callable[[], Range | None], day: date, lease: Lease, committer: Committer
    ) -> None:
        """Commit a day, with the end of what is counted of a partition. Raises as `flush`.

        It is asked for when nothing else is on its way; None: that cannot be told now.
        """
        async with self._turn:
            at = end()
            if at is None:
                raise AssignmentOver("taken up anew, or under way")
            await self._commit(self._ends([at], lease._replace(late_before=day)), lease, committer)

    def earliest_day(self) -> date | None:
        """Return the earliest day that was inserted under since it was last asked for."""
        days, self._days = self._days, set()
        return min(days, default=None)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call of the store, again and again while the store is away.

        Raises `Halted` when the store refuses what another attempt would not heal.
        """
        try:
            return await self._until_answered(call)
        except StoreRefused as error:
            raise Halted(f"the store refuses what was sent: {error}") from error

    async def _until_answered(self, call: Callable[[], T]) -> T:
        """Raises `StoreRefused`."""
        backoff = _Backoff()
        while True:
            try:
                answer = await self._call(call)
            except StoreUnavailable as error:
                self._instruments.store_failed()
                self._say_away(error)
            except StoreRefused:
                self._say_back()
                raise
            else:
                self._say_back()
                return answer
            await asyncio.sleep(backoff.next())

    async def _call(self, call: Callable[[], T]) -> T:
        loop, key = asyncio.get_running_loop(), object()
        self._calls[key] = loop.time()
        try:
            return await loop.run_in_executor(self._threads, call)
        finally:
            del self._calls[key]

    @property
    def store_call_since(self) -> float | None:
        """When the oldest call that still waits was made, by the loop's clock."""
        return min(self._calls.values(), default=None)

    def close(self) -> None:
        """Let go of the threads; one that hangs in the store is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _intents(self, named: Sequence[Announced]) -> dict[Source, Offset]:
        return {
            r.source: Offset(r.a, intent_metadata(r, self._rules, members, late_before))
            for r, members, late_before in named
        }

    def _ends(self, ranges: Sequence[Range], lease: Lease) -> dict[Source, Offset]:
        day = lease.late_before
        return {r.source: Offset(r.b, commit_metadata(r.incarnation, day)) for r in ranges}

    async def _insert(self, group: Group) -> Group:
        """Insert every table; returns the group without the events whose values are refused."""
        if group.late_before is not None:  # noted already: cancelled, a thread inserts all the same
            self._days.add(group.late_before)
        while True:
            try:
                await self._insert_all(group)
            except ValueRefused as error:
                group = await self._set_aside.rest(group, error, self.in_thread)
            except StoreRefused as error:
                raise Halted(f"the store refuses what was sent: {error}") from error
            else:
                return group

    async def _insert_all(self, group: Group) -> None:
        """Raises `ValueRefused`, before anything is inserted wherever that can be known."""
        ledger, aside = self._ledger, self._set_aside
        inserts = await self._until_answered(lambda: aside.rehearsed(ledger.prepare(group)))
        for insert in inserts:
            await self._step(
                insert.step, partial(self._until_answered, partial(ledger.insert, insert))
            )

    async def _send_dead_letters(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            await self._until_sent(chunk)

    async def _until_sent(self, chunk: Chunk) -> None:
        """Send again while Kafka does not take them: the same key overwrites what had arrived."""
        backoff, said = _Backoff(), ""
        while True:
            try:
                return await self._dead_letters.send(chunk.range.source, chunk.facts.rejections)
            except KafkaError as error:
                if not may_pass(error):
                    raise Halted(
                        f"Kafka refuses the dead letters of {chunk.range}: {words(error)}; "
                        "`usage topics check` says what their topic must be like"
                    ) from error
                if words(error) != said:
                    said = words(error)
                    where = place(chunk.range.source, chunk.range.a, chunk.range.b)
                    log.warning(
                        "the dead letters of %s wait for Kafka, trying again: %s",
                        *(chunk.range, said),
                        extra=where,
                    )
            await asyncio.sleep(backoff.next())

    async def _step(self, step: str, act: Callable[[], Awaitable[object]]) -> None:
        self._hook("before", step)
        with self._instruments.step(step):
            await act()
        self._hook("after", step)

    async def _commit(
        self, offsets: dict[Source, Offset], lease: Lease, committer: Committer
    ) -> None:
        backoff = _Backoff()
        while True:
            self.commit_is_out = True
            try:
                result = await committer.commit_once(lease, offsets, COMMIT_TIMEOUT_SECONDS)
            except KafkaError as error:
                raise Halted(f"Kafka refuses the group's commits: {error}") from error
            self.commit_is_out = False  # not reached when the flush is cancelled meanwhile
            if result is Commit.DONE:
                return
            if result is Commit.UNKNOWN:
                raise GroupLost("a commit's result is unknown")
            if result is Commit.FENCED:
                raise AssignmentOver("the group has moved on")
            await asyncio.sleep(backoff.next())

    def _say_away(self, error: StoreUnavailable) -> None:
        now = asyncio.get_running_loop().time()
        if self.store_away_since is None:
            self.store_away_since = now
        # One that fails now and then is said now and then; how often, metrics tell.
        is_news = now - self._said_away_at >= SAY_AGAIN_SECONDS
        if not self._is_said_away and (is_news or now - self.store_away_since >= PATIENCE_SECONDS):
            log.warning("the store is away, trying again until it answers: %s", error)
            self._is_said_away, self._said_away_at = True, now

    def _say_back(self) -> None:
        self.store_away_since = None
        if self._is_said_away:
            log.info("the store answers again")
            self._is_said_away = False


class _Backoff:
    """Exponential, with full jitter so that workers do not come back in step."""

    def __init__(self) -> None:
        self._ceiling = FIRST_BACKOFF_SECONDS

    def next(self) -> float:
        """Return the seconds to wait before the next attempt."""
        seconds = random.uniform(0, self._ceiling)  # noqa: S311  # nothing secret
        self._ceiling = min(2 * self._ceiling, LONGEST_BACKOFF_SECONDS)
        return max(seconds, 0.01)
