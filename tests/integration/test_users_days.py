"""Users' days and months that are made once they are over, against sums of what was inserted."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from pipeline.clickhouse.client import Store, insert_settings
from pipeline.clickhouse.schema import files, resources, retention, users_days, views
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.errors import StoreRefused
from pipeline.operate.audit import sums
from pipeline.protocol import settled
from pipeline.protocol.chunks import Source
from pipeline.protocol.settled import DAY, Settled, Workers, day_of
from pipeline.settings import load
from pipeline.views.call import call
from pipeline.worker import settling
from pipeline.worker.settling import Settling
from pipeline.worker.transport import Days
from tests.support.harness import hooks
from tests.support.harness.clickhouse_parts import (
    migrated_database,
    new_database,
    settings_for,
)
from tests.support.harness.process import Process, clean_environment
from tests.support.harness.store import EmbeddedStore, url_at

BEGIN = date(2025, 12, 29)
"""What is settled at first: a month ends soon, and a year."""
TABLES = (
    "requests_1m",
    "requests_15m",
    "totals_15m",
    "users_1d",
    "users_1mo",
    "latency_1mo",
    "users_groups",
)
AROUND = ("before", "after")
COLUMNS = (
    ("minute", "DateTime('UTC')"),
    ("tenant", "LowCardinality(String)"),
    ("user_id", "LowCardinality(String)"),
    ("token_id", "LowCardinality(String)"),
    ("model", "LowCardinality(String)"),
    ("operation", "LowCardinality(String)"),
    ("duration_us", "UInt64"),
    ("input_tokens", "UInt64"),
    ("cost_nanos", "Int64"),
    ("late_before", "Date"),
)


class Block(NamedTuple):
    """What an insert brings: its token, its rows, and the day before which they are late."""

    token: str
    rows: Sequence[tuple[Any, ...]]
    late_before: date | None

    def send(self, store: Store) -> None:
        columns = [list(column) for column in zip(*self.rows, strict=True)]
        names = COLUMNS[: len(columns)]
        if self.late_before is not None:
            names, columns = COLUMNS, [*columns, [self.late_before] * len(self.rows)]
        store.insert("requests_in", names, columns, token=self.token)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have groups waited for, though days of these tests are long over."""
    monkeypatch.setattr(settled, "PATIENCE", 9999 * DAY)


@pytest.fixture(scope="module")
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    with migrated_database(store.port, USAGE_KEEP_MINUTE_ROWS="0") as connected:
        yield connected


@pytest.fixture
def begun(migrated: Store) -> Store:
    """Tables of which nothing but `BEGIN` is settled."""
    begin(migrated)
    return migrated


def begin(store: Store) -> None:
    for table in (*TABLES, "users_settlements"):
        store.command(f"TRUNCATE TABLE {table}")
    store.command(f"INSERT INTO users_settlements (day) VALUES ('{BEGIN}')")
    users_days.publish(store, nobody_asks=True)


def of(kafka: str) -> Workers:
    """Workers of a group that is called the same on every Kafka."""
    return Workers("usage", "usage.requests", kafka)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def at(day: date, minute: int = 0) -> int:
    return int(midnight(day).timestamp()) + 60 * minute


def request(day: date, minute: int = 0, user: str = "u", tokens: int = 1) -> tuple[Any, ...]:
    return (at(day, minute), "acme", user, "", "m", "chat", 1000 * minute, tokens, 5)


def days(store: Store, table: str, what: str) -> Counter[tuple[Any, ...]]:
    """Each sum, by key and day or month."""
    rows = store.query(
        f"SELECT {what} AS at, tenant, user_id, token_id, currency, sum(requests), "
        f"sum(input_tokens), toInt64(sum(cost) * 1000000000) FROM {table} GROUP BY ALL"
    )
    return Counter({(*row[:5], n): value for row in rows for n, value in enumerate(row[5:])})


