"""Users' days, made once a day: what a worker does for it, beside counting.

Each worker looks now and then at what the store says (`pipeline.protocol.settled`). It is entered
there as one of its group, says the day that it is by the store's clock whenever it joins, and asks
for a new assignment once that day is given out no longer. The worker that has the first partition
of requests finds out whether all blocks of an earlier day are in, records that, and settles what is
over. Nothing here is waited for by anything that counts, and nothing counts less without it: what
is not settled is read from quarter hours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from aiokafka.errors import IllegalStateError, KafkaError

from pipeline.errors import BrokerError, Halted, StoreError, StoreRefused, StoreUnavailable
from pipeline.facts.heads import REQUESTS
from pipeline.facts.types import TYPES
from pipeline.protocol.chunks import Lease, Source
from pipeline.protocol.late import open_before, said
from pipeline.protocol.settled import NIGHT
from pipeline.worker.flusher import AssignmentOver

if TYPE_CHECKING:
    from pipeline.protocol.ledger import LedgerReader
    from pipeline.protocol.settled import Settled, State
    from pipeline.settings import Settings
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.transport import ConsumerThread, Days
    from pipeline.worker.work import Work

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 60.0
GIVES_OUT_DAYS = False
"""Whether a worker enters its group in the store, and a day is given out. Off until it has been
tried longer: all rows are written to the users' tables at their insert, and days are settled by the
store's clock alone."""
KAFKA_TIMEOUT_SECONDS = 30.0
_MAY_PASS = (
    AssignmentOver,
    BrokerError,
    IllegalStateError,
    KafkaError,
    StoreUnavailable,
    TimeoutError,
)


def requests_topic(settings: Settings) -> str:
    """Return the full name of the topic whose rows users' days are made of."""
    [topic] = [one.topic for one in TYPES.values() if one.head.table == REQUESTS.table]
    return settings.topic(topic)


class Topics(NamedTuple):
    """What Kafka says of topics, asked anew. Blocking; raises BrokerError."""

    incarnations: Callable[[Sequence[str]], dict[str, str]]
    partitions: Callable[[], Mapping[str, int]]


class Settling:
    """One worker's part in it."""

    def __init__(
        self,
        settings: Settings,
        settled: Settled,
        flusher: Flusher,
        ledger: LedgerReader,
        topics: Topics,
        days: Days,
        batches: Callable[[], ConsumerThread],
        work: Callable[[], Work],
    ) -> None:
        self._group, self._topic = settings.group, requests_topic(settings)
        self._settled = settled
        self._flusher = flusher
        self._ledger = ledger
        self._topics = topics
        self._days = days
        self._consumer = batches
        self._work = work
        self._asked: date | None = None
        # Of its own: a day takes a while, and nothing that counts must wait for it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="settling")

    async def begin(self) -> None:
        """Enter the group before it is joined, so that a day is given out at once."""
        try:
            await self._state()
        except StoreError as error:
            log.warning("users' days: %s", error)

    async def run_forever(self) -> None:
        """Look again and again; what may pass is tried again at the next look."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    await self.look()
                except _MAY_PASS as error:
                    log.debug("users' days were not looked at: %r", error)
        except (StoreRefused, Halted) as error:
            log.error("users' days are not settled by this worker any more: %s", error)  # noqa: TRY400
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """Look once: ask for a new day, record what is over, settle it."""
        state = await self._state()
        await self._ask_for_new_day(state)
        lease = self._work().given
        if lease is not None and Source(self._topic, 0) in self._work().partitions:
            await self._record(state, lease)
            day = await self._in_thread(self._settled.settle_next)
            if day is not None:
                log.info("users' day %s is settled", day)

    async def under(
        self, batches: ConsumerThread, lease: Lease, sources: Sequence[Source]
    ) -> Lease:
        """Return the lease that partitions are taken up under: its day is none that is over.

        The day that was given out, or a later one that the group's offsets say, or the store: a
        generation's day may be earlier, where all workers were restarted and clocks went back.
        None where the group is not entered.
        """
        if lease.late_before is None or all(source.topic != self._topic for source in sources):
            return lease
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            committed = await batches.committed(await batches.with_their_topics(sources))
        try:
            state = await self._flusher.in_thread(self._settled.read)
        except Halted as error:
            log.warning("users' days: %s", error)
            return lease._replace(late_before=None)
        if self._group not in state.groups:
            return lease._replace(late_before=None)
        known = [state.settled, state.groups[self._group], said(committed.values())]
        return lease._replace(late_before=max([lease.late_before, *filter(None, known)]))

    async def _state(self) -> State:
        state = await self._in_thread(self._settled.read)
        if not GIVES_OUT_DAYS:
            return state
        if self._group not in state.groups:
            await self._in_thread(lambda: self._settled.register(self._group))
            state = await self._in_thread(self._settled.read)
        is_entered = self._group in state.groups
        self._days.known = max(state.least(), state.now.date()) if is_entered else None
        return state

    async def _ask_for_new_day(self, state: State) -> None:
        """Join again, once a day, if that brings a later day: then all of the group do."""
        days, today = self._days, (state.now - NIGHT).date()
        if days.known is None or self._work().given is None or self._asked == today:
            return
        if days.said is None or (days.given is not None and days.given < today):
            self._asked = today
            log.info("asking the group for a new assignment, for requests of before %s", today)
            await self._consumer().rejoin()

    async def _record(self, state: State, lease: Lease) -> None:
        """Write down the day of the generation once no block of an earlier one can come.

        None of before the night: a clock that is ahead is none of this store's.
        """
        night = (state.now - NIGHT).date()
        day = night if lease.late_before is None else min(lease.late_before, night)
        if self._group not in state.groups or day <= state.groups[self._group]:
            return
        incarnations = await self._in_thread(lambda: self._topics.incarnations([self._topic]))
        partitions = (await self._in_thread(self._topics.partitions))[self._topic]
        sources, ledger = [Source(self._topic, p) for p in range(partitions)], self._ledger
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            committed = await self._consumer().committed(sources)
        intents = await self._in_thread(lambda: ledger.intents(sources, incarnations))
        everything = sorted({*sources, *intents})
        covered = await self._in_thread(lambda: ledger.covered(everything, intents, incarnations))
        waits_for = open_before(
            day,
            {source.partition: offset for source, offset in committed.items()},
            {source.partition: intent for source, intent in intents.items()},
            {
                source.partition: known.to
                for source, known in zip(everything, covered, strict=True)
                if known.to is not None
            },
            incarnations[self._topic],
        )
        if waits_for is not None:
            log.debug("%s has a chunk open of before %s", Source(self._topic, waits_for), day)
            return
        await self._work().say_day(Source(self._topic, 0), day, lease)
        await self._in_thread(lambda: self._settled.over(self._group, day))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
