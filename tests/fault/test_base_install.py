"""The base install is all that a producer in Python needs, and it brings nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness.installed import Installed, build_wheel, run

pytestmark = pytest.mark.faults

BUILDS = """
import sys
from decimal import Decimal
from schemas import TYPES, Entity, ProductEvent, RecipeAction, Request, encoding

request = Request(operation="chat", model="m", status_code=200, duration_ms=1, cost=Decimal("0.1"))
for data in (
    request,
    RecipeAction(recipe_id="r", job_id="j", step=1, kind="call", outcome="failed"),
    ProductEvent(name="n"),
    Entity(entity="user", entity_id="u"),
):
    value = encoding.encode(encoding.event(data, tenant="acme", source="/s"))
    print(value.decode())
try:
    encoding.encode(encoding.event(request, tenant="", source="/s"))
except encoding.InvalidEvent as error:
    print("refused:", error)
assert len(TYPES) == 5
ours = {name.partition(".")[0] for name in sys.modules}
assert not ours & {"pipeline", "agents"}, ours
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("base")
    base = Installed(folder / "venv", build_wheel(folder))
    base.install()
    return base


def test_it_brings_msgspec_and_nothing_else(installed: Installed) -> None:
    frozen = [sys.executable, "-m", "uv", "pip", "freeze", "--python", str(installed.folder)]
    names = {
        line.split("==")[0].split(" @")[0] for line in run(frozen, cwd=Path.cwd()).splitlines()
    }
    assert names == {"msgspec", "usage-pipeline"}


def test_it_builds_checks_and_encodes_events(installed: Installed) -> None:
    done = installed.python(BUILDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"specversion":"1.0"') == 4
    assert "refused: usage.request.v1: " in done.stdout


def test_its_files_are_there(installed: Installed) -> None:
    find = "from schemas.generate import files; print(files.stale(files.ROOT), files.ROOT)"
    done = installed.python(find)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] "), done.stdout
    assert str(installed.folder) in done.stdout


@pytest.mark.parametrize("arguments", [["worker"], ["--help"], ["docs", "schemas", "--check"]])
def test_the_command_says_what_to_install(installed: Installed, arguments: list[str]) -> None:
    command = [str(installed.folder / "bin" / "usage"), *arguments]
    done = subprocess.run(command, env=installed.environment, capture_output=True, text=True)
    assert done.returncode == 78
    assert done.stderr == (
        "usage: the library click is not installed, which this command needs: "
        "pip install 'usage-pipeline[pipeline]'\n"
    )


@pytest.mark.parametrize(
    ("emitter", "library", "extra"),
    [("Emitter", "confluent_kafka", "confluent"), ("AsyncEmitter", "aiokafka", "aiokafka")],
)
def test_an_emitter_says_what_to_install(
    installed: Installed, emitter: str, library: str, extra: str
) -> None:
    start = f"emitter = {emitter}('127.0.0.1:1', source='/s')"
    if emitter == "AsyncEmitter":
        start += "\nimport asyncio\nasyncio.run(emitter.start())"
    done = installed.python(f"from schemas.emit import {emitter}\n{start}")
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: this emitter needs {library}: pip install 'usage-pipeline[{extra}]'"
    )


def test_with_the_extra_the_command_runs(installed: Installed, tmp_path: Path) -> None:
    (wheel,) = installed.folder.parent.glob("*.whl")
    whole = Installed(tmp_path / "venv", wheel)
    whole.install("[pipeline]")
    assert "worker" in run(["usage", "--help"], cwd=tmp_path, env=whole.environment)
    assert "USAGE_KAFKA" in run(["usage", "settings"], cwd=tmp_path, env=whole.environment)
    store = subprocess.run(
        ["usage", "store", "--path", "s"], cwd=tmp_path, env=whole.environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert store.returncode == 76
    assert "pip install 'usage-pipeline[embedded]'" in store.stderr
