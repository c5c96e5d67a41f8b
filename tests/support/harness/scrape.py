"""What a worker says at ``/metrics``; and a real Prometheus that scrapes workers."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

RULES = Path(__file__).parents[3] / "deploy" / "prometheus"
MEASURES = ("requests", "failed_requests", "input_tokens", "output_tokens", "tasks")
JOB = "usage-worker"
"""The job's name in ``deploy/prometheus``, by which rules select it."""

Gauges = dict[tuple[str, str, str], list[int]]
"""By tenant's label, window and state: one number for each of `MEASURES`, not all 0."""


def worker_at(scene: Scene, port: int, **environment: str) -> Process:
    """Start a worker whose web port is known; it is ended with the scene."""
    worker = scene.start("worker", "--port", str(port), **environment)
    scene.workers.append(worker)
    return worker


def get(port: int, path: str) -> str:
    """GET a path of a server on this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return bytes(answer.read()).decode()


def window_gauges(port: int) -> Gauges:
    """Scrape a worker's live windows."""
    found: Gauges = {}
    for family in text_string_to_metric_families(get(port, "/metrics")):
        measure = family.name.removeprefix("usage_window_")
        if measure == family.name:
            continue
        for sample in family.samples:
            labels = sample.labels
            key = (labels["tenant"], labels["window"], labels["state"])
            found.setdefault(key, [0] * len(MEASURES))[MEASURES.index(measure)] = int(sample.value)
    return {key: numbers for key, numbers in found.items() if any(numbers)}


def window_rows(scene: Scene, minute: int) -> Gauges:
    """Ask the view for the same, by tenant, when ``minute`` (epoch seconds) is the running one."""
    found: Gauges = {}
    with scene.connect() as store:
        for state, as_of in (("current", minute + 60), ("last", minute)):
            rows = store.query(
                "SELECT * FROM live_windows(as_of = {as_of:UInt32}, tenant = '') "
                "WHERE window != 'month'",
                {"as_of": as_of},
            )
            found |= {(tenant, window, state): list(rest) for tenant, window, *rest in rows}
    return {key: numbers for key, numbers in found.items() if any(numbers)}


def by_label(rows: Gauges, labels: set[str]) -> Gauges:
    """Add up the rows of tenants without a label of their own, as ``other``."""
    found: Gauges = {}
    for (tenant, window, state), numbers in rows.items():
        key = (tenant if tenant in labels else "other", window, state)
        have = found.get(key, [0] * len(MEASURES))
        found[key] = [a + b for a, b in zip(have, numbers, strict=True)]
    return found


def await_equal(scene: Scene, port: int, within: float = 60) -> Gauges:
    """Wait until a scrape says what the view does, within one minute; return it.

    All that was sent must be counted by then: what remains is a takeover that still restores.
    """
    last: list[Any] = []

    def equal() -> Gauges | None:
        minute = int(time.time()) // 60 * 60
        gauges = window_gauges(port)
        rows = window_rows(scene, minute)
        if int(time.time()) // 60 * 60 != minute:
            return None
        expected = by_label(rows, {tenant for tenant, _, _ in gauges})
        last[:] = [
            (key, gauges.get(key), expected.get(key))
            for key in sorted(gauges.keys() | expected.keys())
            if gauges.get(key) != expected.get(key)
        ]
        return gauges if gauges == expected and gauges else None

    def explain() -> str:
        return f"(series, scraped, view): {last}\n{scene.tails()}"

    return until(equal, within=within, what="gauges as the view has them", explain=explain)


class Prometheus:
    """Debian's Prometheus with this repository's rules, scraping every 2 s."""

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self.port = free_port()
        config = folder / "prometheus.yml"
        # JSON is YAML too.
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "2s", "evaluation_interval": "500ms"},
                    "rule_files": [str(RULES / f"{name}.rules.yml") for name in RULE_FILES],
                    "scrape_configs": [
                        {
                            "job_name": JOB,
                            "scrape_timeout": "2s",
                            "static_configs": [{"targets": [f"127.0.0.1:{p}" for p in ports]}],
                        }
                    ],
                }
            )
        )
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        self.process = Process("prometheus", command, clean_environment(), folder)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return an answer's data."""
        return json.loads(get(self.port, f"{path}?{urllib.parse.urlencode(parameters)}"))["data"]

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Return each series' labels, without its name, and its value now."""
        return [
            (
                {k: v for k, v in one["metric"].items() if k != "__name__"},
                float(one["value"][1]),
            )
            for one in self.ask("/api/v1/query", query=expr)["result"]
        ]

    def value(self, expr: str) -> float | None:
        """Return the value of the one series, None while there is none."""
        found = self.query(expr)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def await_value(self, expr: str, value: float, within: float = 60) -> None:
        """Wait until an expression has this value."""
        until(
            lambda: self.value(expr) == value,
            within=within,
            what=f"{expr} = {value:g}",
            explain=lambda: f"{self.query(expr)}\n{self.process.tail()}",
        )

    def alerts(self) -> set[tuple[str, str]]:
        """Return the names and states (pending, firing) of the alerts that are active."""
        active = self.ask("/api/v1/alerts")["alerts"]
        return {(alert["labels"]["alertname"], alert["state"]) for alert in active}


RULE_FILES = ("recording", "alerts")


@contextmanager
def prometheus(folder: Path, ports: Sequence[int]) -> Iterator[Prometheus]:
    """Run a Prometheus for the block."""
    running = Prometheus(folder, ports)
    try:

        def answers() -> bool:
            assert running.process.is_running, running.process.tail()
            try:
                return bool(get(running.port, "/-/ready"))
            except OSError:
                return False

        until(answers, within=30, what="Prometheus", explain=running.process.tail)
        yield running
    finally:
        running.process.kill9()
