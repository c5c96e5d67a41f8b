"""Builds distributions: the same commit gives the same bytes, wherever it is checked out."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from release import locked, sbom

ROOT = Path(__file__).parents[1]
SBOM, LOCK, CHECKSUMS = "sbom.cdx.json", "requirements.lock", "SHA256SUMS"
_OURS = ("usage_pipeline*.whl", "usage_pipeline-*.tar.gz", SBOM, LOCK, CHECKSUMS, ".gitignore")


class Unbuildable(Exception):
    """Something that a release needs is not here; the sentence says what."""


def version() -> str:
    """Return the version, from its one place: ``pyproject.toml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def epoch() -> int:
    """Return the moment that a release bears: the last commit's, unless SOURCE_DATE_EPOCH is set.

    Raises:
        Unbuildable: neither is there.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise Unbuildable("no git checkout here, so SOURCE_DATE_EPOCH must say of when this is")
    return int(done.stdout)


def build(folder: Path) -> list[Path]:
    """Build into a folder, in place of an earlier release; return its files, the checksums last.

    Without cargo, the compiled reader's wheel is missing.

    Raises:
        Unbuildable: what is missing here, or has failed.
    """
    empty(folder)
    target = folder.resolve()
    moment = epoch()
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(moment), "CI": "1"}
    # The wheel is built of the sdist, with what the lock has installed here: nothing is fetched.
    uv = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation"]
    _run([*uv, "--no-create-gitignore", "--out-dir", str(target)], environment)
    _run(["native/build.sh", str(Path(sys.executable).parent), "dist", str(target)], environment)
    shutil.copyfile(ROOT / LOCK, target / LOCK)
    text = sbom.document(version(), moment, pinned())
    (target / SBOM).write_text(text, encoding="utf-8")
    built = sorted(folder.iterdir())
    (folder / CHECKSUMS).write_text("".join(_checksums(built)), encoding="utf-8")
    return [*built, folder / CHECKSUMS]


def empty(folder: Path) -> None:
    """Make the folder, without the files of an earlier release.

    Raises:
        Unbuildable: there is something else in it; nothing was deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = set(folder.iterdir())
    ours = {path for pattern in _OURS for path in folder.glob(pattern)}
    if others := sorted(path.name for path in there - ours):
        raise Unbuildable(
            f"{folder} has {others[0]}, which is no release's file: expected an empty folder, or "
            "an earlier release's; name another one"
        )
    for path in ours:
        path.unlink()


def pinned() -> Iterator[locked.Pinned]:
    """Yield all that a release is built of or installed with."""
    yield from locked.requirements(_text(LOCK))
    yield from locked.crates(_text("native/crates.txt"), _text("native/Cargo.toml"))
    yield from locked.page(_text("web/package-lock.json"))


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _checksums(built: list[Path]) -> Iterator[str]:
    """Lines as ``sha256sum --check`` reads them."""
    for path in built:
        yield f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise Unbuildable(f"{' '.join(command)} has failed (exit code {done.returncode})")
