"""Zones are those of the tzdata package, whatever the machine has; ClickHouse is compared."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import tzdata

from pipeline.clickhouse.schema import engine_zones
from pipeline.errors import StoreRefused
from pipeline.facts import zones
from tests.support.harness.process import clean_environment


class Server:
    """A store whose zones are those of the package but for one."""

    def __init__(self, version: str, wrong: str = "", like: str = "", unknown: str = "") -> None:
        self.version = version
        self.wrong, self.like = wrong, like
        self.unknown = unknown
        self.asked: list[str] = []

    def query(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        if "build_options" in sql:
            return [(self.version,)]
        name = sql.split("'")[1]
        self.asked.append(name)
        if name == self.unknown:
            raise StoreRefused("no such zone", code=36)
        there = self.like if name == self.wrong else name
        return [(list(engine_zones.begins(there, range(parameters["first"], parameters["end"]))),)]


def compared(server: Any) -> engine_zones.Comparison:
    return engine_zones.compare(server)


def test_the_servers_zones_are_compared() -> None:
    assert compared(Server("2026c")) == ("2026c", (), ())
    near = compared(Server("2026c", wrong="America/Winnipeg", like="America/Regina"))
    [shift] = near.shifts
    assert shift.zone == "America/Winnipeg"
    assert len(shift.changes) > 1
    assert near.sentence == ""


def test_a_zone_that_no_view_can_set_right_is_named() -> None:
    wrong = compared(Server("2026c", wrong="America/Winnipeg", like="Asia/Tokyo"))
    assert (wrong.shifts, wrong.wrong) == ((), ("America/Winnipeg",))
    assert "2026c" in wrong.sentence
    assert "America/Winnipeg differ too much." in wrong.sentence
    assert compared(Server("2026c", unknown="Cuba")).wrong == ("Cuba",)


def test_few_zones_are_asked_for_and_none_of_the_same_version() -> None:
    """Each takes memory of the server for good."""
    server = Server("2026a")
    compared(server)
    assert 1 < len(server.asked) < 40
    same = Server(zones.VERSION)
    assert compared(same).sentence == ""
    assert not same.asked


def test_a_machines_old_zones_are_not_looked_at(tmp_path: Path) -> None:
    """Not by us, and by no library that asks `zoneinfo`."""
    old = tmp_path / "Africa" / "Casablanca"
    old.parent.mkdir()
    old.write_bytes(resources.files(tzdata).joinpath("zoneinfo", "Etc", "UTC").read_bytes())
    code = (
        "from datetime import datetime, timedelta; from zoneinfo import ZoneInfo\n"
        "{}\n"
        "at = datetime(2026, 6, 1, tzinfo=ZoneInfo('Africa/Casablanca'))\n"
        "print(at.utcoffset() / timedelta(hours=1))"
    )

    def offset(first: str) -> float:
        environment = clean_environment() | {"PYTHONTZPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code.format(first)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    assert offset("pass") == 0  # as the machine has it
    there = datetime(2026, 6, 1, tzinfo=ZoneInfo("Africa/Casablanca")).utcoffset()
    assert there is not None
    assert offset("import pipeline.views.parameters") == there / timedelta(hours=1) != 0