def check(store: Store) -> None:
    """Hold the tables against each other, and views against the quarter hours."""
    until = Settled(store).read().settled
    due = days(store, "requests_15m", "toDate(quarter, 'UTC')")
    found = days(store, "users_1d", "day")
    assert {k: v for k, v in found.items() if k[0] < until} == {
        k: v for k, v in due.items() if k[0] < until
    }
    assert found <= due, "never more than in the quarter hours"
    months = days(store, "requests_15m", "toStartOfMonth(quarter)")
    made = days(store, "users_1mo", "month")
    month = until.replace(day=1)
    assert {k: v for k, v in made.items() if k[0] < month} == {
        k: v for k, v in months.items() if k[0] < month
    }
    assert made <= months
    check_views(store)
    for cells in sums.read(store, sums.kept(store)).cells.values():
        assert not {cell for cell in cells if cell.left.startswith(("users_", "latency_1mo"))}


def check_views(store: Store) -> None:
    [truth] = store.query(
        "SELECT sum(requests), uniqExactIf((tenant, user_id), user_id != '') FROM requests_15m"
    )
    [(first, last)] = store.query("SELECT min(first_minute), max(last_minute) FROM requests_15m")
    over = {"since": first - 9 * DAY, "until": last + timedelta(minutes=1), "tenant": ""}
    view = call("telemetry_summary", over)
    assert store.query(f"SELECT interactions, active_users FROM {view}") == [truth]
    for token in ("", "a"):
        assert latencies(store, over | {"token": token}) == timed(store, token)


_PLACE = "toUInt16(_latency_kind() * 1024 + _bucket_of(entry)) AS place"


def latencies(store: Store, over: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """How long requests took, as `request_summary` reads it: by place."""
    query = views.written_out(
        "SELECT place, sum(requests) FROM _latency() GROUP BY place ORDER BY place"
    )
    return store.query(files.fill_in(query, "", database=store.database), over)


def timed(store: Store, token: str) -> Sequence[Sequence[Any]]:
    """The same by the quarter hours alone."""
    query = (
        f"SELECT {_PLACE}, sum(_requests_of(entry)) FROM requests_15m ARRAY JOIN latency AS entry "
        "WHERE {token:String} IN ('', token_id) GROUP BY place ORDER BY place"
    )
    return store.query(views.written_out(query), {"token": token})


@dataclass
class World:
    """Two groups of workers and their blocks under way, whose days go on at random."""

    store: Store
    random: random.Random
    today: dict[str, date] = field(default_factory=dict)
    open: dict[str, list[Block]] = field(default_factory=lambda: {"one": [], "two": []})
    sent: list[Block] = field(default_factory=list)
    number: int = 0

    def announce(self) -> None:
        """A block by the day that its group is given out now, or by none."""
        group = self.random.choice(["one", "two"])
        self.number += 1
        day = self.today.get(group) if self.random.random() < 0.9 else None
        rows = [self.row() for _ in range(self.random.randint(1, 6))]
        self.open[group].append(Block(f"{id(self)}:{self.number}", rows, day))

    def row(self) -> tuple[Any, ...]:
        day = BEGIN + self.random.choice([-30, -1, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 9]) * DAY
        minute = self.random.choice([0, 1, 719, 1439])
        who = [self.random.choice(["a", "b", ""]) for _ in range(4)]
        took = (self.random.choice(["chat", "embeddings", "x"]), self.random.choice([0, 7, 5000]))
        return (at(day, minute), *who, *took, self.random.choice([0, 1, 2**40]), 7)

    def insert(self) -> None:
        """The oldest block of a group; or one again that was inserted at any time."""
        for blocks in self.random.sample(list(self.open.values()), 2):
            if blocks:
                self.sent.append(blocks.pop(0))
                return self.sent[-1].send(self.store)
        return None

    def again(self) -> None:
        if self.sent:
            self.random.choice(self.sent).send(self.store)

    def go_on(self) -> None:
        """A group is given out a later day, or its first one."""
        group, days = self.random.choice(["one", "two"]), Settled(self.store)
        days.register(of(group))
        state = days.read()
        least = max(state.settled, *state.groups.values(), self.today.get(group, BEGIN))
        self.today[group] = least + self.random.choice([0, 1, 1, 3]) * DAY

    def over(self) -> None:
        """A group says what nothing under way is before."""
        for group, day in self.today.items():
            under_way = [one.late_before for one in self.open[group] if one.late_before]
            Settled(self.store).over(of(group), min([day, *under_way]))

    def settle(self) -> None:
        """Three at once, of whom none knows of the others; once there are groups."""
        if not self.today:
            return
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: Settled(self.store).settle_next(), range(3)))


