"""Users' days are made once a day, exactly, whoever dies on the way."""

from __future__ import annotations

import itertools
import json
import signal
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.clickhouse.client import Store
from pipeline.protocol.settled import Settled
from tests.support.harness import days, hooks
from tests.support.harness.process import Process
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

pytestmark = pytest.mark.faults

DAY = timedelta(days=1)


class Clock:
    """Users' days of a scene, whose clock begins at noon some days ago, and is moved on by hand."""

    def __init__(self, scene: Scene, folder: Path, behind: int, is_given: bool = True) -> None:
        self.scenes = [scene]
        self.scene = scene
        self.is_given = is_given
        """Whether a day is given out, so that what is on time is left for later."""
        self.file = folder / "days"
        self.sent: Counter[tuple[date, str]] = Counter()
        self._ids = itertools.count()
        now = datetime.now(UTC)
        self._today = now.date()
        # A night must not come, nor end, in the midst of it.
        self._noon = (now - now.replace(hour=12, minute=0, second=0, microsecond=0)).total_seconds()
        self.move_to(behind)
        with scene.connect() as store:
            begin(store, self.today)

    @property
    def today(self) -> date:
        return self._today - self.behind * DAY

    def move_to(self, behind: int) -> None:
        self.behind = behind
        new = self.file.with_suffix(".new")
        new.write_text(f"{behind} {self._noon}", encoding="utf-8")
        new.replace(self.file)  # workers read it all the time

    def worker(self, **environment: str) -> Process:
        return self.worker_of(self.scene, **environment)

    def worker_of(self, scene: Scene, **environment: str) -> Process:
        return scene.worker(**days.environment(self.file, **environment))

    def other(self, folder: Path) -> Scene:
        """Return topics and a group of their own, whose workers count into the same store."""
        other = Scene(self.scene.kafka, self.scene.store, folder)
        other.database = self.scene.database
        other.create_all_topics(self.scene.partitions)
        self.scenes.append(other)
        return other

    def send(self, *at: date, times: int = 20, to: Scene | None = None) -> None:
        """Send requests of these days, of several tenants and users."""
        sender = (to or self.scene).sender()
        for n, day in itertools.product(range(times), at):
            id_, tenant, user = next(self._ids), f"t{n % 5}", f"u{n % 3}"
            data = {
                "operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1,
                "user_id": user, "input_tokens": 1,
            }  # fmt: skip
            event = {
                "specversion": "1.0", "id": str(id_), "source": "//test",
                "type": "usage.request.v1", "subject": tenant, "data": data,
                "time": f"{day}T{n % 24:02}:30:00Z",
            }  # fmt: skip
            sender.send(REQUESTS, tenant, json.dumps(event).encode())
            self.sent[day, user] += 1
        sender.flush()

    def counted(self) -> None:
        """Wait until all that was sent is counted, and hold what is settled against it."""
        for scene in self.scenes:
            scene.settle()
        self.holds()

    def holds(self) -> None:
        with self.scene.connect() as store:
            settled = Settled(store).read().settled
            quarters = by_day(store, "requests_15m", "toDate(quarter, 'UTC')")
            users, months = by_day(store, "users_1d", "day"), by_day(store, "users_1mo", "month")
        assert quarters == self.sent
        month = settled.replace(day=1)
        assert only(users, settled) == only(self.sent, settled)
        due: Counter[tuple[date, str]] = Counter()
        for (day, user), requests in self.sent.items():
            due[day.replace(day=1), user] += requests
        assert only(months, month) == only(due, month)
        assert not users - self.sent, "more in users' days than in quarter hours"
        left = Counter({key: n for key, n in users.items() if key[0] >= self.today})
        due = Counter({key: n for key, n in self.sent.items() if key[0] >= self.today})
        assert left == (Counter() if self.is_given else due), "of days that are not over"

    def settled(self, day: date) -> None:
        """Wait until all days before this one are settled."""
        with self.scene.connect() as store:
            until(
                lambda: Settled(store).read().settled >= day,
                within=120,
                what=f"users' days of before {day} to be settled",
                explain=self.scene.tails,
            )
        self.counted()


