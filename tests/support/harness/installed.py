"""The package as a user installs it: a wheel of this checkout in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]

OBJECTS = ROOT / "native" / "target" / "dist"
"""Where `native/build.sh … dist` leaves what the compiler makes: crates are compiled once."""


@contextmanager
def compiling() -> Iterator[dict[str, str]]:
    """Provide the environment to build the compiled reader in, of any checkout; one at a time."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with (OBJECTS / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield {"CARGO_TARGET_DIR": str(OBJECTS)}


def build_wheel(folder: Path) -> Path:
    """Build the checkout's wheel into a folder; return its path."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    run([*build, "--directory", str(folder)], cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Installed:
    """A virtual environment with the wheel, and the extras that one asks for."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.wheel = wheel
        run([sys.executable, "-m", "uv", "venv", "-q", str(folder)], cwd=folder.parent)

    def install(self, extras: str = "") -> None:
        """Install the wheel with extras (``[confluent]``), at the versions that are locked."""
        wanted = f"usage-pipeline{extras} @ {self.wheel.as_uri()}"
        pip = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(self.folder)]
        run([*pip, "-c", str(ROOT / "requirements.lock"), wanted], cwd=self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """Return an environment in which ``python`` and ``usage`` are the installed ones."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("USAGE_", "PYTHON"))}
        return kept | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run some code, away from the checkout."""
        return subprocess.run(
            [self.folder / "bin" / "python", "-c", code],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )


def run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; it must succeed."""
    assert shutil.which(command[0], path=(env or os.environ)["PATH"]), f"no {command[0]} here"
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
