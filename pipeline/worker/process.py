"""``usage worker``: one process that counts events until it is told to stop.

SIGTERM or SIGINT lets it count what it holds and leave the group; a second one ends it at once.
What it cannot go on from it says in one line, and exits with that error's code (`pipeline.errors`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from pipeline import facts
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import engine_zones, old_latency, views
from pipeline.clickhouse.schema.migrate import check
from pipeline.clickhouse.shards import Shards
from pipeline.errors import UsageError
from pipeline.facts.readers import readers
from pipeline.facts.rules import rules_of
from pipeline.kafka import growth, topics
from pipeline.kafka.clients import aiokafka_config
from pipeline.kafka.faults import translate
from pipeline.kafka.lenient import opened
from pipeline.process import memory
from pipeline.process.ending import Ending
from pipeline.process.logs import configure
from pipeline.protocol.hooks import hook_of
from pipeline.protocol.ledger import Ledger
from pipeline.protocol.rejected import MAX_BYTES, DeadLetters
from pipeline.protocol.settled import Settled
from pipeline.worker.app import UsageApp
from pipeline.worker.flusher import Flusher
from pipeline.worker.folding import Folding
from pipeline.worker.live import LiveThread
from pipeline.worker.rebuild import Rebuild
from pipeline.worker.replay import Replayer
from pipeline.worker.set_aside import SetAside
from pipeline.worker.settling import Kafka, Settling
from pipeline.worker.takeover import Takeover
from pipeline.worker.telemetry import group_watch
from pipeline.worker.telemetry.group_watch import GroupWatch
from pipeline.worker.telemetry.instruments import Instruments
from pipeline.worker.telemetry.ledger_watch import Held, LedgerWatch
from pipeline.worker.telemetry.server import Server
from pipeline.worker.telemetry.survey import Survey
from pipeline.worker.transport import RawFetches
from pipeline.worker.work import Work, as_given

if TYPE_CHECKING:
    from pipeline.protocol.chunks import Source
    from pipeline.settings import Settings
    from pipeline.worker.transport import ConsumerThread

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.001
"""How long a thread keeps the interpreter from another one that wants it: a fifth of Python's own.

