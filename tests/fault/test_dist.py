"""What `make dist` builds: the same bytes anywhere, and a program that needs no checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.build import CHECKSUMS, LOCK, epoch, version
from tests.support.harness.installed import ROOT, Installed, compiling, run
from tests.support.harness.process import Process, free_port
from tests.support.harness.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

HOSTS = re.compile(rb"pypi\.org|pythonhosted|crates\.io-|registry\+|npmjs\.org/")
"""As tools write them where they say from where a package came."""


def build(checkout: Path, folder: Path, **environment: str) -> Path:
    """Build a checkout's release into a folder."""
    moment = {"SOURCE_DATE_EPOCH": str(epoch()), "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-P", "-m", "release", str(folder)]
    with compiling() as objects:
        run(command, cwd=checkout, env=os.environ | moment | objects | environment)
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("here") / "dist")


def test_a_copy_elsewhere_builds_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Without cargo: all but the compiled reader."""
    copy = tmp_path / "elsewhere" / "checkout"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, run(listed, cwd=ROOT).split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
            (copy / name).chmod((ROOT / name).stat().st_mode)
    without_cargo = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    again = build(copy, tmp_path / "dist", PATH=without_cargo)
    here, there = (
        {path.name: path.read_bytes() for path in one.iterdir()} for one in (dist, again)
    )
    [native] = (name for name in here if name.startswith("usage_pipeline_native"))
    assert len(here) == 6, sorted(here)
    assert there.keys() >= here.keys() - {native}
    assert not [name for name in there if name != CHECKSUMS and there[name] != here[name]]


def test_checksums_are_of_all_files(dist: Path) -> None:
    checked = run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=dist).splitlines()
    assert sorted(checked) == sorted(
        f"{path.name}: OK" for path in dist.iterdir() if path.name != CHECKSUMS
    )


def test_nothing_says_from_where_packages_came_or_where_it_was_built(dist: Path) -> None:
    places = re.compile(rb"|".join((HOSTS.pattern, re.escape(str(ROOT).encode()), rb"\.cargo/reg")))
    found = {name for name, content in contents(dist) if places.search(content)}
    assert not {name for name in found if not name.startswith("tests/")}
    assert not [name for name, _ in contents(dist) if name.endswith(("Cargo.lock", ".pyc"))]


def contents(dist: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of every distribution, and those beside them."""
    for path in dist.iterdir():
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                yield from ((name, wheel.read(name)) for name in wheel.namelist())
        elif path.suffix == ".gz":
            with tarfile.open(path) as sdist:
                for one in sdist.getmembers():
                    opened = sdist.extractfile(one)
                    assert opened is not None, f"{one.name} is no file"
                    yield one.name.partition("/")[2], opened.read()
        else:
            yield path.name, path.read_bytes()


class Release(Installed):
    """The release's wheels, installed as `docs/releasing.md` says: all with their hashes."""

    def __init__(self, folder: Path, dist: Path) -> None:
        (wheel,) = dist.glob("usage_pipeline-*.whl")
        super().__init__(folder, wheel)
        own = folder / "wheels.txt"
        sums = (line.split() for line in (dist / CHECKSUMS).read_text().splitlines())
        own.write_text(
            "".join(
                f"{dist / name} --hash=sha256:{digest}\n"
                for digest, name in sums
                if name.endswith(".whl")
            )
        )
        pip = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(folder)]
        run([*pip, "--require-hashes", "-r", str(dist / LOCK)], cwd=folder)
        run([*pip, "--require-hashes", "--no-deps", "-r", str(own)], cwd=folder)

    def usage(self, *arguments: str, **environment: str) -> str:
        """Run the command away from the checkout; return what it printed."""
        return run(
            ["usage", *arguments], cwd=self.folder.parent, env=self.environment | environment
        )


@pytest.fixture(scope="module")
def release(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release(tmp_path_factory.mktemp("installed") / "venv", dist)


def test_it_says_its_version_and_reads_with_both_readers(release: Release) -> None:
    assert release.usage("--version").strip() == version()
    golden = ROOT / "schemas" / "golden" / "usage.request.v1" / "full.json"
    check = ["sh", "-c", f"usage check --at 2026-03-01T13:00:00Z {golden} 2>&1"]
    for reader in ("python", "compiled"):
        said = run(check, cwd=release.folder, env=release.environment | {"USAGE_READER": reader})
        assert f"the {reader} reader reads" in said.lower()


def test_its_tables_views_schemas_and_page_are_inside(release: Release, tmp_path: Path) -> None:
    port = free_port()
    release.usage("docs", "schemas", "--check")
    place = ("--path", str(tmp_path / "s"), "--port", str(port))
    store = Process(
        "store",
        [str(release.folder / "bin" / "usage"), "store", *place],
        release.environment,
        tmp_path,
    )
    url = {"USAGE_CLICKHOUSE": f"http://127.0.0.1:{port}/usage"}
    try:
        until(lambda: migrated(release, url), within=120, what="tables", explain=store.tail)
        assert "nothing to apply" in release.usage("migrate", **url)
        assert "usage_by_agent" in release.usage("views", **url)
    finally:
        store.terminate()
    page = "from pipeline import web; print(all(web.file(name).body for name in web.FILES))"
    assert release.python(page).stdout == "True\n"


def migrated(release: Release, url: dict[str, str]) -> bool:
    done = subprocess.run(
        ["usage", "migrate"], cwd=release.folder, env=release.environment | url, capture_output=True
    )
    return done.returncode == 0
