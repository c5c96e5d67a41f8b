"""The examples of docs/api.md, run as they stand against an API with a key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.access.roles import ALL, Role
from tests.support.harness.api import Served
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.store import EmbeddedStore

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over a small world."""
    with api_over_a_world(store.port, events=200) as served:
        yield served


def test_there_are_examples() -> None:
    assert {language for language, _ in EXAMPLES} == {"sh", "python"}


@pytest.mark.parametrize(("language", "example"), EXAMPLES)
def test_an_example_works_as_it_stands(
    api: Served, language: str, example: str, tmp_path: Path
) -> None:
    key = api.let(Role.ADMIN, ALL)
    environment = {
        "PATH": os.environ["PATH"],
        "API": f"http://127.0.0.1:{api.port}",
        "KEY": key,
    }
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*command, example],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
