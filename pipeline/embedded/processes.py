"""Processes of `usage run`: each with a log file, none outliving the one that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.process.interrupts import Interrupts

POLL_SECONDS = 0.05
START_SECONDS = 180.0
"""Long enough for a busy machine, and for a slow disk on which chDB's library alone takes seconds
to load, the first time. One that ends instead of coming up is noticed at once."""
TAIL_LINES = 15
LOOPBACK, EVERYWHERE = "127.0.0.1", ""


class Child:
    """One subcommand of `usage` in a process of its own, in a session of its own.

    A terminal's Ctrl-C goes to a whole session; ours ends its children itself, in order.
    """

    def __init__(self, name: str, arguments: Sequence[str], logs: Path, env: Mapping[str, str]):
        self.name = name
        self.log = logs / f"{name}.log"
        if self.log.exists():
            self.log.replace(logs / f"{name}.previous.log")
        watched, self._kept = os.pipe()
        command = [sys.executable, "-m", "pipeline.cli.child", str(watched), *arguments]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**env, "PYTHONUNBUFFERED": "1"},
                pass_fds=(watched,),
                start_new_session=True,
            )
        os.close(watched)

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.code is None:
            self._process.send_signal(number)

    def reap(self, seconds: float) -> None:
        """Wait for the end, and kill it after so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._kept >= 0:
            os.close(self._kept)
            self._kept = -1

    def tail(self, lines: int = TAIL_LINES) -> list[str]:
        """The last lines of its log that say something."""
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-lines:]

    def said(self, beginning: str) -> bool:
        """Whether a line of its log begins so, up to a space or the line's end."""
        lines = self.log.read_text(errors="replace").splitlines()
        return any(f"{line} ".startswith(f"{beginning} ") for line in lines)

    def after(self, beginning: str) -> str:
        """What follows a line's beginning in its log; empty where no line begins so."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((one.removeprefix(beginning) for one in lines if one.startswith(beginning)), "")

    def how_it_ended(self) -> str:
        """A sentence's end: `exited with 1: its last line`."""
        code = self.code
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"exited with {code}"
        return ": ".join([how, *self.tail(1)])


class Interrupted(Exception):
    """Somebody wants to end while something was being awaited."""


def wait_until_ready(
    child: Child, ready: Callable[[], bool], seconds: float, interrupts: Interrupts
) -> None:
    """Wait until `ready` says so.

    Raises:
        UsageError: the child ended, or was not ready in time; the end of its log is on stderr.
        Interrupted: a signal came.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if child.code is not None and not ready():
            raise _failed(child, child.how_it_ended())
        if time.monotonic() > deadline:
            raise _failed(child, f"did not come up within {seconds:.0f} seconds")
        if interrupts.wait(POLL_SECONDS):
            raise Interrupted


def wait_until_done(child: Child, seconds: float, interrupts: Interrupts) -> None:
    """Wait until a child has done its work and ended; raises as `wait_until_ready` does."""
    wait_until_ready(child, lambda: child.code == 0, seconds, interrupts)
    child.reap(0)


def end(children: Iterable[Child], seconds: float, interrupts: Interrupts) -> None:
    """Ask all of them to end, wait so many seconds at most, kill who is left.

    A second signal, counted from the program's start, ends the patience.
    """
    children = list(children)
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(child.code is None for child in children):
        if time.monotonic() > deadline or interrupts.count > 1:
            break
        time.sleep(POLL_SECONDS / 5)
    for child in children:
        child.reap(0)


def free_port(preferred: int, host: str = LOOPBACK) -> int:
    """The preferred port if nobody listens there, else one that is free.

    Args:
        preferred: the port.
        host: where it is to be listened on, `LOOPBACK` or, all interfaces, `EVERYWHERE`: a port
            that is free on one may be taken on another.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UsageError("no port of this machine is free")


def _failed(child: Child, how: str) -> UsageError:
    for line in child.tail():
        print(f"{child.name}: {line}", file=sys.stderr)
    return UsageError(f"the {child.name} {how}; all that it said is in {child.log}")
