"""`usage run`: broker, store, topics, migrations, worker, API, simulator: processes, and a view.

Order: the broker and the store come up side by side; then topics and migrations; then the worker,
the API and the simulator. The end takes the other direction. The in-process broker keeps its log in
memory only, so each run is an incarnation of its own: the store's totals stay, and the new ones
add.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.embedded import metrics
from pipeline.embedded.processes import (
    EVERYWHERE,
    START_SECONDS,
    Child,
    Interrupted,
    end,
    free_port,
    wait_until_done,
    wait_until_ready,
)
from pipeline.embedded.view import show
from pipeline.errors import UsageError
from pipeline.process.interrupts import Interrupts
from pipeline.settings import Settings, load

BROKER_PORT = 9092
STORE_PORT = 8123
WORKER_END_SECONDS = 4.0
STORE_END_SECONDS = 3.0
OWN_DEFAULTS = {
    "USAGE_SETTLE_SECONDS": "2",
    "USAGE_PARTITIONS": "1",
    "USAGE_FLUSH_SECONDS": "1.5",
}
"""A demonstration on one machine has no use for partitions, and each has chunks of its own to pay
for; a round every three seconds, for it holds little, is still as good as live."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What `usage run` was asked for; `seconds` 0 is until somebody ends it."""

    rate: float = 200.0
    seconds: float = 0.0
    seed: int = 1
    tenants: int = 24
    late: float = 0.02
    duplicates: float = 0.01
    malformed: float = 0.002


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    data: Path
    broker_port: int
    store_port: int
    web_port: int
    api_port: int
    database: str

    @property
    def logs(self) -> Path:
        """The folder of the processes' log files."""
        return self.data / "logs"

    @property
    def broker(self) -> str:
        """The broker's address."""
        return f"127.0.0.1:{self.broker_port}"

    @property
    def store(self) -> str:
        """The store's address."""
        return f"http://127.0.0.1:{self.store_port}"

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def key(self) -> Path:
        """The file of the API key."""
        return self.data.absolute() / "api.key"

    def lines(self, link: str = "") -> tuple[tuple[str, str], ...]:
        """What runs and where, in lines for people; ``link`` is the API's that works once."""
        bearer = f"Authorization: Bearer $(cat {shlex.quote(str(self.key))})"
        ask = f"{self.api}/v1/views/request_summary?since=1h"
        sql = f"SELECT sum(requests) FROM {self.database}.requests_1m"  # noqa: S608 - only shown
        return (
            ("broker", f"{self.broker} (Kafka's protocol, in memory)"),
            ("store", f"{self.store} (ClickHouse over HTTP), database {self.database}"),
            ("worker", f"http://127.0.0.1:{self.web_port}/metrics, /healthz, /readyz"),
            ("open", f"{link} (works once; signs this browser in)"),
            ("ask", f"curl -s -H \"{bearer}\" '{ask}'"),
            ("try", f"curl 127.0.0.1:{self.store_port} -d '{sql}'"),
            ("data", f"{self.data / 'store'}, logs {self.logs}"),
        )


def main(settings: Settings, demo: Demo) -> int:
    """Run everything until Ctrl-C, SIGTERM, or the end of the time asked for.

    Raises:
        UsageError: something did not come up, or ended by itself; everything is ended then.
    """
    interrupts = Interrupts()
    settings.data.mkdir(parents=True, exist_ok=True)
    with _only_one(settings.data):
        places = _places(settings)
        places.logs.mkdir(exist_ok=True)
        system = _System(places, demo, interrupts)
        try:
            system.start()
            lines = places.lines(system.link)
            for name, where in lines:
                print(f"{name:<7} {where}", flush=True)
            own = load(_environment(places))
            problem = show(own, lines, system.problem, demo.seconds, interrupts)
        except Interrupted:
            problem = ""
        finally:
            system.end()
    if problem:
        raise UsageError(problem)
    return 0


