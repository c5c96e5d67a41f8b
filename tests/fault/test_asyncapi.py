"""The AsyncAPI document against AsyncAPI's own JSON Schema, which npm brings."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from schemas.generate import asyncapi, files
from tests.support.harness.installed import run

pytestmark = pytest.mark.faults

PINNED = Path(__file__).parents[1] / "support" / "harness" / "asyncapi"


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    folder = tmp_path_factory.mktemp("asyncapi") / "pinned"
    shutil.copytree(PINNED, folder)
    run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder)
    schemas = folder / "node_modules" / "@asyncapi" / "specs" / "schemas"
    return Draft7Validator(
        json.loads((schemas / f"{asyncapi.VERSION}-without-$id.json").read_text())
    )


def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((files.ROOT / "asyncapi.json").read_text())
    return read


def test_the_document_is_valid(official: Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(document())] == []


def test_and_would_not_be_if_it_were_wrong(official: Draft7Validator) -> None:
    wrong = copy.deepcopy(document())
    wrong["operations"]["set-aside"]["action"] = "publish"
    assert not official.is_valid(wrong)
    wrong = copy.deepcopy(document())
    topic = wrong["channels"]["usage.requests"]["bindings"]["kafka"]["topicConfiguration"]
    topic["cleanup.policy"] = "delete"
    assert not official.is_valid(wrong)
