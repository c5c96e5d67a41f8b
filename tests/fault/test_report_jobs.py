"""Reports whose API process is killed: taken up by another, never half a file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.harness.api_world import address, filled
from tests.support.harness.process import Process, clean_environment, free_port, usage
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

pytestmark = pytest.mark.faults

WANTED = {
    "views": ["cost_trend", "requests_over_time"],
    "format": "json",
    "grain": "minute",
    "since": "2024-01-01T00:00:00Z",
    "until": "2025-04-01T00:00:00Z",
}


class Apis:
    """API processes that share a folder of reports."""

    def __init__(self, environment: dict[str, str], folder: Path, key: str) -> None:
        self._environment = environment
        self._folder = folder
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.pool = urllib3.PoolManager(retries=False)

    def start(self, name: str) -> tuple[Process, str]:
        """Start one; returns it and where it answers."""
        port = free_port()
        environment = {**self._environment, "USAGE_API_PORT": str(port)}
        process = usage(name, "api", environment=environment, folder=self._folder)
        until(
            lambda: "api ready" in process.output(),
            within=60,
            what="the API",
            explain=process.output,
        )
        return process, f"http://127.0.0.1:{port}"

    def ask(self, url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        """Ask one."""
        answer = self.pool.request(method, url, headers=self._headers, body=body)
        return answer.status, answer.data


@pytest.fixture
def apis(store: EmbeddedStore, tmp_path: Path) -> Iterator[Apis]:
    """Provide API processes over a seeded world."""
    with filled(store.port) as settings:
        environment = {
            "USAGE_CLICKHOUSE": address(settings),
            "USAGE_REPORTS": str(tmp_path / "reports"),
        }
        command = [sys.executable, "-m", "pipeline.cli", "key", "create", "--role", "manager"]
        made = subprocess.run(
            [*command, "--scope", "*"],
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        yield Apis(environment, tmp_path, made.stdout.strip())


def test_a_killed_report_is_taken_up_and_never_half(apis: Apis, tmp_path: Path) -> None:
    first, url = apis.start("first")
    status, body = apis.ask(f"{url}/v1/reports", "POST", json.dumps(WANTED).encode())
    assert status == 202, body
    job = json.loads(body)["id"]
    folder = tmp_path / "reports" / job

    def standing(at: str) -> Callable[[], dict[str, Any]]:
        return lambda: json.loads(apis.ask(f"{at}/v1/reports/{job}")[1])

    until(lambda: standing(url)()["rows"] > 0, within=60, what="the first rows", every=0.01)
    first.kill9()
    assert not list(folder.glob("file.json"))
    assert list(folder.glob("file.part"))

    second, url = apis.start("second")
    found = until(
        lambda: (s := standing(url)())["status"] == "done" and s,
        within=120,
        what="the report",
        explain=second.output,
    )
    status, body = apis.ask(f"{url}{found['file']}")
    assert status == 200
    assert hashlib.sha256(body).hexdigest() == found["sha256"]
    views = json.loads(body)["views"]
    assert [one["view"] for one in views] == WANTED["views"]
    assert sum(len(one["rows"]) for one in views) == found["rows"]
    assert json.loads((folder / "state.json").read_bytes())["begun"] == 2
    assert not list(folder.glob("file.part"))
    assert second.terminate() == 0