@pytest.mark.parametrize("seed", range(3))
def test_settled_days_are_what_was_inserted(
    begun: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "BLOCK_KEYS", [1_000_000, 4, 1_000_000][seed])
    world = World(begun, chance := random.Random(seed))
    steps = [world.announce, world.insert, world.again, world.go_on, world.over, world.settle]
    for _ in range(40):
        chance.choices(steps, [6, 6, 1, 2, 2, 3])[0]()
    while any(world.open.values()):
        world.insert()
    check(begun)


@pytest.mark.parametrize(
    ("late_before", "levels"),
    [
        (None, {"requests_15m": [2], "users_1d": [2], "users_1mo": [2]}),
        (BEGIN, {"requests_15m": [0], "users_1d": [], "users_1mo": []}),
        (BEGIN + DAY, {"requests_15m": [1], "users_1d": [1], "users_1mo": []}),
        (date(2025, 12, 31), {"requests_15m": [1], "users_1d": [1], "users_1mo": []}),
        (date(2026, 1, 1), {"requests_15m": [2], "users_1d": [2], "users_1mo": [2]}),
    ],
)
def test_a_row_goes_at_once_where_it_is_late(
    begun: Store, late_before: date | None, levels: dict[str, list[int]]
) -> None:
    for _ in range(2):  # a block of which some tables get nothing has its token all the same
        Block(f"of {late_before}", [request(BEGIN)], late_before).send(begun)
    for table, level in levels.items():
        assert begun.query(f"SELECT late, requests FROM {table}") == [(one, 1) for one in level]
    assert begun.query("SELECT sum(requests) FROM totals_15m") == [(1,)]


def test_rows_of_before_the_migration_are_not_added_again(begun: Store) -> None:
    Block("before", [request(BEGIN), request(BEGIN, user="v")], None).send(begun)
    for table in ("requests_15m", "users_1d", "users_1mo"):
        begun.command(f"INSERT INTO {table} SELECT * REPLACE (0 AS late) FROM {table}")
        begun.command(f"DELETE FROM {table} WHERE late > 0", settings={"mutations_sync": 2})
    Block("after", [request(BEGIN), request(BEGIN + DAY)], BEGIN).send(begun)
    settle(begun, until=date(2026, 1, 2))
    check(begun)
    assert begun.query("SELECT sum(requests) FROM users_1mo") == [(4,)]


def test_late_rows_of_a_day_that_is_not_settled_are_not_added_again(begun: Store) -> None:
    Block("in time", [request(BEGIN)], BEGIN).send(begun)
    for late_before in (BEGIN + DAY, date(2026, 1, 1)):
        Block(f"late for {late_before}", [request(BEGIN)], late_before).send(begun)
    settle(begun, until=date(2026, 1, 2))
    check(begun)


def settle(store: Store, until: date) -> None:
    days = Settled(store)
    days.register(of("g"))
    days.over(of("g"), until)
    while days.settle_next():
        pass
    assert days.read().settled == until


