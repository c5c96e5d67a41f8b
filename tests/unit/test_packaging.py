"""What an installed wheel holds: all that the program needs without its repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from pipeline.clickhouse.schema import resources

ROOT = Path(__file__).parents[2]


def test_a_wheel_finds_the_migrations_and_views_of_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(tmp_path)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)

    find = (
        "from pipeline.clickhouse.schema import resources\n"
        "print(resources.migrations(), resources.views(), sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", find],
        env={"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    checkout = (resources.migrations(), resources.views())
    for line, due in zip(found.stdout.splitlines(), checkout, strict=True):
        folder = Path(line)
        assert folder.is_relative_to(installed)
        assert texts(due)
        assert texts(folder) == texts(due)


def texts(folder: Path) -> dict[str, str]:
    """The files of a folder and of those in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}
