"""The Dockerfile's steps, in order, on this machine: what comes of them runs a worker.

Left out are the base image itself and its user's creation; the user's number is used, as root.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from release.build import epoch
from tests.support.harness import compose, flood
from tests.support.harness.flood import Flood
from tests.support.harness.installed import compiling, run
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

INSTALLED = "/opt/usage"
BUILDING = "/opt/build"
"""Of the stage that builds the compiled reader."""
IMAGES = ("python:3.12-slim-bookworm", "rust:1.95-slim-bookworm")
LEFT_OUT = ("useradd ", "apt-get ")
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
        self.folder = self.root = folder
        self.context = folder / "context"
        self.installed = folder / "usage"
        self.working = folder
        self.environment: dict[str, str] = {}
        self.objects: dict[str, str] = {}
        self.user = ""
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self._fill_context()

    def _fill_context(self) -> None:
        """Copy what .dockerignore lets through: all else is not there for COPY."""
        first, *lines = (compose.ROOT / ".dockerignore").read_text().split()
        assert first == "**"
        kept_out = [Path(line).name for line in lines if not line.startswith("!")]
        for name in [line[1:] for line in lines if line.startswith("!")]:
            there, here = compose.ROOT / name, self.context / name
            here.parent.mkdir(parents=True, exist_ok=True)
            if there.is_dir():
                shutil.copytree(there, here, ignore=shutil.ignore_patterns(*kept_out))
            else:
                shutil.copy(there, here)

    def build(self) -> None:
        """Carry out every instruction."""
        with compiling() as self.objects:
            for name, rest in compose.dockerfile():
                getattr(self, f"_{name.lower()}")(rest)

    def _from(self, image: str) -> None:
        name, _, stage = image.partition(" AS ")
        assert name in IMAGES
        self.root = self.stage(stage or "last")
        self.environment, self.working = {}, self.root

    def stage(self, name: str) -> Path:
        """Return the root of a stage's file system."""
        return self.folder / "stages" / name

    def _arg(self, name: str) -> None:
        assert name == "SOURCE_DATE_EPOCH", "known to every build"
        self.environment[name] = str(epoch())

    def _workdir(self, path: str) -> None:
        self.working = self.root / path.lstrip("/")
        self.working.mkdir(parents=True, exist_ok=True)

    def _env(self, pairs: str) -> None:
        for pair in pairs.split():
            name, _, value = pair.partition("=")
            self.environment[name] = self._here(value).replace("$PATH", os.environ["PATH"])

    def _run(self, command: str) -> None:
        parts = [one for one in command.split(" && ") if not one.startswith(LEFT_OUT)]
        if not parts:
            return
        shell = re.sub(
            r"\bpython3? -m venv", f"{sys.executable} -m venv", self._here(" && ".join(parts))
        )
        kept = {k: v for k, v in self.environment.items() if k not in NOT_HERE}
        environment = clean_environment() | kept | self.objects
        del environment["PYTHONPATH"]
        done = subprocess.run(
            ["sh", "-c", shell], cwd=self.working, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def _copy(self, names: str) -> None:
        *sources, target = names.split()
        place = self.context
        if sources[0].startswith("--from="):
            place = self.stage(sources.pop(0).removeprefix("--from="))
        if INSTALLED in sources:
            assert sources == [target] == [INSTALLED], "a venv works only where it was made"
            return
        for source in sources:
            there, here = place / source.lstrip("/"), self.working / target
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
        built = str(self.stage("native") / BUILDING.lstrip("/"))
        return text.replace(INSTALLED, str(self.installed)).replace(BUILDING, built)

    def start(self, *arguments: str, log: Path, **environment: str) -> Process:
        """Run the image: its entrypoint, as its user, in its folder, with this environment only."""
        assert self.user.isdigit(), "Kubernetes can tell that a number is not root"
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        command = [*(become if os.geteuid() == 0 else []), *self.entrypoint]
        command += arguments or self.command
        # Processes start in /, as containers without a WORKDIR do.
        moved = ["sh", "-c", 'cd / && exec "$@"', "sh", *command]
        return Process(arguments[0], moved, self.environment | environment, log)


def test_the_compiler_is_one_that_the_crate_takes() -> None:
    """And both stages are of one release of Debian: what is built in one runs in the other."""
    manifest = tomllib.loads((compose.ROOT / "native" / "Cargo.toml").read_text())
    oldest = Version(manifest["package"]["rust-version"])
    froms = [rest.partition(" AS ")[0] for name, rest in compose.dockerfile() if name == "FROM"]
    [compiler] = {one for one in froms if one.startswith("rust:")}
    assert Version(compiler.removeprefix("rust:").partition("-")[0]) >= oldest
    assert len({one.rpartition("-")[2] for one in froms}) == 1


def of_the_checkout(wheel: Path) -> Path:
    """Build the compiled reader of the same commit in another folder: the same bytes."""
    build = ["native/build.sh", str(Path(sys.executable).parent), "dist", str(wheel.parent)]
    with compiling() as objects:
        moment = {"SOURCE_DATE_EPOCH": str(epoch())}
        run(build, cwd=compose.ROOT, env=os.environ | moment | objects)
    return wheel


def test_the_image_counts(scene: Scene, open_folder: Path, tmp_path: Path) -> None:
    image = Image(open_folder)
    image.build()
    assert not list(image.installed.glob("lib/python*/site-packages/chdb")), "its size"
    [wheel] = image.stage("build").glob("src/wheels/*.whl")
    assert wheel.read_bytes() == of_the_checkout(tmp_path / wheel.name).read_bytes()
    scene.partitions = 2
    settings = scene.environment(USAGE_PARTITIONS="2", USAGE_WEB_PORT=str(free_port()))
    for arguments in (("topics", "create"), ("migrate",)):
        done = image.start(*arguments, log=tmp_path, **settings)
        assert done.wait(60) == 0, done.tail()
    flooded = Flood(scene)
    flooded.send(2000)
    worker = image.start("worker", log=tmp_path, **settings, USAGE_READER="compiled")
    try:
        until(
            lambda: scene.received() >= flooded.sent,
            within=60,
            what="all events in the ledger",
            explain=worker.tail,
        )
        assert not list(flood.differences(scene, flooded))
        assert "the compiled reader reads" in worker.output()
        assert worker.terminate() == 0, worker.tail()
    finally:
        if worker.is_running:
            worker.kill9()