def test_a_day_waits_for_all_groups(begun: Store) -> None:
    days = Settled(begun)
    for group in ("one", "two", "two"):
        days.register(of(group))
    days.over(of("one"), BEGIN + 2 * DAY)
    days.over(of("one"), BEGIN)
    days.over(of("three"), BEGIN + 2 * DAY)
    state = days.read()
    assert state.groups == {of("one"): BEGIN + 2 * DAY, of("two"): BEGIN}
    assert (state.due(), state.holding()) == (None, [of("two")])
    days._settle(BEGIN)  # by who has not seen the other group
    assert (days.settle_next(), days.read().settled) == (None, BEGIN)
    days.over(of("two"), BEGIN + DAY)
    assert [days.settle_next(), days.settle_next()] == [BEGIN, None]


def test_without_groups_days_go_on_by_the_clock(begun: Store) -> None:
    """Everything goes in at once then, and who registers is given no day that is over."""
    days = Settled(begun)
    assert days.settle_next() == BEGIN
    days.register(of("g"))
    state = days.read()
    assert (state.groups, state.due()) == ({of("g"): BEGIN + DAY}, None)
    assert state.least() == state.now.date()


def test_before_the_migrations_end_no_group_is_registered(begun: Store) -> None:
    begun.command("TRUNCATE TABLE users_settlements")
    days = Settled(begun)
    days.register(of("g"))
    state = days.read()
    assert (state.groups, state.due(), days.settle_next()) == ({}, None, None)
    users_days.begin(begun)
    users_days.begin(begun)
    days.register(of("g"))
    state = days.read()
    assert state.groups == {of("g"): state.settled}
    assert state.now.date() - state.settled in {0 * DAY, DAY}


def test_what_comes_to_a_settled_day_after_all_is_added(begun: Store) -> None:
    Block("in time", [request(BEGIN)], BEGIN).send(begun)
    settle(begun, until=date(2026, 1, 2))
    Block("behind", [request(BEGIN), request(date(2026, 1, 1))], BEGIN).send(begun)
    days = Settled(begun)
    for due in ([BEGIN, date(2026, 1, 1)], []):
        assert days.settle_again(BEGIN - DAY) == due
        check(begun)


def test_a_month_is_added_though_its_days_are_whole(begun: Store) -> None:
    """What was late for its day and not for its month, or who adds is killed behind the day."""
    settle(begun, until=date(2026, 1, 2))
    days = Settled(begun)
    Block("late for its day", [request(BEGIN)], BEGIN + DAY).send(begun)
    assert days.settle_again(BEGIN) == []
    check(begun)
    Block("behind", [request(BEGIN)], BEGIN).send(begun)
    days._add(days._day(BEGIN), "1")
    assert days.settle_again(BEGIN) == []
    check(begun)
    assert begun.query("SELECT sum(requests) FROM users_1mo") == [(2,)]


def test_a_day_that_is_there_twice_is_not_settled(begun: Store) -> None:
    days, missing = Settled(begun), day_of(BEGIN)
    days.register(of("g"))
    days.over(of("g"), BEGIN + DAY)
    Block("t", [request(BEGIN)], BEGIN).send(begun)
    begun.command(missing.insert)
    begun.command("INSERT INTO users_1d SELECT * FROM users_1d")
    assert (days.settle_next(), days.read().settled) == (None, BEGIN)


def test_a_day_is_not_settled_before_it_is_over_by_the_store_s_clock(begun: Store) -> None:
    days, today = Settled(begun), datetime.now(UTC).date()
    begun.command(f"INSERT INTO users_settlements (day) VALUES ('{today}')")
    days.register(of("g"))
    days.over(of("g"), today + 3 * DAY)
    days._settle(today)
    assert (days.settle_next(), days.read().settled) == (None, today)