While a scrape of many tenants is written, the loop waits so long at each of its turns.
"""
APP_STOP_SECONDS = 5.0
LEAVE_SECONDS = 1.0
"""For saying to Kafka that partitions are free; it is within the margin."""
MARGIN_SECONDS = 3.0
"""For all that stops quickly, or is not worth waiting for."""


def main(settings: Settings) -> int:
    """Run a worker to its end, and return its exit code."""
    configure(settings)
    memory.tune()
    sys.setswitchinterval(SWITCH_SECONDS)
    return asyncio.run(_to_the_end(settings))


async def _to_the_end(settings: Settings) -> NoReturn:
    try:
        code = await Process(settings).run()
    except Exception:
        log.exception("crashed")
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Here, for asyncio.run would wait for threads that hang in the store, and for Faust's tasks.
    os._exit(code)


class Process:
    """Wires the parts together and waits for the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        self._ended = asyncio.Event()
        self._is_up = False
        """Whether there may be chunks to settle at the end."""
        self._failure: BaseException | None = None

    async def run(self) -> int:
        """Run the worker to its end and return the exit code."""
        loop = asyncio.get_running_loop()
        stopping_seconds = self._settings.settle_seconds + APP_STOP_SECONDS + MARGIN_SECONDS
        Ending(lambda: loop.call_soon_threadsafe(self._stop), stopping_seconds)
        working = asyncio.create_task(self._work_until_ended())
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        if self._is_up or working.done():
            await working
        return self._exit_code()

    async def _work_until_ended(self) -> None:
        try:
            shards = await asyncio.to_thread(self._shards)
            await self._serve(shards)
        except UsageError as error:
            self._failure = self._failure or error

    async def _serve(self, shards: Shards) -> None:
        settings = self._settings
        self._readers = readers(settings.reader)
        topics_read = [settings.topic(topic) for topic in self._readers.raw_topics]
        self._raw = RawFetches(self._readers.library, topics_read)
        async with _Producer(settings) as producer:
            app = UsageApp(settings, self._fail, self._raw)
            app.work = self._work(app, shards, producer)
            needed = [*app.register_agents(), settings.topic(topics.DEAD_LETTER.name)]
            await asyncio.to_thread(topics.incarnations, settings, needed)  # they must exist
            await asyncio.to_thread(group_watch.refuse_new_protocol, settings)
            if self._settling is not None:
                await self._settling.begin()
            server = self._server()
            server.start()
            log.info("%s", self._readers.sentence)
            app.work.standing.unassigned_at = asyncio.get_running_loop().time()
            flushing = asyncio.create_task(self._to_its_end(app.work.flush_forever()))
            starting = asyncio.create_task(self._to_its_end(app.start()))
            watch = self._ledger_watch(shards, app.work)
            watching = asyncio.create_task(self._to_its_end(watch.run_forever()))
            group = GroupWatch(settings, self._registry)
            watching_group = asyncio.create_task(self._to_its_end(group.run_forever()))
            settling_days = asyncio.create_task(self._settle_forever())
            giving_back = asyncio.create_task(memory.give_back_forever())
            self._is_up = True
            await self._ended.wait()
            flushing.cancel()
            watching.cancel()
            watching_group.cancel()
            giving_back.cancel()
            settling_days.cancel()
            await app.work.stop(settings.settle_seconds)
            await _try(app.leave_group(), LEAVE_SECONDS)
            await _finish(asyncio.to_thread(self._set_aside.close), APP_STOP_SECONDS)
            starting.cancel()
            await _finish(app.stop(), APP_STOP_SECONDS)
            await asyncio.to_thread(server.stop)
            self._live.close()

    def _work(self, app: UsageApp, shards: Shards, producer: AIOKafkaProducer) -> Work:
        settings = self._settings
        rules = rules_of(settings)
        digest = rules.digest()
        ledger = Ledger(shards, f"{platform.node()}:{os.getpid()}", digest)
        dead_letters = DeadLetters(producer, settings.topic(topics.DEAD_LETTER.name))
        instruments = Instruments(self._registry)
        self._set_aside = set_aside = SetAside(settings, shards.stores[0], ledger, instruments)
        hook = hook_of(settings)
        flusher = Flusher(ledger, dead_letters, digest, set_aside, instruments, hook)
        folding = Folding()
        rebuild = Rebuild(settings, rules.duplicate_window, instruments, folding, self._raw)

        def new_reader(source: Source) -> facts.Reader:
            topic_name = settings.topic_name(source.topic)
            return self._readers.reader(topic_name, rules, source.partition, opened)

        takeover = Takeover(
            ledger,
            flusher,
            Replayer(settings, flusher, rebuild, folding, new_reader, self._raw),
            lambda names: topics.incarnations(settings, names),
            lambda ids, known: growth.changes(settings, ids, known),
            digest,
            settings.override_rules,
        )

        def batches() -> ConsumerThread:
            return app.batches

        self._settling = None
        if not settings.clickhouse_cluster:
            self._settling = Settling(
                settings,
                Settled(shards.stores[0], hook),
                flusher,
                ledger,
                Kafka(
                    lambda: topics.cluster_id(settings),
                    lambda names: topics.incarnations(settings, names),
                    lambda: topics.partition_counts(settings),
                ),
                app.days,
                instruments,
                batches,
                lambda: app.work,
            )

        live = LiveThread(settings.tenant_labels, settings.tenants_with_labels, self._fail)
        self._live = live
        work = Work(
            settings,
            flusher,
            takeover,
            rebuild,
            folding,
            ledger,
            live,
            instruments,
            new_reader,
            batches,
            self._fail,
            self._settling.under if self._settling else as_given,
        )
        # A rebalance waits for members that are gone, or slow to join again.
        join_seconds = settings.rebalance_timeout_seconds + settings.session_timeout_seconds
        self._survey = Survey(work, live, flusher, batches, rules.duplicate_window, join_seconds)
        return work

    def _server(self) -> Server:
        settings = self._settings
        loop = asyncio.get_running_loop()
        state, kind = self._survey.state, self._readers.kind
        return Server(settings.web_port, self._registry, state, settings.buffer_events, loop, kind)

    def _ledger_watch(self, shards: Shards, work: Work) -> LedgerWatch:
        def held() -> dict[Source, Held]:
            return {s: Held(one.incarnation, one.position) for s, one in work.partitions.items()}

        watch = LedgerWatch(shards, held)
        self._registry.register(watch)
        return watch

    def _shards(self) -> Shards:
        store = Store.connect(self._settings)
        check(store)
        zones = engine_zones.compare(store)
        if zones.wrong:
            log.warning("%s", zones.sentence)
        has_old = old_latency.may_be_there(store)
        shipped = views.shipped(zones.shifts, old_latency=has_old)
        if outdated := views.outdated(store, shipped):
            log.warning(
                "%d views are not of this release, or not for the server's time zones (%s); "
                "run: usage migrate",
                len(outdated),
                ", ".join(outdated),
            )
        return Shards.connect(self._settings, store)

    async def _settle_forever(self) -> None:
        """It ends without ending the worker: what is counted does not need it."""
        try:
            if self._settling is not None:
                await self._settling.run_forever()
        except Exception:
            log.exception("users' days are not settled by this worker any more")

    async def _to_its_end(self, part: Coroutine[Any, Any, object]) -> None:
        try:
            await part
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends the worker
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, KafkaConnectionError):  # nobody answered while Faust started
            error = translate(error, self._settings)
        if self._failure is None:
            self._failure = error
        self._ended.set()

    def _exit_code(self) -> int:
        error = self._failure
        if error is None:
            return 0
        if isinstance(error, UsageError):
            log.error("stopped: %s", error)
            return error.exit_code
        log.error("crashed", exc_info=error)
        return 1

    def _stop(self) -> None:
        log.info("stopping: counting what is held")
        self._ended.set()


class _Producer:
    """The dead-letter topic's producer, started and stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __aenter__(self) -> AIOKafkaProducer:
        self._producer = AIOKafkaProducer(
            **aiokafka_config(self._settings),
            enable_idempotence=True,
            compression_type="lz4",
            max_request_size=MAX_BYTES,
        )
        try:
            await self._producer.start()
        except Exception as error:
            await self._producer.stop()
            raise translate(error, self._settings) from error
        return self._producer

    async def __aexit__(self, *_: object) -> None:
        await _finish(self._producer.stop(), APP_STOP_SECONDS)


async def _try(attempt: Coroutine[Any, Any, object], seconds: float) -> None:
    """Wait for what need not come about; nothing of it is raised, nor is it cancelled."""
    trying = asyncio.create_task(attempt)
    await asyncio.wait({trying}, timeout=seconds)
    if trying.done() and not trying.cancelled() and (error := trying.exception()):
        log.debug("not done on the way out: %r", error)


async def _finish(stopping: Coroutine[Any, Any, object], seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping, seconds)
    except TimeoutError:
        log.warning("something did not stop within %g s and is left behind", seconds)
