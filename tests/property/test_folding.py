"""Folds in a thread, and all that may come while one is under way: each offset counts exactly once.

The worker's own parts (`Work`, `Partition`, `Folding`, `Rebuild`) over a log of offsets. The thread
is the test's: a read ends when the test says so, and has touched its columns before that, or not
until then; or it fails half way. Meanwhile chunks are sealed, scraped, committed and given up,
partitions are taken away, counted elsewhere and given back, and who waits for a read is cancelled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import Any, Self, cast
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.facts.interface import Facts, Head, Log, parsed
from pipeline.facts.python_facts import PythonFacts, own
from pipeline.protocol.chunks import Lease, Plan, Source
from pipeline.protocol.fetched import Fetched
from pipeline.protocol.partition import Chunk
from pipeline.settings import load
from pipeline.worker import rebuild, work
from pipeline.worker.flusher import AssignmentOver
from pipeline.worker.folding import Folding
from pipeline.worker.live import Live
from pipeline.worker.rebuild import Rebuild
from pipeline.worker.takeover import Taken
from pipeline.worker.telemetry.instruments import Instruments
from pipeline.worker.transport import Start
from pipeline.worker.work import Work
from tests.support.harness.examples import examples

TOPIC = "usage.requests"
SOURCES = [Source(TOPIC, 0), Source(TOPIC, 1)]
W = 5
TURNS = 15
"""Of the loop, after which all has happened that waits for nothing."""


class Bug(Exception):
    """What a reader that fails raises."""


class Offsets:
    """A reader whose rows are the records' offsets; it is never made to go back, or to jump."""

    head = Head("offsets_in", (("offset", "Int64"),))

    def __init__(self, world: World) -> None:
        self._world = world
        self._next: int | None = None

    def facts(self) -> PythonFacts:
        return PythonFacts(self.head)

    def read(self, log: Log, into: Facts) -> None:
        for offset in self._offsets(log):
            own(into).columns[0].extend(cast("Any", [offset]))
            own(into).received += 1
            if self._world.fails_at == offset:
                raise Bug

    def remember(self, log: Log) -> None:
        for _ in self._offsets(log):
            pass

    def continue_after(self, end: int) -> None:
        raise NotImplementedError

    def _offsets(self, log: Log) -> list[int]:
        offsets = [record.offset for record in parsed(log)]
        assert self._next in (None, offsets[0]), "in the log's order"
        self._next = offsets[-1] + 1
        return offsets