def test_what_comes_between_a_day_s_rows_and_its_end_is_added(begun: Store) -> None:
    """Were the day's token its name alone, they would be dropped for good."""
    days = Settled(begun)
    days.register(of("g"))
    days.over(of("g"), BEGIN + DAY)
    Block("first", [request(BEGIN)], BEGIN).send(begun)
    missing = day_of(BEGIN)
    begun.command(missing.insert, settings=insert_settings(f"{missing.token}:0"))
    Block("second", [request(BEGIN)], BEGIN).send(begun)
    assert days.settle_next() == BEGIN
    check(begun)


def test_a_second_run_under_the_token_adds_nothing(begun: Store) -> None:
    missing = day_of(BEGIN)
    under_token = insert_settings(f"{missing.token}:0")
    for tokens in range(3):  # the content differs: there is more each time
        Block(f"{tokens}", [request(BEGIN)], BEGIN).send(begun)
        begun.command(missing.insert, settings=under_token)
    assert begun.query("SELECT sum(requests) FROM users_1d") == [(1,)]


def test_rows_that_a_token_has_lost_are_said_to_be_missing(begun: Store) -> None:
    days, missing = Settled(begun), day_of(BEGIN)
    days.register(of("g"))
    days.over(of("g"), BEGIN + DAY)
    Block("t", [request(BEGIN)], BEGIN).send(begun)
    begun.command(missing.insert, settings=insert_settings(f"{missing.token}:0"))
    begun.command("DELETE FROM users_1d WHERE 1", settings={"mutations_sync": 2})
    assert [days.settle_next() for _ in range(settled.LOOKS - 1)] == [None, None]
    with pytest.raises(StoreRefused, match="users' days of 2025-12-29"):
        days.settle_next()
    assert days.read().settled == BEGIN
    check_views(begun)


STEPS = [
    f"{when}:settle:{what}" for what in ("day", "month", "latencies", "settled") for when in AROUND
]


