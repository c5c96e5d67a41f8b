"""How a process ends whose main thread is blocked when the signal comes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

BLOCKED = """
import sys, time
from pipeline.process.ending import Ending
Ending(lambda: print("asked", flush=True), float(sys.argv[1]))
print("up", flush=True)
time.sleep(60)
"""
LONG, SHORT = 50.0, 0.2

Started = subprocess.Popen[str]


@pytest.fixture
def blocked(request: pytest.FixtureRequest) -> Iterator[Started]:
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(request.param)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("blocked", [LONG], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_it_at_once(blocked: Started, number: signal.Signals) -> None:
    blocked.send_signal(signal.SIGTERM)
    assert blocked.stdout is not None
    assert blocked.stdout.readline() == "asked\n"
    assert blocked.poll() is None
    blocked.send_signal(number)
    assert blocked.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("blocked", [SHORT], indirect=True)
def test_the_first_signal_ends_it_in_time(blocked: Started) -> None:
    blocked.send_signal(signal.SIGINT)
    _, said = blocked.communicate(timeout=60)
    assert blocked.returncode == 128 + signal.SIGINT
    assert (
        said == "did not stop within 0.2 s: ended as it is, whoever goes on counts what it held\n"
    )
