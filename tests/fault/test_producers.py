"""The examples of docs/producers, by its page's commands: sent to a real broker, and counted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from aiokafka.partitioner import murmur2

from tests.support.harness.installed import ROOT, Installed, build_wheel
from tests.support.harness.kafka_jars import MissingTool
from tests.support.harness.recount import read_log
from tests.support.harness.scene import Scene

pytestmark = pytest.mark.faults

PRODUCERS = ROOT / "docs" / "producers"
PAGE = (PRODUCERS / "README.md").read_text()
COUNT = 60
PARTITIONS = 4
COMMAND_SECONDS = 300  # Maven's first time
PACKAGES = {"kcat": "kcat", "npm": "nodejs npm", "mvn": "maven", "javac": "openjdk-17-jdk-headless"}

REQUEST, ACTION = "usage.request.v1", "usage.recipe_action.v1"


def commands(heading: str) -> list[str]:
    """The shell blocks below a heading of the page, as they stand there."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Provide the base install; each example adds the client that it needs."""
    folder = tmp_path_factory.mktemp("python")
    return Installed(folder / "venv", build_wheel(folder))


@pytest.mark.parametrize("tool", PACKAGES)
def test_the_tools_are_there(tool: str) -> None:
    if shutil.which(tool) is None:
        raise MissingTool(f"`{tool}` is not on the PATH: apt-get install {PACKAGES[tool]}")


@pytest.mark.parametrize(
    ("heading", "block", "folder", "name", "kind"),
    [
        ("Shell: kcat", 0, "kcat", "kcat", REQUEST),
        ("Node.js: kafkajs", 0, "node", "node", REQUEST),
        ("Node.js: CloudEvents' SDK", 0, "node", "sdk", REQUEST),
        ("Java: kafka-clients", 0, "java", "java", REQUEST),
        ("Python", 0, "python", "confluent", REQUEST),
        ("Python", 1, "python", "aiokafka", ACTION),
    ],
)
def test_its_events_are_counted(
    scene: Scene,
    python: Installed,
    tmp_path: Path,
    heading: str,
    block: int,
    folder: str,
    name: str,
    kind: str,
) -> None:
    scene.set_up(PARTITIONS)
    scene.worker()
    here = tmp_path / folder
    shutil.copytree(
        PRODUCERS / folder, here, ignore=shutil.ignore_patterns("target", "node_modules")
    )
    printed = run(commands(heading)[block], here, scene, python)
    assert f"sent {COUNT} events" in printed
    check_counts(scene, name, kind)
    check_keys(scene, name)


def run(block: str, folder: Path, scene: Scene, python: Installed) -> str:
    """Run the page's commands, with this scene's broker and topics in place of the capitals."""
    assert "SERVERS COUNT" in block
    script = block.replace("SERVERS COUNT", f"{scene.kafka.servers} {COUNT} {scene.prefix}")
    if installs := re.search(r"^pip install 'usage-pipeline(\[\w+\])'\n", script):
        python.install(installs[1])  # the wheel of this checkout: no registry has the package
        script = script.removeprefix(installs[0])
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=python.environment | {"npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def check_counts(scene: Scene, name: str, kind: str) -> None:
    """Every event of the example counts, once, with its numbers."""
    scene.await_received(COUNT)
    scene.settle()
    with scene.connect() as store:
        outcomes = store.query(
            "SELECT tenant, outcome, reason, sum(events) FROM partitions_1m "
            "WHERE type = {kind:String} GROUP BY ALL ORDER BY ALL",
            {"kind": kind},
        )
        assert outcomes == [(f"{name}-{n}", "counted", "", COUNT // 3) for n in range(3)]
        if kind == REQUEST:
            [sums] = store.query(
                "SELECT sum(requests), sum(input_tokens), sum(output_tokens), sum(cost), "
                "sum(duration_us), uniqExact(user_id) FROM requests_1m"
            )
            cost = COUNT * Decimal("0.00021")
            assert sums == (COUNT, COUNT * 100, COUNT * 20, cost, COUNT * 12_500, 7)
        else:
            assert store.query("SELECT sum(tasks) FROM tasks_1m") == [(COUNT,)]


def check_keys(scene: Scene, name: str) -> None:
    """Records are keyed by tenant, and all clients agree on a tenant's partition."""
    log = read_log(scene.kafka, scene.topics)
    keys = {(record.key, number) for (_, number), part in log.items() for record in part.records}
    tenants = [f"{name}-{n}" for n in range(3)]
    assert keys == {(one, (murmur2(one.encode()) & 0x7FFFFFFF) % PARTITIONS) for one in tenants}


def test_the_lock_file_names_no_registry() -> None:
    text = (PRODUCERS / "node" / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "://" not in text


def test_what_the_page_links_to_is_there() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (PRODUCERS / path).exists(), path
    assert os.access(PRODUCERS / "kcat" / "produce.sh", os.X_OK)
