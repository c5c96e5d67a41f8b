"""Releases beside this one, made of it: its code, changed in what releases differ by.

``python -m tests.support.harness.releases KIND command argument…`` runs ``usage command argument…``
as that release would. There is no earlier release to take yet; ``USAGE_TEST_OLDER`` may name a
checkout of this project that is run as it is for the older one.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.clickhouse.schema import files, resources
from pipeline.clickhouse.schema.files import Migration
from pipeline.facts.rules import rules_of
from pipeline.protocol import sealed
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.scene import Scene

OLDER, NEWER = "older", "newer"
OF_OTHER_VIEWS, OF_OTHER_RULES = "of-other-views", "of-other-rules"
CHECKOUT = os.environ.get("USAGE_TEST_OLDER", "")
_ENVIRONMENT = {OLDER: {"USAGE_READER": "python"}}
_ADDED = "ALTER TABLE chunks{cluster} ADD COLUMN IF NOT EXISTS of_newer UInt8 COMMENT 'a test'"
_READ_AGAIN = """
DETACH TABLE IF EXISTS requests_1m_mv{cluster};
ATTACH TABLE IF NOT EXISTS requests_1m_mv{cluster};
"""
_numbers = itertools.count(1)


def _be_older() -> None:
    """Announce and insert every range by itself, as before there were groups."""
    vars(sealed)["MOST_MEMBERS"] = 1


def _be_newer() -> None:
    """Know a migration more, which adds a column."""
    _know(_ADDED)


def _be_of_other_views() -> None:
    """Know a migration more, for which no chunk may be open."""
    _know(_READ_AGAIN)


def _know(migration: str) -> None:
    read = files.read

    def known(folder: Path) -> list[Migration]:
        found = read(folder)
        return [*found, Migration(len(found) + 1, "of_newer", migration)]

    files.read = known


def _be_of_other_rules() -> None:
    """Count the same, and say that it is counted by other rules."""
    from pipeline.worker import process  # what it brings along, other commands need not have

    vars(process)["rules_of"] = lambda of: replace(rules_of(of), contract="of a test")


_KINDS: dict[str, Callable[[], None]] = {
    OLDER: _be_older,
    NEWER: _be_newer,
    OF_OTHER_VIEWS: _be_of_other_views,
    OF_OTHER_RULES: _be_of_other_rules,
}


def start(scene: Scene, kind: str, *arguments: str, **environment: str) -> Process:
    """Start a ``usage`` command of a release."""
    own = clean_environment()
    program = ["tests.support.harness.releases", kind]
    if kind == OLDER and CHECKOUT:
        program = ["pipeline.cli"]
        own["PYTHONPATH"] = CHECKOUT
    settings = scene.environment(**_ENVIRONMENT.get(kind, {}), **environment)
    command = [sys.executable, "-m", *program, *arguments]
    return Process(f"{kind}-{next(_numbers)}", command, own | settings, scene.folder)


def migrated(scene: Scene, kind: str, code: int = 0) -> str:
    """Have a release migrate the store; returns what it said."""
    migrator = start(scene, kind, "migrate")
    assert migrator.wait(120) == code, migrator.tail()
    return migrator.output()


def worker(scene: Scene, kind: str, **environment: str) -> Process:
    """Start a worker of a release; it is ended with the scene."""
    started = start(scene, kind, "worker", "--port", str(free_port()), **environment)
    scene.workers.append(started)
    return started


def views_differ() -> bool:
    """Say whether the older one cannot go on in this one's store, for its views are others."""
    there = len(list(Path(CHECKOUT, "deploy/clickhouse/migrations").glob("*.sql")))
    missing = files.read(resources.migrations())[there:] if CHECKOUT else []
    return any(migration.touches_views for migration in missing)


if __name__ == "__main__":
    from pipeline.cli.__main__ import main

    _KINDS[sys.argv.pop(1)]()
    main()