class Hands(Executor):
    """A thread that reads when it is told to; what it was given to read early, it has read."""

    def __init__(self) -> None:
        self.is_early = True
        self._given: deque[tuple[Callable[[], object], Future[Any]]] = deque()

    @property
    def is_busy(self) -> bool:
        return bool(self._given)

    def submit(self, call: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        assert not self._given, "one read at a time"
        future: Future[Any] = Future()
        self._given.append((_said(call, *args) if self.is_early else lambda: call(*args), future))
        return future

    def release(self) -> None:
        if not self._given:
            return
        call, future = self._given.popleft()
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # as a thread does
            future.set_exception(error)


def _said(call: Callable[..., Any], *args: Any) -> Callable[[], object]:
    """Call it, and return what says what came of that."""
    try:
        result = call(*args)
    except BaseException as error:  # noqa: BLE001
        failure = error

        def failed() -> object:
            raise failure

        return failed
    return lambda: result


class World:
    """Kafka, the group, the store, and one worker."""

    def __init__(self) -> None:
        self.hands, self.failures = Hands(), list[BaseException]()
        self.fails_at: int | None = None
        self.counted: dict[Source, list[int]] = {source: [] for source in SOURCES}
        self.gates: dict[Source, list[int]] = {}
        """Epoch, and the position that is handed out next."""
        self.generation, self._is_assigned = 0, False
        self.queue: asyncio.Queue[Fetched] = asyncio.Queue()
        self.flushes: list[tuple[Sequence[Chunk], asyncio.Future[bool]]] = []
        self.past_may_go = asyncio.Event()
        folding = Folding(self.hands)
        instruments = Instruments(CollectorRegistry())
        settings_ = load({"USAGE_SETTLE_SECONDS": "0"})
        self.work = Work(
            settings_,
            flusher=cast("Any", self),
            takeover=cast("Any", self),
            rebuild=Rebuild(settings_, W, instruments, folding),
            folding=folding,
            ledger=cast("Any", SimpleNamespace(shard=lambda _: 0)),
            live=cast("Any", _Restored(10)),
            instruments=instruments,
            new_reader=lambda _: Offsets(self),
            batches=lambda: cast("Any", self),
            fail=self.failures.append,
        )
        self.tasks: dict[str, asyncio.Task[Any]] = {}

    # As the flusher, the takeover and the consumer's thread ----------------------------------

    commit_is_out = False

    async def flush(self, chunks: Sequence[Chunk], lease: Lease, _: object) -> Sequence[Chunk]:
        is_counted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.flushes.append((chunks, is_counted))
        if not await is_counted or lease.generation != self.generation:
            raise AssignmentOver("the group has moved on")
        for chunk in chunks:
            rows = list(chunk.facts.columns[0])
            assert rows == list(range(chunk.range.a, chunk.range.b)), "what its range says"
            assert chunk.range.a == len(self.counted[chunk.range.source]), "it follows"
            self.counted[chunk.range.source] += cast("Any", rows)
        return chunks

    def close(self) -> None:
        pass

    async def take(self, _: object, __: Lease, sources: Sequence[Source], *___: object) -> Any:
        await asyncio.sleep(0)
        plans = [(source, Plan(len(self.counted[source]))) for source in sources]
        return [Taken(source, "incarnation", plan, 0) for source, plan in plans], []

    async def open(self, lease: Lease, starts: Mapping[Source, Start]) -> None:
        if lease.generation == self.generation:
            self.gates |= {source: [*start] for source, start in starts.items()}

    async def close_gates(self) -> None:
        self.gates = {}

    async def look_at_log_ends(self, _: object) -> None:
        pass

    def log_end(self, _: Source) -> int:
        return 0

    # What happens ----------------------------------------------------------------------------

    def feed(self, source: Source, records: int) -> None:
        """Fetch something of an open partition."""
        gate = self.gates.get(source)
        if gate is not None:
            epoch, start = gate
            gate[1] = end = start + records
            self.queue.put_nowait(Fetched(source, epoch, start, end, _records(start, end)))

    def begin(self, name: str, make: Callable[[], Any]) -> None:
        """Begin something, unless it is going on already."""
        task = self.tasks.get(name)
        if task is None or task.done():
            self.tasks[name] = asyncio.create_task(make())

    async def agent(self) -> None:
        async def step(batch: Fetched) -> None:
            async for partition, piece in self.work.pieces(batch):
                await self.work.fold(partition, piece)

        while True:
            await self.work.run(await self.queue.get(), step)

    def settle(self, is_counted: bool) -> None:
        """Let a flush end."""
        for _, waiting in self.flushes:
            if not waiting.done():
                waiting.set_result(is_counted)

    def revoke(self) -> None:
        if self._may_rebalance() and self._is_assigned:
            self.gates, self.generation, self._is_assigned = {}, self.generation + 1, False
            self.begin("rebalance", self.work.on_revoked)

    def assign(self) -> None:
        if self._may_rebalance() and not self._is_assigned:
            self.generation, self._is_assigned = self.generation + 1, True
            lease = Lease(self.generation, "me")
            self.begin("rebalance", lambda: self.work.on_assigned(lease, SOURCES))

    def elsewhere(self, source: Source, records: int) -> None:
        """Let another worker count something, where this one has nothing to say."""
        if self._may_rebalance() and not self._is_assigned:
            counted = self.counted[source]
            counted.extend(range(len(counted), len(counted) + records))

    async def scrape(self) -> None:
        def look() -> None:
            for partition in self.work.partitions.values():
                if not self.failures:
                    rows = list(partition.facts.columns[0])
                    assert rows == list(range(partition.start, partition.position))

        await self.work.folding.between(look)

    @property
    def is_busy(self) -> bool:
        """Say whether something waits to be read, to be taken by the agent, or to be counted."""
        flushing = any(not waiting.done() for _, waiting in self.flushes)
        return flushing or self.hands.is_busy or not self.queue.empty()

    def _may_rebalance(self) -> bool:
        """Say whether the last one is over: Faust makes one at a time."""
        task = self.tasks.get("rebalance")
        return task is None or task.done()

    async def pause(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in self.tasks.values():
            if task.done() and not task.cancelled():
                task.result()


class _Restored(Live):
    def is_restored(self, source: Source) -> bool:
        return True


class Due:
    """Rounds that are due whenever somebody asks."""

    longest_seconds = 3600.0

    def __init__(self, *_: object) -> None:
        pass

    def seconds_left(self, _: float) -> float:
        return 3600

    def is_due(self, _: float, *, is_little: bool) -> bool:
        return True

    def ended(self, *_: object) -> None:
        pass


class Past:
    """What lies before partitions, a few records at a time."""

    world: World

    def __init__(self, _: object, starts: Mapping[Source, int], *__: object) -> None:
        self._at = dict(starts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, _: float) -> list[Fetched]:
        await asyncio.sleep(0)
        batches = []
        for source, at in self._at.items():
            self._at[source] = at + 2
            batches.append(Fetched(source, 0, at, at + 2, _records(at, at + 2)))
        return batches

    def finish(self, source: Source) -> None:
        del self._at[source]


def _records(start: int, end: int) -> list[Any]:
    return [SimpleNamespace(offset=n, value=b"1") for n in range(start, end)]


source_ = st.sampled_from(SOURCES)
few = st.integers(1, 7)
actions = st.one_of(
    *[st.tuples(st.just("feed"), source_, few)] * 3,
    *[st.tuples(st.just("release"), st.booleans())] * 3,
    *[st.tuples(st.sampled_from(["seal", "scrape", "revoke", "assign", "cancel"]))] * 2,
    st.tuples(st.just("settle"), st.booleans()),
    st.tuples(st.just("elsewhere"), source_, few),
)
scripts = st.lists(st.tuples(actions, st.integers(0, 6)), min_size=20, max_size=60)
"""What happens, and how many turns of the loop go by behind each."""

LIKELY = settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))


