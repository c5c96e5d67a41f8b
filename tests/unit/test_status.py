"""`usage status` of a broker that tells no members, and whose chunks come while it reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from rich.console import Console

from pipeline.clickhouse.client import Store
from pipeline.kafka import group as outside
from pipeline.kafka.group import Bounds, Group
from pipeline.operate import status
from pipeline.operate.audit import ledger
from pipeline.protocol.chunks import Source
from pipeline.settings import load

SOURCES = [Source("usage.requests", 0), Source("usage.requests", 1)]


class Clock:
    """A store that goes on by a second with each question."""

    is_clustered = False

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def query(self, sql: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.seconds += 1
        if "now64" in sql:
            return [(self.seconds,)]
        if "users_settlements" in sql:
            return [(date(2026, 1, 1), datetime(2026, 1, 2, 0, 30, tzinfo=UTC))]
        if "users_groups" in sql:
            return [
                ("usage", "usage.requests", "k", date(2026, 1, 2)),
                ("silent", "usage.requests", "k", date(2026, 1, 1)),
            ]
        if "engine_full" in sql:
            return []
        return [(5, self.seconds, self.seconds, self.seconds, 1)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> status.Status:
    monkeypatch.setattr(outside, "incarnations", lambda _: {"usage.requests": "i"})
    monkeypatch.setattr(outside, "group", lambda _: Group(outside.NOT_TOLD, ()))
    monkeypatch.setattr(outside, "bounds", lambda *_: dict.fromkeys(SOURCES, Bounds(0, 9)))
    monkeypatch.setattr(outside, "committed", lambda *_: {})
    monkeypatch.setattr(ledger, "intents", lambda _: {})
    return status.read(load({}), cast("Store", Clock()))


def test_nothing_is_of_the_future(read: status.Status) -> None:
    assert [line.counted_to for line in read.lines] == [5, 5]
    assert read.newest_event is not None
    assert read.now > read.newest_event


def test_workers_that_are_not_told_are_not_counted(read: status.Status) -> None:
    console = Console(width=120, record=True)
    with console.capture() as shown:
        status.show(read, console)
    first = shown.get().splitlines()[0]
    assert first == "group usage: not told by this broker, lag 8 records"


def test_who_holds_users_days_back_is_said_once_a_day_is_over(read: status.Status) -> None:
    assert read.users is not None
    console = Console(width=120, record=True)
    with console.capture() as shown:
        status.show(read, console)
    said = "users' days settled before 2026-01-01, held back by silent (usage.requests of Kafka k)"
    assert shown.get().splitlines()[2] == said
    just_before = read.users._replace(now=read.users.now - timedelta(seconds=1))
    assert replace(read, users=just_before).held_back_by == []
    assert replace(read, users=None).held_back_by == []  # of a cluster
