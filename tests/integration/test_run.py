"""`usage run` as a person has it: it counts, answers, ends with everything it started, goes on."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.waiting import until

START_SECONDS = 120.0
END_SECONDS = 60.0


def start(folder: Path, *arguments: str, name: str = "run", **more: str) -> Process:
    own = {"USAGE_DATA": str(folder / "data"), "USAGE_WEB_PORT": str(free_port())}
    options = ("--rate", "300", *arguments)
    return usage(name, "run", *options, environment=own | more, folder=folder)


def received(run: Process) -> list[int]:
    """The totals of its lines so far; every line's difference must be 0."""
    lines = re.findall(r"received ([\d,]+) = .* difference (\S+);", run.output())
    assert {difference for _, difference in lines} <= {"0"}
    return [int(total.replace(",", "")) for total, _ in lines]


def await_numbers(run: Process, count: int = 1) -> list[int]:
    def enough() -> list[int]:
        assert run.is_running, run.tail()
        found = received(run)
        return found if len(found) >= count else []

    return until(enough, within=START_SECONDS, what="numbers", explain=run.tail)


def children(run: Process) -> dict[int, str]:
    """Process id and command of each of its processes."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    return {int(pid): args for pid, parent, args in rows if int(parent) == run.pid}


def child(run: Process, name: str) -> int:
    found = [pid for pid, command in children(run).items() if command.split()[4:5] == [name]]
    assert len(found) == 1, children(run)
    return found[0]


def is_running(pid: int) -> bool:
    """A zombie has ended; who should have waited for it may be gone."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in {"", "Z"}


def await_none(pids: dict[int, str]) -> None:
    def gone() -> bool:
        return not any(map(is_running, pids))

    until(gone, within=END_SECONDS, what=f"the end of {pids}")


def ask(run: Process, sql: str) -> str:
    where = re.search(r"^store +(http://127\.0\.0\.1:\d+)", run.output(), re.MULTILINE)
    assert where, run.tail()
    url = f"{where[1]}/?database=usage"
    with urllib.request.urlopen(url, sql.encode(), timeout=10) as answer:
        return str(answer.read().decode().strip())


def await_some(run: Process, sql: str) -> None:
    until(lambda: int(ask(run, sql)) > 0, within=START_SECONDS, what=sql, explain=run.tail)


def pages_answer(run: Process) -> None:
    worker = re.search(
        r"^worker +(http://\S+/)metrics, /healthz, /readyz$", run.output(), re.MULTILINE
    )
    assert worker
    for page in ("metrics", "healthz", "readyz"):
        with urllib.request.urlopen(worker[1] + page, timeout=10) as answer:
            assert answer.status == 200


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Process]:
    process = start(tmp_path)
    await_numbers(process)
    yield process
    process.kill9()


def the_api_answers(run: Process) -> None:
    """Paste the line that asks, and open the link twice."""
    line = re.search(r"^ask +(curl .*)$", run.output(), re.MULTILINE)
    assert line, run.tail()
    done = subprocess.run(["bash", "-c", line[1]], capture_output=True, text=True, timeout=60)
    document = json.loads(done.stdout)
    assert document["view"] == "request_summary"
    assert document["rows"][0]["requests"] > 0
    link = re.search(r"^open +http://127\.0\.0\.1:(\d+)(/\S+)", run.output(), re.MULTILINE)
    assert link, run.tail()
    connection = http.client.HTTPConnection("127.0.0.1", int(link[1]), timeout=30)
    connection.request("GET", link[2])
    entered = connection.getresponse()
    entered.read()
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    connection.request("GET", "/v1/me", headers={"Cookie": cookie.partition(";")[0]})
    assert json.load(connection.getresponse())["scope"] == "*"
    connection.request("GET", link[2])
    assert connection.getresponse().status == 404
    connection.close()


def test_it_counts_and_ends_and_goes_on_from_what_is_stored(run: Process, tmp_path: Path) -> None:
    """And, meanwhile: one folder has one run; ports that are taken are no hindrance."""
    for column, table in (  # the first numbers are those of the world's entities
        ("count()", "entities"),
        ("sum(requests)", "requests_1m"),
        ("sum(actions)", "tasks_1m"),
        ("sum(events)", "events_1m"),
    ):
        await_some(run, f"SELECT {column} FROM {table}")
    processes = children(run)
    assert len(processes) == 5

    command = re.search(r"^try +(curl .*)$", run.output(), re.MULTILINE)
    assert command
    answer = subprocess.run(shlex.split(command[1]), capture_output=True, text=True, check=True)
    assert int(answer.stdout) > 0, "the line that it suggests works"
    pages_answer(run)
    the_api_answers(run)

    second = start(tmp_path, name="second")
    assert second.wait(END_SECONDS) != 0
    assert "already runs on" in second.output()
    assert run.is_running
    before = await_numbers(run, 3)[-1]

    os.kill(run.pid, signal.SIGINT)
    assert run.wait(END_SECONDS) == 0, run.tail()
    await_none(processes)

    # A worker serves on all interfaces: it is in the way wherever somebody listens.
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        again = start(tmp_path, name="again", USAGE_WEB_PORT=str(port))
        first = await_numbers(again)[0]
        assert first >= before, "the stored totals are still there"
        until(
            lambda: received(again)[-1] > first,
            within=START_SECONDS,
            what="new events that add to them",
            explain=again.tail,
        )
        assert f":{port}/" not in again.output()
        pages_answer(again)
        assert again.terminate(END_SECONDS) == 0, again.tail()

    short = start(tmp_path, "--for", "0.1", name="short")
    assert short.wait(START_SECONDS) == 0, short.tail()


def test_nothing_outlives_it_even_if_it_is_killed(run: Process) -> None:
    processes = children(run)
    assert len(processes) == 5
    os.kill(run.pid, signal.SIGKILL)
    await_none(processes)


@pytest.mark.parametrize("name", ["worker", "store"])
def test_a_process_that_dies_is_named_and_ends_all(run: Process, name: str) -> None:
    processes = children(run)
    os.kill(child(run, name), signal.SIGKILL)
    assert run.wait(END_SECONDS) != 0
    assert f"the {name} was killed by SIGKILL" in run.output()
    await_none(processes)
