"""The Dockerfile's steps, in order, on this machine: what comes of them runs a worker.

Left out are the base image itself and its user's creation; the user's number is used, as root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import compose, flood
from tests.support.harness.flood import Flood
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

INSTALLED = "/opt/usage"
IMAGE_PYTHON = (3, 12)
LEFT_OUT = ("useradd ",)
# The cache stays out of an image, not off this machine.
NOT_HERE = {"PIP_NO_CACHE_DIR"}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Provide a folder that the image's user can read too, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Image:
    """The steps carried out below one folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.context = folder / "context"
        self.installed = folder / "usage"
        self.working = folder
        self.environment: dict[str, str] = {}
        self.user = ""
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self._fill_context()

    def _fill_context(self) -> None:
        """Copy what .dockerignore lets through: all else is not there for COPY."""
        first, *lines = (compose.ROOT / ".dockerignore").read_text().split()
        assert first == "**"
        for name in [line[1:] for line in lines if line.startswith("!")]:
            there, here = compose.ROOT / name, self.context / name
            here.parent.mkdir(parents=True, exist_ok=True)
            if there.is_dir():
                shutil.copytree(there, here, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(there, here)

    def build(self) -> None:
        """Carry out every instruction."""
        for name, rest in compose.dockerfile():
            getattr(self, f"_{name.lower()}")(rest)

    def _from(self, image: str) -> None:
        assert image.split(maxsplit=1)[0] == "python:{}.{}-slim".format(*IMAGE_PYTHON)
        self.environment, self.working = {}, self.root

    def _workdir(self, path: str) -> None:
        self.working = self.root / path.lstrip("/")
        self.working.mkdir(parents=True, exist_ok=True)

    def _env(self, pairs: str) -> None:
        for pair in pairs.split():
            name, _, value = pair.partition("=")
            self.environment[name] = self._here(value).replace("$PATH", os.environ["PATH"])

    def _run(self, command: str) -> None:
        if command.startswith(LEFT_OUT):
            return
        shell = self._here(command).replace("python -m venv", f"{sys.executable} -m venv")
        kept = {k: v for k, v in self.environment.items() if k not in NOT_HERE}
        environment = clean_environment() | kept
        del environment["PYTHONPATH"]
        done = subprocess.run(
            ["sh", "-c", shell], cwd=self.working, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def _copy(self, names: str) -> None:
        *sources, target = names.split()
        if sources[0] == "--from=build":
            assert sources[1:] == [target] == [INSTALLED], "a venv works only where it was made"
            return
        for source in sources:
            there, here = self.context / source, self.working / target
            if there.is_dir():
                shutil.copytree(there, here, dirs_exist_ok=True)
            else:
                shutil.copy(there, here)

    def _user(self, user: str) -> None:
        self.user = user

    def _entrypoint(self, words: str) -> None:
        self.entrypoint = json.loads(words)

    def _cmd(self, words: str) -> None:
        self.command = json.loads(words)

    def _here(self, text: str) -> str:
        return text.replace(INSTALLED, str(self.installed))

    def start(self, *arguments: str, log: Path, **environment: str) -> Process:
        """Run the image: its entrypoint, as its user, in its folder, with this environment only."""
        assert self.user.isdigit(), "Kubernetes can tell that a number is not root"
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        command = [*(become if os.geteuid() == 0 else []), *self.entrypoint]
        command += arguments or self.command
        # Processes start in /, as containers without a WORKDIR do.
        moved = ["sh", "-c", 'cd / && exec "$@"', "sh", *command]
        return Process(arguments[0], moved, self.environment | environment, log)


def test_the_image_counts(scene: Scene, open_folder: Path, tmp_path: Path) -> None:
    image = Image(open_folder)
    image.build()
    assert not list(image.installed.glob("lib/python*/site-packages/chdb")), "its size"
    scene.partitions = 2
    settings = scene.environment(USAGE_PARTITIONS="2", USAGE_WEB_PORT=str(free_port()))
    for arguments in (("topics", "create"), ("migrate",)):
        done = image.start(*arguments, log=tmp_path, **settings)
        assert done.wait(60) == 0, done.tail()
    flooded = Flood(scene)
    flooded.send(2000)
    worker = image.start("worker", log=tmp_path, **settings)
    try:
        until(
            lambda: scene.received() >= flooded.sent,
            within=60,
            what="all events in the ledger",
            explain=worker.tail,
        )
        assert not list(flood.differences(scene, flooded))
        assert worker.terminate() == 0, worker.tail()
    finally:
        if worker.is_running:
            worker.kill9()
