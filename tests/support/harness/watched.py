"""A worker with its web server's answers and its memory, as an operator sees them."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.harness.process import Process, free_port
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

KIB = 1024
ANSWER_SECONDS = 10.0
"""Longer than the worker waits for its own event loop before it says that it is blocked."""


class Watched:
    """One worker of a scene."""

    def __init__(self, scene: Scene, **environment: str) -> None:
        self.port = free_port()
        self.process: Process = scene.start("worker", "--port", str(self.port), **environment)
        scene.workers.append(self.process)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; (0, '') while nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""

    def says(self, path: str) -> tuple[int, str]:
        """Return /healthz's or /readyz's status and state."""
        status, body = self.get(path)
        return status, str(json.loads(body)["state"]) if body else ""

    def await_says(self, path: str, status: int, state: str, within: float = 30) -> None:
        """Wait until a page answers with this status and says this state."""
        until(
            lambda: self.says(path) == (status, state),
            within=within,
            what=f"{path} to be {status} {state}",
            explain=lambda: f"{self.says(path)}\n{self.process.tail()}",
            every=0.2,
        )

    def _metrics(self) -> str:
        """Return its page of metrics; '' where its event loop did not add what it knows in time."""
        _, text = self.get("/metrics")
        return text if "usage_buffer_events " in text else ""

    def metric(self, name: str) -> float:
        """Return the sum over a metric's samples; 0 without any."""
        text = until(self._metrics, within=60, what="its metrics", explain=self.process.tail)
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        )

    def await_metric(self, name: str, at_least: float, within: float = 60) -> None:
        """Wait until it has grown so large."""
        until(
            lambda: self.metric(name) >= at_least,
            within=within,
            what=f"{name} of {at_least:g}",
            explain=lambda: f"{self.metric(name):g}\n{self.process.tail()}",
            every=0.5,
        )

    def memory_bytes(self) -> int:
        """Return its resident memory."""
        asked = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(asked, check=True, capture_output=True).stdout) * KIB

    def peak_memory_bytes(self) -> int:
        """Return the most it ever had, as the kernel kept it (Linux; elsewhere what it has now)."""
        return peak_memory_bytes(self.process.pid) or self.memory_bytes()

    def handles(self, number: signal.Signals) -> bool:
        """Whether it has a handler of its own for a signal (Linux; elsewhere it is taken so)."""
        told = _kernel_says(self.process.pid, "SigCgt")
        return not told or bool(int(told, 16) >> (number - 1) & 1)

    def pending(self, number: signal.Signals) -> bool:
        """Whether a signal was sent, and not taken yet (Linux; elsewhere it is taken so)."""
        return bool(int(_kernel_says(self.process.pid, "ShdPnd") or "0", 16) >> (number - 1) & 1)


def peak_memory_bytes(pid: int, *, anew: bool = False) -> int:
    """Return the most that a process ever had, or since it was last asked ``anew``; 0: unknown."""
    told = _kernel_says(pid, "VmHWM")
    if anew and told:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return int(told.split()[0]) * KIB if told else 0


def _kernel_says(pid: int, name: str) -> str:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((one.partition(":")[2].strip() for one in lines if one.startswith(name)), "")
