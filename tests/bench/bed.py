"""What a benchmark runs on: one real broker; for each run a store of its own and real workers."""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.clickhouse.client import Store
from pipeline.settings import load as load_settings
from tests.bench import workload
from tests.bench.measure import cpu_seconds
from tests.bench.workload import Loaded, Workload
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.process import Process, clean_environment, free_port, usage
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

DEAD_LETTER = "usage.dead-letter"
OTHERS = ("usage.recipe-actions", "usage.events", "usage.entities")
LONGEST_SECONDS = 300.0
"""Of one run."""

_READING = "reading "
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    quick: bool
    events: int
    runs: int
    faust_events: int
    live_seconds: int
    view_rows: int
    """Of the largest rollup."""
    metric_events: int = 0
    """Product events under user-defined metrics; 0: as many as the scale has."""


FULL = Scale(False, 4_000_000, 3, 20_000, 30, 100_000_000)
QUICK = Scale(True, 300_000, 1, 8_000, 8, 1_000_000)


class Bed:
    """The broker and the topics that were loaded so far."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.folder = folder
        self.scale = scale
        self.kafka = KafkaBroker(folder)
        self.kafka.start()
        self._loaded: dict[tuple[Workload, int, int], Loaded] = {}

    def topics(self, prefix: str, partitions: int) -> None:
        """Create empty source topics under a prefix."""
        names = [prefix + name for name in (workload.TOPIC, *OTHERS, DEAD_LETTER)]
        self.kafka.create_topics(names, partitions)
        self.kafka.create_topics([prefix + "usage.metric-definitions"], 1)

    def loaded(self, kind: Workload, partitions: int = 8, at_least: int = 0) -> Loaded:
        """Return a topic filled with the scale's events, loading it at the first call."""
        events = max(self.scale.events, at_least)
        key = kind, partitions, events
        if key not in self._loaded:
            prefix = f"w{next(_numbers)}."
            self.topics(prefix, partitions)
            servers = self.kafka.servers
            self._loaded[key] = workload.load(servers, prefix, kind, events, partitions)
        return self._loaded[key]

    def forget(self, loaded: Loaded) -> None:
        """Delete a topic that is not needed any more."""
        self._loaded = {k: one for k, one in self._loaded.items() if one is not loaded}
        self.kafka.delete_topic(loaded.topic)

    @contextmanager
    def run(self, prefix: str, **settings: str) -> Iterator[Run]:
        """Provide a fresh store and group; everything of it is ended and deleted."""
        folder = self.folder / f"run-{next(_numbers)}"
        folder.mkdir()
        run = Run(self.kafka, folder, prefix, settings)
        try:
            run.set_up()
            yield run
        finally:
            run.end()
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self) -> None:
        self.kafka.kill9()


@dataclass
class Run:
    """One run: a store, a group, its workers."""

    kafka: KafkaBroker
    folder: Path
    prefix: str
    settings: Mapping[str, str]
    workers: list[Process] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    def set_up(self) -> None:
        self.store = EmbeddedStore(self.folder)
        self.store.start()
        migrate = usage("migrate", "migrate", environment=self.environment, folder=self.folder)
        assert migrate.wait(60) == 0, migrate.tail()

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "USAGE_KAFKA": self.kafka.servers,
            "USAGE_CLICKHOUSE": url_at(self.store.port, "usage"),
            "USAGE_GROUP": self.group,
            "USAGE_TOPIC_PREFIX": self.prefix,
            "FAUST_DATADIR": str(self.folder),
        }
        return {**own, **self.settings}

    @property
    def group(self) -> str:
        return f"group-{self.folder.name}"

    def worker(self) -> Process:
        """Start a worker."""
        port = free_port()
        name = f"worker-{len(self.workers) + 1}"
        arguments = ("worker", "--port", str(port))
        process = usage(name, *arguments, environment=self.environment, folder=self.folder)
        self.workers.append(process)
        self.ports.append(port)
        return process

    def await_reading(self, worker: Process) -> None:
        """Return as soon as the worker has begun to read."""

        def reads() -> bool:
            assert worker.is_running, worker.tail()
            return _READING in worker.output()

        until(reads, within=60, what="a worker that reads", explain=worker.tail, every=0.005)

    def await_shared(self, count: int) -> None:
        """Return when so many workers have partitions, and each of them has begun to read."""

        def shared() -> bool:
            assigned = self.kafka.assignment(self.group)
            return len(assigned) == count and all(assigned.values())

        until(shared, within=120, what=f"{count} workers that share", every=0.05)
        for worker in self.workers:
            self.await_reading(worker)

    def committed(self, topic: str, partitions: int) -> dict[int, int]:
        """Return the group's committed offsets."""
        found = self.kafka.committed(self.group, [(topic, n) for n in range(partitions)])
        return {n: offset or 0 for (_, n), offset in found.items()}

    def await_counted(self, loaded: Loaded) -> None:
        """Return as soon as everything is counted and committed."""
        ends = {n: end for n, (_, end) in self.kafka.bounds(loaded.topic).items()}

        def counted() -> bool:
            for worker in self.workers:
                assert worker.is_running, worker.tail()
            return self.committed(loaded.topic, loaded.partitions) == ends

        until(
            counted,
            within=LONGEST_SECONDS,
            what="the end of the topic",
            explain=self.workers[0].tail,
            every=0.1,
        )

    @contextmanager
    def connect(self) -> Iterator[Store]:
        """Open the store's client for the block."""
        settings = load_settings(
            {k: v for k, v in self.environment.items() if k.startswith("USAGE_")}
        )
        store = Store.connect(settings)
        try:
            yield store
        finally:
            store.close()

    def end(self) -> None:
        for process in [*self.workers, self.store.process]:
            if process.is_running:
                process.kill9()


@dataclass(frozen=True, slots=True)
class Clock:
    """CPU and wall time since it was made."""

    pids: tuple[int, ...]
    cpu: tuple[float, ...]
    wall: float

    @classmethod
    def start(cls, *pids: int) -> Clock:
        return cls(pids, tuple(map(cpu_seconds, pids)), time.monotonic())

    def cpu_since(self) -> tuple[float, ...]:
        """CPU seconds of each process."""
        return tuple(cpu_seconds(p) - c for p, c in zip(self.pids, self.cpu, strict=True))

    def wall_since(self) -> float:
        return time.monotonic() - self.wall


def script(name: str, *arguments: str, folder: Path) -> Process:
    """Start a module of the benchmarks in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    environment = {**clean_environment(), "FAUST_DATADIR": str(folder)}
    return Process(name, command, environment, folder)
