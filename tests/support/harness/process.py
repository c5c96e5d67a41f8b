"""One child process: its output kept in a file, killed, paused, and always ended."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.support.harness.waiting import until

_LAUNCH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
_running: set[Process] = set()
_FIRST_PORTS = range(10_000, 30_000, 500)
"""Of ranges of ports, below those that the kernel gives to connections."""


class Process:
    """A command in a process group of its own; stdout and stderr go to ``<folder>/<name>.log``."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [*_LAUNCH, *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _running.add(self)

    @property
    def pid(self) -> int:
        """The process id; also that of its group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._popen.poll()

    @property
    def is_running(self) -> bool:
        """Say whether it has not ended yet (a paused one has not)."""
        return self.exit_code is None

    def output(self) -> str:
        """Return all that it has printed so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def said(self) -> list[str]:
        """Return the lines it has printed."""
        return self.output().splitlines()

    def tail(self, lines: int = 25) -> str:
        """Return the end of its output, headed by its name and state, for failure messages."""
        state = "running" if self.is_running else f"exit code {self.exit_code}"
        end = "\n".join(self.output().splitlines()[-lines:])
        return f"--- {self.name} ({state}): {self.log}\n{end}\n"

    def await_output(self, text: str, within: float = 90) -> None:
        """Wait until it has printed the text; fail when it ends before."""

        def printed() -> bool:
            if text in self.output():
                return True
            assert self.is_running, f"ended before it printed {text!r}\n{self.tail()}"
            return False

        until(printed, within=within, what=f"{text!r} from {self.name}", explain=self.tail)

    def wait(self, within: float = 90) -> int:
        """Wait for its end and return its exit code."""
        until(
            lambda: not self.is_running,
            within=within,
            what=f"the end of {self.name}",
            explain=self.tail,
        )
        _running.discard(self)
        assert self.exit_code is not None
        return self.exit_code

    def kill9(self) -> None:
        """End the whole group with SIGKILL and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._popen.wait()
        _running.discard(self)

    def pause(self) -> None:
        """SIGSTOP: it is there, holds its connections, and does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        self._signal(signal.SIGCONT)

    def terminate(self, within: float = 90) -> int:
        """SIGTERM, then wait for its own end; return the exit code."""
        self._signal(signal.SIGTERM)
        return self.wait(within)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def usage(name: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> Process:
    """Start ``usage <arguments>`` from this checkout; only ``environment``'s USAGE_… are seen."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return Process(name, command, {**clean_environment(), **environment}, folder)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would set the program or the tests up."""
    root = str(Path(__file__).parents[3])
    # pytest brings a terminal's size into the environment, whatever there is.
    own = ("USAGE_", "FAULT_", "COLUMNS", "LINES")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return kept | {"PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """Return a TCP port that nothing listens on, and that no other process is about to take."""
    ports = _own_ports()
    for port in itertools.islice(ports, _FIRST_PORTS.step):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
    raise AssertionError("no port of this process is free")


@cache
def _own_ports() -> Iterator[int]:
    """Claim a range of ports for as long as this process lives, and return them, over and over.

    What the kernel chose might be somebody's connection's by the time that it is listened on.
    """
    first = next(filter(_holds, _FIRST_PORTS))
    return itertools.cycle(range(first + 1, first + _FIRST_PORTS.step))


def _holds(port: int) -> bool:
    held = socket.socket()
    try:
        held.bind(("", port))
    except OSError:
        held.close()
        return False
    held.detach()  # until this process ends
    return True


def _end_all() -> None:
    for process in list(_running):
        process.kill9()


atexit.register(_end_all)