class _System:
    """The processes, in the order of their start."""

    def __init__(self, places: Places, demo: Demo, interrupts: Interrupts) -> None:
        self._places = places
        self._demo = demo
        self._interrupts = interrupts
        self._env = _environment(places)
        self._servers: list[Child] = []
        self._clients: list[Child] = []
        self._tasks: list[Child] = []
        self.link = ""
        """The API's, that works once."""

    def start(self) -> None:
        """Start all of them, each when what it needs is ready."""
        places = self._places
        broker = self._child("broker", "broker", "--port", str(places.broker_port))
        self._servers.append(broker)
        path = str(places.data / "store")
        store = self._child("store", "store", "--path", path, "--port", str(places.store_port))
        self._servers.append(store)
        self._await(broker, f"broker ready: {places.broker}")
        topics = self._child("topics", "topics", "create")
        self._tasks.append(topics)
        self._await(store, f"store ready: {places.store}")
        # The log of a run before this one, were it killed and of an older release, went with it.
        migrate = self._child("migrate", "migrate", "--runs-are-over")
        self._tasks.append(migrate)
        for task in (topics, migrate):
            wait_until_done(task, START_SECONDS, self._interrupts)
        metrics.define(load(self._env))
        self._clients.append(self._child("worker", "worker"))
        api = self._child("api", "api", "--link", "--key-file", str(places.key))
        self._clients.append(api)
        # Before the API is awaited: numbers come first.
        self._clients.append(self._child("simulator", *_simulate(self._demo)))
        self._await(api, f"api ready: {places.api}")
        self.link = api.after("link: ")

    def problem(self) -> str:
        """Which process ended by itself, and how; empty while all run."""
        for child in (*self._servers, *self._clients):
            if child.code is not None:
                return f"the {child.name} {child.how_it_ended()}; the rest of it is in {child.log}"
        return ""

    def end(self) -> None:
        """End all of them: who counts first, then what it counts into."""
        end(self._tasks + self._clients, WORKER_END_SECONDS, self._interrupts)
        end(self._servers, STORE_END_SECONDS, self._interrupts)

    def _child(self, name: str, *arguments: str) -> Child:
        return Child(name, arguments, self._places.logs, self._env)

    def _await(self, child: Child, line: str) -> None:
        # Its own word, not an answer at its port: that may be a stranger's who was there first,
        # and whose store would then be migrated.
        wait_until_ready(child, lambda: child.said(line), START_SECONDS, self._interrupts)


def _places(settings: Settings) -> Places:
    return Places(
        data=settings.data,
        broker_port=free_port(BROKER_PORT),
        store_port=free_port(STORE_PORT),
        web_port=free_port(settings.web_port, EVERYWHERE),
        api_port=free_port(settings.api_port),
        database=settings.clickhouse.database,
    )


def _environment(places: Places) -> Mapping[str, str]:
    """The environment, with the embedded broker and store in place of any other.

    Settings that stand before ``kept`` are defaults of this command alone.
    """
    others = (
        "USAGE_KAFKA",
        "USAGE_CLICKHOUSE",
        "USAGE_WEB_PORT",
        "USAGE_API_HOST",
        "USAGE_API_PORT",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {
        **OWN_DEFAULTS,
        "USAGE_REPORTS": str(places.data / "reports"),
        **kept,
        "USAGE_KAFKA": places.broker,
        "USAGE_WEB_PORT": str(places.web_port),
        "USAGE_API_PORT": str(places.api_port),
        "USAGE_CLICKHOUSE": f"http://default:@127.0.0.1:{places.store_port}/{places.database}",
    }


def _simulate(demo: Demo) -> list[str]:
    options = {
        "rate": demo.rate,
        "seed": demo.seed,
        "tenants": demo.tenants,
        "late": demo.late,
        "duplicates": demo.duplicates,
        "malformed": demo.malformed,
    }
    return ["simulate", *(f"--{name}={value}" for name, value in options.items())]


def _only_one(data: Path) -> IO[str]:
    """Hold the folder's lock; it is let go when the file is closed."""
    lock = (data / "run.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UsageError(
            f"`usage run` already runs on {data}; end it first, or set USAGE_DATA to another folder"
        ) from None
    return lock
