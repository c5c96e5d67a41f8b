"""All the parts for one test: topics and a group of its own, a store, workers, the check."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.access import tenant_views
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import Settings, load
from tests.support.harness import compare, ready_tables
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.produce import (
    ENTITIES,
    EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    Sender,
    Traffic,
)
from tests.support.harness.recount import (
    Growth,
    Log,
    Refused,
    nothing_refused,
    read_log,
    recount,
)
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

DEAD_LETTER = "usage.dead-letter"
METRIC_DEFINITIONS = "usage.metric-definitions"
"""Workers read it too; no test that compares everything sends to it."""
# Short, so that faults show within a test: a worker that is gone or paused is noticed after
# SESSION_SECONDS.
SESSION_SECONDS = 6
SETTINGS = {
    "USAGE_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    "USAGE_REBALANCE_TIMEOUT_SECONDS": "10",
    "USAGE_SETTLE_SECONDS": "2",
    "USAGE_FLUSH_SECONDS": "0.2",
    "USAGE_INSERTS_PER_SECOND": "200",
    "USAGE_CHUNK_EVENTS": "2000",
    "USAGE_KEEP_MINUTE_ROWS": "0",
    "USAGE_KEEP_PRODUCT_EVENTS_DAYS": "0",
    "USAGE_DUPLICATE_WINDOW": "100",
}
_numbers = itertools.count(1)


class Scene:
    """Topics under a prefix, a group and a database of its own, on a broker and a store."""

    def __init__(self, kafka: KafkaBroker, store: EmbeddedStore, folder: Path) -> None:
        self.kafka = kafka
        self.store = store
        self.folder = folder
        self.partitions = 0
        name = f"t{os.getpid()}_{next(_numbers)}"
        self.prefix = f"{name}."
        self.group = f"group-{name}"
        self.database = f"usage_{name}"
        self.settings: dict[str, str] = {}
        """What this test sets on top of `SETTINGS`."""
        self.workers: list[Process] = []
        self.growths: dict[str, list[Growth]] = {}
        self._has_definitions = False
        self._names = itertools.count(1)

    # Setting up ------------------------------------------------------------------------------

    def set_up(self, partitions: int, **topic_config: str) -> None:
        """Create the topics and the tables."""
        self.create_all_topics(partitions, **topic_config)
        self.migrate()

    def create_all_topics(self, partitions: int, **config: str) -> None:
        """Create the source topics and that of dead letters."""
        self.partitions = partitions
        self.create_topics(**config)
        dead = {"cleanup.policy": "compact", "max.message.bytes": "4194304"}
        self.kafka.create_topics([self.topic(DEAD_LETTER)], 1, dead)

    def migrate(self) -> None:
        """Create the tables and views; here, and not by a process, where little is left to do."""
        settings = self.loaded()
        if not ready_tables.prepare(self.store.port, self.database, settings):
            self.run("migrate")
            return
        with self.connect() as store:
            migrate(store, settings, then=tenant_views.statements)

    def create_topics(self, **config: str) -> None:
        """Create the source topics."""
        config = {"max.message.bytes": "2097152"} | {
            name.replace("_", "."): value for name, value in config.items()
        }
        self.kafka.create_topics(self.topics, self.partitions, config)
        if not self._has_definitions:
            self.kafka.create_topics([self.topic(METRIC_DEFINITIONS)], 1)
            self._has_definitions = True

    def grow(self, partitions: int, code: int = 0, **environment: str) -> str:
        """Give the source topics more partitions; the command may die, and is run again then.

        Takes note of those that have grown, and of where their logs ended. Returns what it said.
        """
        ends = {topic: self.kafka.bounds(topic) for topic in self.topics}
        command = self.start("topics", "grow", "--to", str(partitions), **environment)
        assert command.wait(60) == code, command.tail()
        for topic, of_topic in ends.items():
            last = tuple(last for _, last in of_topic.values())
            growth = Growth(len(last), len(self.kafka.partitions(topic)), last)
            if growth.after > growth.before:
                self.growths.setdefault(topic, []).append(growth)
        if code == 0:
            self.partitions = partitions
        return command.output()

    def topic(self, name: str) -> str:
        """Return a topic's full name."""
        return self.prefix + name

    @property
    def topics(self) -> list[str]:
        """The full names of the source topics."""
        return [self.topic(name) for name in (REQUESTS, RECIPE_ACTIONS, EVENTS, ENTITIES)]

    @property
    def sources(self) -> list[tuple[str, int]]:
        """Every partition of the source topics."""
        return [(topic, n) for topic in self.topics for n in range(self.partitions)]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the USAGE_… variables of this scene's processes."""
        own = {
            "USAGE_KAFKA": self.kafka.servers,
            "USAGE_CLICKHOUSE": self.store_url(),
            "USAGE_GROUP": self.group,
            "USAGE_TOPIC_PREFIX": self.prefix,
        }
        return SETTINGS | own | self.settings | more

    def store_url(self, port: int | None = None) -> str:
        """Return the URL of this scene's database; at another port when a proxy is between."""
        return url_at(port or self.store.port, self.database)

    def sender(self, **config: str) -> Sender:
        """Return a producer for this scene's topics."""
        return Sender(self.kafka.servers, self.prefix, self.partitions, **config)

    def send(self, records: int, seed: int = 1, bad: float = 0.02) -> None:
        """Send a seeded stream of mixed events."""
        self.sender().send_traffic(Traffic(seed, bad=bad), records)

    # Processes -------------------------------------------------------------------------------

    def run(self, *arguments: str, within: float = 120, **environment: str) -> str:
        """Run a ``usage`` command to its end and return what it printed; it must succeed."""
        process = self.start(*arguments, **environment)
        code = process.wait(within)
        assert code == 0, process.tail()
        return process.output()

    def start(self, *arguments: str, **environment: str) -> Process:
        """Start a ``usage`` command."""
        name = f"{arguments[0]}-{next(self._names)}"
        return usage(
            name, *arguments, environment=self.environment(**environment), folder=self.folder
        )

    def worker(self, **environment: str) -> Process:
        """Start a worker; it is ended with the scene."""
        worker = self.start("worker", "--port", str(free_port()), **environment)
        self.workers.append(worker)
        return worker

    def stop(self, worker: Process) -> None:
        """End a worker in order."""
        assert worker.terminate() == 0, worker.tail()
        self.workers.remove(worker)

    def await_end(self, worker: Process, code: int) -> None:
        """Wait until a worker ends by itself, with this exit code."""
        assert worker.wait(60) == code, worker.tail()
        self.workers.remove(worker)

    def end(self) -> None:
        """Kill all workers that still run."""
        for worker in self.workers:
            if worker.is_running:
                worker.kill9()
        self.workers.clear()

    def drop(self) -> None:
        """Drop the database: a store works for each that it has, though nobody asks it anything."""
        store = Store.connect(load({"USAGE_CLICKHOUSE": self.store_url()}))
        store.command(f"DROP DATABASE IF EXISTS {self.database}", in_database=False)
        store.close()

    def tails(self) -> str:
        """Return the ends of all outputs, for failure messages."""
        parts = [*self.workers, self.store.process]
        return "\n".join(part.tail() for part in parts)

    # Looking ---------------------------------------------------------------------------------

    def loaded(self) -> Settings:
        """Return the settings that this scene's processes see, past any proxy to the store."""
        return load(self.environment(USAGE_CLICKHOUSE=self.store_url()))

    @contextmanager
    def connect(self) -> Iterator[Store]:
        """Open the store's client for the block."""
        store = Store.connect(self.loaded())
        try:
            yield store
        finally:
            store.close()

    def received(self) -> int:
        """Return how many events are in the ledger."""
        with self.connect() as store:
            [(received,)] = store.query("SELECT sum(received) FROM chunks FINAL")
            return int(received or 0)

    def await_received(self, events: int, within: float = 60) -> None:
        """Wait until at least so many events are in the ledger."""
        until(
            lambda: self.received() >= events,
            within=within,
            what=f"{events} events in the ledger",
            explain=self.tails,
            every=0.1,
        )

    def committed(self) -> dict[tuple[str, int], int | None]:
        """Return the group's committed offsets."""
        return self.kafka.committed(self.group, self.sources)

    def await_assigned(self, workers: int, within: float = 60) -> None:
        """Wait until the group is stable with so many members, each with partitions."""

        def shared() -> bool:
            assigned = self.kafka.assignment(self.group)
            return len(assigned) == workers and all(assigned.values())

        what = f"{workers} workers that share the partitions"
        until(shared, within=within, what=what, explain=self.tails, every=0.2)

    def settle(self, within: float = 90) -> Log:
        """Wait until everything in the log is counted and committed; return the log.

        A worker that ends meanwhile, other than by kill -9, fails the wait.
        """
        log = read_log(self.kafka, self.topics)
        due = {source: part.due for source, part in log.items() if part.records}
        incarnations = self.incarnations()
        deadline = time.monotonic() + within
        with self.connect() as store:
            while left := self._behind(store, incarnations, due):
                ended = [w for w in self.workers if not w.is_running and w.exit_code != -9]
                assert not ended, f"a worker ended\n{self.tails()}"
                assert time.monotonic() < deadline, (
                    f"not counted after {within:g} s: (due, ledger, committed) {left}\n"
                    f"{self.tails()}"
                )
                time.sleep(0.2)
        return log

    def _behind(
        self, store: Store, incarnations: dict[str, str], due: dict[tuple[str, int], int]
    ) -> dict[tuple[str, int], tuple[int, int, int | None]]:
        """Return the sources whose ledger or committed offset is not where it must come to."""
        return self.not_reached(due, compare.coverage(store, incarnations))

    def not_reached(
        self, due: dict[tuple[str, int], int], reached: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], tuple[int, int, int | None]]:
        """Return (due, ledger, committed) of the sources where they are not what they must be."""
        committed = self.committed()
        found = {
            source: (offset, reached.get(source, 0), committed[source])
            for source, offset in due.items()
        }
        return {s: (d, e, c) for s, (d, e, c) in found.items() if not d <= e == c}

    def incarnations(self) -> dict[str, str]:
        """Return the source topics' ids."""
        return {topic: self.kafka.topic_id(topic) for topic in self.topics}

    def check(
        self, *earlier: Log, log: Log | None = None, refused: Refused = nothing_refused
    ) -> None:
        """Settle, then hold the store, ledger, offsets and dead letters against the recount.

        ``earlier`` are logs that are gone by now but were counted (an older incarnation); ``log``
        replaces what is read now (where records were deleted); ``refused`` are the events that
        tables do not take.
        """
        settled = self.settle()
        logs = [*earlier, log if log is not None else settled]
        expected = recount(logs, self.prefix, self.duplicate_window, refused, self.growths)
        dead = self.topic(DEAD_LETTER)
        with self.connect() as store:
            lines = [
                *compare.differences(store, expected, self.sources),
                *compare.gaps(
                    store,
                    settled,
                    self.incarnations(),
                    self.committed(),
                    lambda topic, partition: self.kafka.bounds(topic)[partition][1],
                ),
                *compare.dead_letter_differences(self.kafka, dead, expected),
            ]
        assert not lines, "\n".join(["not as the log says:", *lines, self.tails()])

    @property
    def duplicate_window(self) -> int:
        """The window in which a repeated event is a duplicate; 0 where none is looked for."""
        return int(self.environment()["USAGE_DUPLICATE_WINDOW"])
