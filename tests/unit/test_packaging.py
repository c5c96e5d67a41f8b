"""What an installed wheel holds: all that the program needs without its repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from pipeline.clickhouse.schema import resources

ROOT = Path(__file__).parents[2]


def test_a_wheel_finds_the_migrations_of_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(tmp_path)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)

    find = "from pipeline.clickhouse.schema import resources; print(resources.migrations())"
    found = subprocess.run(
        [sys.executable, "-P", "-c", find],
        env={"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    folder = Path(found.stdout.strip())
    assert folder.is_relative_to(installed)
    expected = {path.name: path.read_text() for path in resources.migrations().iterdir()}
    assert expected
    assert {path.name: path.read_text() for path in folder.iterdir()} == expected
