"""When a worker asks for a new day, and which one it works under (`pipeline.worker.settling`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.errors import StoreUnavailable
from pipeline.protocol.chunks import Lease, Offset, Source, commit_metadata
from pipeline.protocol.settled import AGAIN, State, Workers
from pipeline.settings import load
from pipeline.worker import settling
from pipeline.worker.settling import Kafka, Settling
from pipeline.worker.transport import Days

YESTERDAY, TODAY = date(2026, 11, 28), date(2026, 11, 29)
MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)
REQUESTS = Source("usage.requests", 0)
OTHER = Workers("other", REQUESTS.topic, "k")


class Parts:
    """A worker's parts that settling asks, as they would answer."""

    def __init__(self, kafka: str = "k") -> None:
        self.groups: dict[Workers, date] = {}
        self.settled, self.now, self.keeps_long_enough = YESTERDAY, MIDNIGHT, True
        self.again: list[date] = []
        self.is_away = False
        self.joined = 0
        self.metadata = ""
        self.inserted: date | None = None
        self.work = SimpleNamespace(given=Lease(1, "m", YESTERDAY), partitions={REQUESTS: None})
        self.days = Days()
        self.behind: list[int] = []
        self.settling = Settling(
            load({}),
            cast("Any", self),
            cast("Any", self),
            cast("Any", None),
            Kafka(lambda: kafka, lambda _: {}, dict),
            self.days,
            cast("Any", SimpleNamespace(users_days=self.behind.append)),
            lambda: cast("Any", self),
            lambda: cast("Any", self.work),
        )

    def read(self) -> State:
        return State(self.settled, dict(self.groups), self.now, self.keeps_long_enough)

    def register(self, workers: Workers) -> None:
        self.groups[workers] = self.settled

    def settle_again(self, since: date) -> list[date]:
        self.again.append(since)
        if self.is_away:
            raise StoreUnavailable("away")
        return []

    def settle_next(self) -> None:
        """Nothing is due here."""

    def earliest_day(self) -> date | None:
        day, self.inserted = self.inserted, None
        return day

    async def in_thread(self, call: Callable[[], State]) -> State:
        return call()

    async def rejoin(self) -> None:
        self.joined += 1

    async def with_their_topics(self, sources: list[Source]) -> list[Source]:
        return sources

    async def committed(self, _: object) -> dict[Source, Offset]:
        return {REQUESTS: Offset(5, self.metadata)}

    def looks(self, after: timedelta) -> int:
        """Look some time after midnight; returns how often it asked to join again."""
        self.now, self.joined = MIDNIGHT + after, 0
        self.groups = dict.fromkeys(self.groups, TODAY)  # so that nothing is to be recorded
        asyncio.run(self.settling.look())
        return self.joined

    def under(self, day: date | None) -> date | None:
        lease = Lease(1, "m", day)
        given = asyncio.run(self.settling.under(cast("Any", self), lease))
        return given.late_before


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A worker that has joined yesterday, with the day that was then."""
    monkeypatch.setattr(settling, "GIVES_OUT_DAYS", True)
    return joined(Parts())


def joined(parts: Parts) -> Parts:
    parts.now = MIDNIGHT - timedelta(hours=1)
    asyncio.run(parts.settling.begin())
    parts.days.said = parts.days.given = parts.days.known
    assert parts.days.known == YESTERDAY
    return parts


def test_one_worker_asks_once_for_the_new_day(parts: Parts) -> None:
    asked = [parts.looks(minutes(number)) for number in (0, 29, 30, 31, 90)]
    assert asked == [0, 0, 1, 0, 0]
    assert parts.days.known == TODAY
    assert parts.behind == [0, 0, 1, 1, 1]


def test_the_others_ask_where_that_has_not_brought_it(parts: Parts) -> None:
    parts.work.partitions = {Source(REQUESTS.topic, 1): None}
    assert [parts.looks(minutes(number)) for number in (30, 59, 60)] == [0, 0, 1]
    parts = joined(Parts())
    parts.work.partitions = {}
    parts.days.given = TODAY
    assert parts.looks(minutes(60)) == 0


def test_who_joined_without_a_day_asks_when_it_knows_one(parts: Parts) -> None:
    parts.days.said = parts.days.given = None
    assert parts.looks(minutes(0)) == 1


def test_a_day_is_taken_back_where_quarter_hours_are_kept_too_short(parts: Parts) -> None:
    parts.keeps_long_enough = False
    assert parts.looks(minutes(0)) == 1
    assert parts.days.known is None
    assert parts.under(YESTERDAY) is None


def test_no_day_is_known_of_a_kafka_that_does_not_say_which_it_is() -> None:
    parts = Parts("")
    asyncio.run(parts.settling.begin())
    assert (parts.groups, parts.days.known) == ({}, None)
    assert parts.under(YESTERDAY) is None


def test_partitions_are_taken_up_under_the_latest_day_that_anything_says(parts: Parts) -> None:
    later = [TODAY + timedelta(days=n) for n in range(4)]
    assert (parts.under(None), parts.under(YESTERDAY)) == (None, YESTERDAY)
    parts.now = MIDNIGHT  # the store's clock
    assert parts.under(YESTERDAY) == TODAY
    parts.groups[OTHER] = later[1]
    assert parts.under(YESTERDAY) == later[1]
    parts.metadata = commit_metadata("i", later[2])
    assert parts.under(YESTERDAY) == later[2]
    assert parts.under(later[3]) == later[3]
    parts.groups = {OTHER: TODAY}  # the group is not entered any more
    assert parts.under(YESTERDAY) is None


def test_what_came_under_a_settled_day_is_settled_again_at_two_looks(parts: Parts) -> None:
    """A statement that settles may have been under way at the first."""
    parts.work.partitions = {}
    parts.inserted = YESTERDAY
    parts.looks(minutes(0))
    assert parts.again == [YESTERDAY - AGAIN], "another worker may have left something"
    parts.settled = TODAY
    parts.looks(minutes(1))
    assert parts.again[1:] == [YESTERDAY]
    parts.looks(minutes(2))
    assert parts.again[1:] == [YESTERDAY]


def test_whoever_would_settle_looks_back_once_for_each_day_that_others_have(parts: Parts) -> None:
    parts.looks(minutes(0))
    parts.settled, parts.work.partitions = TODAY, {}
    parts.looks(minutes(1))
    assert parts.again == [YESTERDAY - AGAIN]
    parts.work.partitions = {REQUESTS: None}
    parts.is_away = True
    with pytest.raises(StoreUnavailable):
        parts.looks(minutes(2))
    parts.is_away = False
    parts.looks(minutes(3))
    parts.looks(minutes(4))
    assert parts.again[1:] == [TODAY - AGAIN] * 2


def test_what_could_not_be_settled_again_is_not_forgotten(parts: Parts) -> None:
    parts.work.partitions = {}
    parts.looks(minutes(0))
    parts.inserted, parts.settled, parts.is_away = YESTERDAY, TODAY, True
    for minute in (1, 2, 3):
        with pytest.raises(StoreUnavailable):
            parts.looks(minutes(minute))
    parts.is_away = False
    for minute in (4, 5, 6):
        parts.looks(minutes(minute))
    assert parts.again[1:] == [YESTERDAY] * 5
