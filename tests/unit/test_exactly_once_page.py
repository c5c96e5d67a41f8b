"""What ``docs/exactly-once.md`` points at must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.model.safeguards import SAFEGUARDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exactly-once.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_/]+):([\w.]+)`", PAGE)))
TESTS = sorted(set(re.findall(r"`((?:unit|property|integration|fault)/test_\w+)`", PAGE)))


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_code_that_it_names_exists(module: str, name: str) -> None:
    source = (ROOT / "pipeline" / f"{module}.py").read_text()
    for part in name.split("."):
        assert re.search(rf"^\s*(?:async )?(?:def|class) {part}\b|^{part}\b", source, re.MULTILINE)


@pytest.mark.parametrize("path", TESTS)
def test_tests_that_it_names_exist(path: str) -> None:
    assert (ROOT / "tests" / f"{path}.py").exists()


def test_it_names_every_safeguard_of_the_model() -> None:
    text = " ".join(PAGE.split())
    assert [name for name in SAFEGUARDS if f"*{name}*" not in text] == []