async def play(world: World, script: Sequence[tuple[tuple[Any, ...], int]]) -> None:
    world.assign()
    world.begin("agent", world.agent)
    world.begin("flushing", world.work.flush_forever)
    await world.pause(TURNS)
    for (action, *given_), turns in script:
        if world.failures:
            return
        await act(world, action, *given_)
        await world.pause(turns)


async def act(world: World, action: str, *given_: Any) -> None:
    if action == "feed":
        world.feed(*given_)
    elif action == "release":
        world.hands.is_early = given_[0]
        world.hands.release()
    elif action == "seal":
        world.work._due.set()
    elif action == "scrape":
        world.begin("scrape", world.scrape)
    elif action == "settle":
        world.settle(*given_)
    elif action == "cancel":
        world.tasks["agent"].cancel()
        world.tasks[f"cancelled {len(world.tasks)}"] = world.tasks.pop("agent")
        world.begin("agent", world.agent)  # beside it, which ends when it may
    elif action == "elsewhere":
        world.elsewhere(*given_)
    else:
        {"revoke": world.revoke, "assign": world.assign}[action]()


async def calm(world: World, last: asyncio.Future[Any] | None = None) -> None:
    """Let all come to its end that has begun, and a last thing with it."""
    await world.pause(TURNS)
    for _ in range(1000):
        if not world.is_busy and (last is None or last.done()):
            return
        world.hands.release()
        world.settle(is_counted=True)
        await world.pause(TURNS)
    raise AssertionError("something waits for ever")


def run(test: Coroutine[Any, Any, None]) -> None:
    some = patch.object(rebuild, "Past", Past), patch.object(work, "Rounds", Due)
    at_once = patch.object(work, "is_little", lambda piece: piece.start % 3 == 0)
    with some[0], some[1], at_once, patch.object(work, "PIECE_BYTES", 3):
        asyncio.run(test)


async def finish(world: World) -> None:
    for task in world.tasks.values():
        task.cancel()
    await asyncio.gather(*world.tasks.values(), *world.work._taking_up, return_exceptions=True)


@LIKELY
@given(scripts)
def test_each_offset_counts_once_whatever_comes_while_it_is_read(
    script: list[tuple[tuple[Any, ...], int]],
) -> None:
    async def go() -> None:
        world = World()
        await play(world, script)
        await calm(world)
        world.revoke()  # as follows where the group has moved on
        await calm(world)
        world.assign()
        await calm(world)
        for source in [*SOURCES, *SOURCES]:  # the first may show that a batch was lost
            world.feed(source, 3)
            await calm(world)
        world.work._due.set()
        await calm(world)
        assert world.failures == []
        for source, (_, position) in world.gates.items():
            assert world.counted[source] == list(range(position)), "all of it, and once"
            assert position, "it goes on"
        await finish(world)

    run(go())


@LIKELY
@given(scripts, st.integers(0, 20))
def test_nothing_that_a_failing_read_has_left_is_counted(
    script: list[tuple[tuple[Any, ...], int]], offset: int
) -> None:
    async def go() -> None:
        world = World()
        world.fails_at = offset
        await play(world, script)
        stopping = asyncio.create_task(world.work.stop(5))
        await calm(world, stopping)
        await stopping
        assert all(isinstance(failure, Bug) for failure in world.failures)
        for counted in world.counted.values():
            assert counted == list(range(len(counted)))
        await finish(world)

    run(go())
