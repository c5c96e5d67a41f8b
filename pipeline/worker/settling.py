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
from pipeline.protocol.settled import AGAIN, DAY, NIGHT, Workers
from pipeline.worker.flusher import AssignmentOver

if TYPE_CHECKING:
    from pipeline.protocol.ledger import LedgerReader
    from pipeline.protocol.settled import Settled, State
    from pipeline.settings import Settings
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.telemetry.instruments import Instruments
    from pipeline.worker.transport import ConsumerThread, Days
    from pipeline.worker.work import Work

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 60.0
GIVES_OUT_DAYS = True
"""Whether a worker enters its group in the store, and a day is given out. Off, all rows are written
to the users' tables at their insert, and days are settled by the store's clock alone."""
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


class Kafka(NamedTuple):
    """What Kafka says of itself and of topics, asked anew. Blocking; raises BrokerError."""

    cluster_id: Callable[[], str]
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
        kafka: Kafka,
        days: Days,
        instruments: Instruments,
        batches: Callable[[], ConsumerThread],
        work: Callable[[], Work],
    ) -> None:
        self._group, self._topic = settings.group, requests_topic(settings)
        self._settled = settled
        self._flusher = flusher
        self._ledger = ledger
        self._kafka = kafka
        self._days = days
        self._instruments = instruments
        self._consumer = batches
        self._work = work
        self._workers: Workers | None = None
        self._asked: date | None = None
        self._inserted: date | None = None
        """The earliest day of what was inserted since it was last settled again."""
        self._again: date | None = None
        """That of what was so once, and is settled again once more."""
        self._looked_back: date | None = None
        """What was settled when it was last looked for what others had left."""
        self._said = ""
        # Of its own: a day takes a while, and nothing that counts must wait for it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="settling")

    async def begin(self) -> None:
        """Enter the group before it is joined, so that a day is given out at once."""
        try:
            await self._state()
        except (BrokerError, StoreError) as error:
            log.warning("users' days: %s", error)

    async def run_forever(self) -> None:
        """Look again and again; what may pass is tried again at the next look."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    await self.look()
                except (StoreRefused, Halted) as error:
                    self._say(error)
                except _MAY_PASS as error:
                    log.debug("users' days were not looked at: %r", error)
                    if isinstance(error, StoreUnavailable) and error.is_of_request:
                        self._say(error)  # too large, or too long, as it may be the next time
                except Exception:
                    log.exception("users' days were not looked at")
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """Look once: ask for a new day, record what is over, settle it."""
        state = await self._state()
        self._instruments.users_days(state.behind)
        await self._ask_for_new_day(state)
        await self._settle_what_came_late(state)
        lease = self._work().given
        if lease is not None and self._is_first:
            await self._record(state, lease)
            day = await self._in_thread(self._settled.settle_next)
            if day is not None:
                log.info("users' day %s is settled", day)
                self._looked_back = day + DAY

    async def under(self, batches: ConsumerThread, lease: Lease) -> Lease:
        """Return the lease that partitions are taken up under: its day is none that is over.

        The day that was given out, or a later one that the group's offsets say, or the store: a
        generation's day may be earlier, where all workers were restarted and clocks went back.
        None where the group is not entered.
        """
        if lease.late_before is None:
            return lease
        # Whatever is taken up: it is the requests that are counted under it.
        requests = [Source(self._topic, 0)]
        async with asyncio.timeout(KAFKA_TIMEOUT_SECONDS):
            committed = await batches.committed(await batches.with_their_topics(requests))
        try:
            state = await self._flusher.in_thread(self._settled.read)
        except Halted as error:
            log.warning("users' days: %s", error)
            return lease._replace(late_before=None)
        if not self._may_be_given(state):
            return lease._replace(late_before=None)
        known = [lease.late_before, state.least(), said(committed.values())]
        return lease._replace(late_before=max(filter(None, known)))

    @property
    def _is_first(self) -> bool:
        """Whether it has the partition whose worker records days, and settles them."""
        return Source(self._topic, 0) in self._work().partitions

    async def _state(self) -> State:
        state = await self._in_thread(self._settled.read)
        if not GIVES_OUT_DAYS:
            return state
        if self._workers is None and state.has_begun:
            cluster = await self._in_thread(self._kafka.cluster_id)
            if cluster:  # otherwise it could be taken for another Kafka
                self._workers = Workers(self._group, self._topic, cluster)
        workers = self._workers
        may_enter = workers not in state.groups and state.keeps_long_enough
        if workers is not None and may_enter:
            await self._in_thread(lambda: self._settled.register(workers))
            state = await self._in_thread(self._settled.read)
        self._days.known = state.least() if self._may_be_given(state) else None
        return state

    def _may_be_given(self, state: State) -> bool:
        """Whether a day may be given out: the group is entered, and quarter hours are there."""
        return self._workers in state.groups and state.keeps_long_enough

    async def _ask_for_new_day(self, state: State) -> None:
        """Join again, once a day, if that brings another day: then all of the group do.

        The first worker asks, so that the group joins again once; the others half an hour later,
        should that not have brought it.
        """
        today = state.night if self._is_first else (state.now - 2 * NIGHT).date()
        if self._work().given is None or self._asked == today:
            return
        if self._brings_another(today):
            self._asked = today
            log.info("asking the group for a new assignment, for requests of before %s", today)
            await self._consumer().rejoin()

    def _brings_another(self, today: date) -> bool:
        days = self._days
        if days.known is None:
            return days.given is not None
        return days.said is None or (days.given is not None and days.given < today)

    async def _settle_what_came_late(self, state: State) -> None:
        """Add what was inserted since as not late to days that are settled, if anything was.

        A replay, whose day is its intent's, of a group that nobody waited for. At the first look,
        and where others settle days instead of this worker, what they may have left: one of a
        release of before adds no latencies to a month.
        """
        self._inserted = _earliest(self._inserted, self._flusher.earliest_day())
        since = _earliest(self._again, self._inserted)
        may_lack = self._looked_back is None or (
            self._is_first and self._looked_back < state.settled
        )
        if state.has_begun and may_lack:
            since = _earliest(since, state.settled - AGAIN)
        if since is not None and since < state.settled:
            for day in await self._in_thread(lambda: self._settled.settle_again(since)):
                log.info("users' day %s is settled again: some of it was inserted behind it", day)
        self._again, self._inserted = self._inserted, None
        if may_lack:
            self._looked_back = state.settled

    async def _record(self, state: State, lease: Lease) -> None:
        """Write down the day of the generation once no block of an earlier one can come.

        None of before the night: a clock that is ahead is none of this store's.
        """
        workers = self._workers
        day = state.night if lease.late_before is None else min(lease.late_before, state.night)
        if workers is None or workers not in state.groups or day <= state.groups[workers]:
            return
        incarnations = await self._in_thread(lambda: self._kafka.incarnations([self._topic]))
        partitions = (await self._in_thread(self._kafka.partitions))[self._topic]
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
        await self._in_thread(lambda: self._settled.over(workers, day))

    def _say(self, error: Exception) -> None:
        """Say it once, as long as it is the same."""
        if str(error) != self._said:
            log.error("users' days are not settled by this worker for now: %s", error)
        self._said = str(error)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _earliest(*days: date | None) -> date | None:
    return min(filter(None, days), default=None)
