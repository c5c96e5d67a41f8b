"""The embedded store in its own process: killed, restarted, copied, and put back to a copy."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.waiting import until


class EmbeddedStore:
    """``usage store`` over one folder; the port stays the same over restarts."""

    def __init__(self, folder: Path, name: str = "store") -> None:
        self._folder = folder
        self._name = name
        self.data = folder / f"{name}-data"
        self.port = free_port()
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running (or last) process."""
        assert self._process is not None, "the store was not started"
        return self._process

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ("store", "--path", str(self.data), "--port", str(self.port))
        self._process = usage(self._name, *arguments, environment={}, folder=self._folder)
        until(self._answers, within=60, what="the embedded store", explain=self.process.tail)

    def _answers(self) -> bool:
        assert self.process.is_running, self.process.tail()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        """End it in order."""
        if self.process.is_running:
            self.process.terminate(60)

    def kill9(self) -> None:
        """Kill it at once."""
        self.process.kill9()

    def copy_to(self, folder: Path) -> None:
        """Copy the stopped store's files."""
        assert not self.process.is_running, "stop the store before copying its files"
        shutil.copytree(self.data, folder, symlinks=True)

    def put_back(self, folder: Path) -> None:
        """Replace the stopped store's files by a copy."""
        assert not self.process.is_running, "stop the store before replacing its files"
        shutil.rmtree(self.data)
        shutil.copytree(folder, self.data, symlinks=True)


def url_at(port: int, database: str) -> str:
    """Return a store's URL at a port of this machine, as USAGE_CLICKHOUSE takes it."""
    return f"http://default:@127.0.0.1:{port}/{database}"