def test_a_day_and_its_month_are_settled_whoever_is_killed_on_the_way(
    begun: Store, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Each goes on from where the one before has died, and dies one statement further on."""
    last = date(2025, 12, 31)
    begun.command(f"INSERT INTO users_settlements (day) VALUES ('{last}')")
    for user in "uv":
        Block(user, [request(last, user=user), request(last - DAY)], last).send(begun)
    Settled(begun).register(of("g"))
    Settled(begun).over(of("g"), last + DAY)
    for point in STEPS:
        environment = {"USAGE_CLICKHOUSE": url_at(store.port, begun.database)}
        killed = hooks.environment(point)
        settler = Process(
            point.replace(":", "-"),
            [sys.executable, "-m", "tests.support.harness.settler"],
            {**clean_environment(), **environment, **killed},
            tmp_path,
        )
        assert settler.wait() == -signal.SIGKILL, settler.tail()
        check(begun)
    assert Settled(begun).read().settled == last + DAY
    assert begun.query("SELECT sum(requests) FROM users_1mo") == [(4,)]
    assert Settled(begun).settle_next() is None


def test_a_day_of_many_keys_is_settled_in_blocks(
    begun: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "BLOCK_KEYS", 10)
    last = date(2025, 12, 31)
    begun.command(f"INSERT INTO users_settlements (day) VALUES ('{last}')")
    begun.command("SYSTEM STOP MERGES users_1d")
    try:
        rows = [request(last, user=str(n)) for n in range(60)]
        Block("t", rows, last).send(begun)
        blocks = Settled(begun)._day(last)
        assert len(blocks) == 8
        begun.command(blocks[3].insert, settings=insert_settings(f"{blocks[3].token}:0"))
        settle(begun, until=last + DAY)
        [(parts,)] = begun.query("SELECT uniqExact(_part) FROM users_1d")
        assert 1 < parts <= 8
    finally:
        begun.command("SYSTEM START MERGES users_1d")
    check(begun)
    assert begun.query("SELECT sum(requests) FROM users_1mo") == [(60,)]


def test_a_day_of_as_many_blocks_as_there_may_be_is_settled(
    begun: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that asked for all of them would be longer than ClickHouse takes."""
    Block("t", [request(BEGIN, user=str(n)) for n in range(300)], BEGIN).send(begun)
    days = Settled(begun)
    days._add([day_of(BEGIN)], "1")
    monkeypatch.setattr(settled, "BLOCK_KEYS", 1)
    blocks = days._day(BEGIN)
    assert len(blocks) == settled.MOST_BLOCKS
    days._publish(BEGIN, blocks)
    assert days.read().settled == BEGIN + DAY
    check(begun)


def test_no_group_is_waited_for_for_good(begun: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it inserts after all is added then."""
    days = Settled(begun)
    days.register(of("gone"))
    assert days.settle_next() is None
    monkeypatch.undo()
    assert [str(one) for one in days.read().holding()] == ["usage (usage.requests of Kafka gone)"]
    assert days.settle_next() == BEGIN
    Block("t", [request(BEGIN)], BEGIN).send(begun)
    assert days.settle_again(BEGIN) == [BEGIN]
    check(begun)


def test_nothing_is_left_for_later_where_quarter_hours_are_kept_too_short(begun: Store) -> None:
    assert Settled(begun).read().keeps_long_enough
    begun.command("ALTER TABLE requests_15m MODIFY TTL quarter + toIntervalDay(65)")
    try:
        assert not Settled(begun).read().keeps_long_enough
    finally:
        begun.command("ALTER TABLE requests_15m REMOVE TTL")


@pytest.mark.parametrize(
    ("kept", "days", "months"), [("0", 0, 0), ("10", 67, 67), ("66", 67, 97), ("800", 801, 831)]
)
def test_a_month_s_days_are_kept_until_it_is_made(kept: str, days: int, months: int) -> None:
    wanted = retention.wanted(load({"USAGE_KEEP_QUARTER_HOUR_ROWS": kept}))
    assert (wanted["users_1d"], wanted["users_1mo"]) == (("day", days), ("month", months))


def test_latencies_of_a_month_that_is_over_are_few_rows(begun: Store) -> None:
    """What came late for it is not among them, but in what views read; damage is found."""
    last = date(2025, 12, 31)
    rows = [request(BEGIN, minute, user=str(minute)) for minute in (5, 5, 5, 7, 700)]
    Block("in time", rows, BEGIN).send(begun)
    Block("late", [request(BEGIN, 9)], last + 2 * DAY).send(begun)
    settle(begun, until=last + DAY)
    check(begun)
    counts = begun.query("SELECT requests FROM latency_1mo FINAL ORDER BY requests")
    assert counts == [(1,), (1,), (3,)]
    begun.command("DELETE FROM latency_1mo WHERE requests = 3", settings={"mutations_sync": 2})
    cells = sums.read(begun, sums.kept(begun)).cells["usage.requests"]
    assert [events for cell, (events, _) in cells.items() if cell.left == "latency_1mo"] == [-3]
    assert Settled(begun).settle_again(BEGIN) == []
    check(begun)


def test_latencies_that_a_worker_of_before_has_left_out_are_added(
    begun: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It settles a month's last day in a rolling upgrade, when others have long looked back."""
    monkeypatch.setattr(settling, "GIVES_OUT_DAYS", False)
    days, last = Settled(begun), date(2025, 12, 31)
    begun.command(f"INSERT INTO users_settlements (day) VALUES ('{last}')")
    Block("t", [request(last, 7)], last).send(begun)
    worker = settling_of(begun)
    asyncio.run(worker.look())
    for missing in (days._day, days._month):
        days._add(missing(last), "1")
    begun.command(f"INSERT INTO users_settlements (day) VALUES ('{last + DAY}')")
    assert begun.query("SELECT count() FROM latency_1mo") == [(0,)]
    for _ in range(2):
        asyncio.run(worker.look())
        assert begun.query("SELECT sum(requests) FROM latency_1mo") == [(1,)]
    users_days.publish(begun, nobody_asks=True)
    check(begun)


def settling_of(store: Store) -> Settling:
    """The part in it of a worker that has the first partition, and waits for its assignment."""
    anything, nothing = cast("Any", SimpleNamespace), cast("Any", None)
    return Settling(
        load({}),
        Settled(store),
        anything(earliest_day=lambda: None),
        nothing,
        nothing,
        Days(),
        anything(users_days=lambda _: None),
        nothing,
        lambda: anything(given=None, partitions={Source("usage.requests", 0): None}),
    )


def test_latencies_of_before_the_migration_are_added_up_once(store: EmbeddedStore) -> None:
    """Whichever month they are of, however often it was begun; what comes late counts besides."""
    known = files.read(resources.migrations())
    number = next(n for n, one in enumerate(known) if one.name == "latency_months")
    with closing(new_database(store.port)) as old:
        own = settings_for(store.port, old.database)
        migrate(old, own, migrations=known[:number], views=())
        today = datetime.now(UTC).date()
        days = [BEGIN, BEGIN + 40 * DAY, today - 31 * DAY, today]
        Block("on time", [request(day, 7, user=str(day)) for day in days], BEGIN).send(old)
        Block("late", [request(BEGIN, 9)], None).send(old)
        for _ in range(2):
            for statement in known[number].statements():
                old.command(statement)
        migrate(old, own)
        users_days.publish(old, nobody_asks=True)
        assert old.query("SELECT sum(requests) FROM latency_1mo") == [(4,)]
        over = {"since": midnight(date(2025, 1, 1)), "until": midnight(today + DAY)}
        for token in ("", "a"):
            found = latencies(old, over | {"tenant": "", "token": token})
            assert found == timed(old, token)
        old.command(f"DROP DATABASE {old.database}")


def test_a_large_day_is_one_block(begun: Store) -> None:
    begun.command("SYSTEM STOP MERGES users_1d")
    begun.command(
        "INSERT INTO requests_15m (tenant, quarter, user_id, requests, first_minute, last_minute) "
        f"SELECT toString(number % 3), {at(BEGIN)} + 900 * (number % 96), toString(number), 1, "
        f"{at(BEGIN)}, {at(BEGIN)} FROM numbers(300000)"
    )
    try:
        settle(begun, until=BEGIN + DAY)
        assert begun.query("SELECT count(), uniqExact(_part) FROM users_1d") == [(300_000, 1)]
    finally:
        begun.command("SYSTEM START MERGES users_1d")


def test_views_go_on_with_the_day_that_their_query_began_with(begun: Store) -> None:
    """All branches of a view find one day, whatever is written down while they are planned."""
    Block("t", [request(BEGIN + n * DAY, user=str(n)) for n in range(-2, 4)], BEGIN).send(begun)
    settle(begun, until=BEGIN + 2 * DAY)
    [(now, found)] = begun.query("SELECT now('UTC'), days FROM users_settled")
    slot = int(now.timestamp()) // 300
    left = {number for number, day in enumerate(found) if day == BEGIN}
    assert {(slot - 1) % 288, slot % 288} < left
    assert len(left) <= 8
    assert set(found) == {BEGIN, BEGIN + 2 * DAY}
    check_views(begun)
    for lost in (False, True):
        users_days.publish(begun, nobody_asks=True)
        check(begun)
        if not lost:  # as a power loss may leave it
            begun.command("TRUNCATE TABLE users_settled")
            check(begun)


def test_views_prune_by_the_day(begun: Store) -> None:
    """It is a constant where parts are chosen."""
    view = call(
        "telemetry_summary",
        {"since": midnight(BEGIN - DAY), "until": midnight(BEGIN + DAY), "tenant": ""},
    )
    plan = "\n".join(line for (line,) in begun.query(f"EXPLAIN SELECT * FROM {view}"))
    assert f"day < '{BEGIN}'" in plan
    assert "joinGet" not in plan