def begin(store: Store, day: date) -> None:
    """Settle nothing from a day on."""
    store.command("TRUNCATE TABLE users_settlements")
    store.insert("users_settlements", [("day", "Date")], [[day]])


def by_day(store: Store, table: str, day: str) -> Counter[tuple[date, str]]:
    rows = store.query(f"SELECT {day} AS at, user_id, sum(requests) FROM {table} GROUP BY ALL")
    return Counter({(at, user): int(requests) for at, user, requests in rows})


def only(counted: Counter[tuple[date, str]], before: date) -> Counter[tuple[date, str]]:
    return Counter({key: n for key, n in counted.items() if key[0] < before})


def test_days_are_settled_exactly_while_workers_are_killed(scene: Scene, tmp_path: Path) -> None:
    """On time, late by days and by months, an intent of before, and the one who settles dies."""
    scene.set_up(partitions=3)
    clock = Clock(scene, tmp_path, behind=4)
    first = clock.today
    old = first - 70 * DAY
    clock.send(first, first - DAY, first + DAY, old)
    scene.await_end(clock.worker(**hooks.environment("after:intend")), -signal.SIGKILL)
    clock.move_to(3)
    workers = [clock.worker(), clock.worker()]
    clock.send(first, first + DAY, old)
    clock.counted()
    clock.settled(clock.today)
    for behind in (2, 1):
        clock.move_to(behind)
        workers.pop(0).kill9()
        workers.append(clock.worker())
        clock.send(clock.today, clock.today - DAY, old)
        clock.settled(clock.today)
        clock.send(clock.today - DAY, clock.today, old, first)
        clock.counted()
    assert any("is settled" in worker.output() for worker in scene.workers)
    scene.run("audit")


def test_where_no_day_is_given_out_days_are_settled_by_the_clock(
    scene: Scene, tmp_path: Path
) -> None:
    """All was written at the inserts: there is nothing to add, and nothing is counted twice."""
    scene.set_up(partitions=2)
    clock = Clock(scene, tmp_path, behind=3, is_given=False)
    first = clock.today
    clock.send(first, first + DAY, first - 70 * DAY)
    clock.worker(DAYS_BY_CLOCK="yes")  # like one of a release of before
    clock.counted()
    clock.move_to(1)
    clock.settled(clock.today)
    clock.worker()  # which would have one given out
    scene.await_assigned(2)
    clock.send(clock.today)
    clock.counted()


def test_a_day_waits_for_the_other_group(scene: Scene, tmp_path: Path) -> None:
    """Which died with a chunk open that is on time: whoever replays it does so under its day."""
    scene.set_up(partitions=1)
    clock = Clock(scene, tmp_path, behind=3)
    first = clock.today
    (tmp_path / "other").mkdir()
    other = clock.other(tmp_path / "other")
    clock.send(first, first - DAY)
    clock.send(first, first + DAY, to=other)
    clock.worker()
    other.await_end(
        clock.worker_of(other, **hooks.environment("after:insert:facts")), -signal.SIGKILL
    )
    scene.settle()
    clock.move_to(1)
    with scene.connect() as store:
        settled = Settled(store)
        beyond = [first, clock.today]
        until(
            lambda: sorted(settled.read().groups.values()) == beyond,
            within=120,
            what="the first group to be beyond its day",
            explain=scene.tails,
        )
        assert [one.group for one in settled.read().holding()] == [other.group]
        assert settled.read().settled == first
    clock.worker_of(other)
    try:
        clock.settled(clock.today)
    finally:
        other.end()


def test_what_is_replayed_behind_its_day_is_added(scene: Scene, tmp_path: Path) -> None:
    """Where an operator took the group's row out, though it had a chunk open."""
    scene.set_up(partitions=1)
    clock = Clock(scene, tmp_path, behind=2)
    first = clock.today
    clock.send(first, first + DAY)
    scene.await_end(clock.worker(**hooks.environment("after:intend")), -signal.SIGKILL)
    with scene.connect() as store:
        store.command("TRUNCATE TABLE users_groups")
        assert Settled(store).settle_next() == first
    clock.move_to(1)
    worker = clock.worker()
    scene.settle()
    worker.await_output(f"users' day {first} is settled again")
    clock.settled(clock.today)
