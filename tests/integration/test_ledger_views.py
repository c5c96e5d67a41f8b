"""The views of the live windows and the ledger, on rows computed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.shards import Shards
from pipeline.embedded.readings import tenants
from pipeline.facts.heads import RECIPE_ACTIONS, REQUESTS
from pipeline.facts.interface import Head
from pipeline.protocol.chunks import Intent, Source
from pipeline.protocol.ledger import CHUNKS, OUTCOMES, PARTITIONS, Columns, LedgerReader
from pipeline.protocol.ledger_rows import NEAR, From
from pipeline.worker.telemetry import ledger_watch
from pipeline.worker.telemetry.ledger_watch import Held, LedgerWatch, Look, Looked, looks
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.instants import at, seconds
from tests.support.harness.store import EmbeddedStore

Row = tuple[Any, ...]

REQUEST, ACTION = "usage.request.v1", "usage.recipe_action.v1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views, empty."""
    with migrated_database(store.port, USAGE_KEEP_MINUTE_ROWS="0") as connected:
        yield connected


def insert(store: Store, head: Head, token: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert events; what a row does not name is 0 or ''."""
    columns = [
        [row.get(name, 0 if "Int" in kind else "") for row in rows] for name, kind in head.columns
    ]
    store.insert(head.table, head.columns, columns, token=token)


def requests(store: Store, *rows: tuple[str, str, int, int]) -> None:
    """Insert requests: (tenant, minute, input tokens, failed); output tokens are the double."""
    insert(
        store,
        REQUESTS,
        f"r{rows}",
        [
            {
                "tenant": tenant,
                "minute": seconds(minute),
                "input_tokens": tokens,
                "output_tokens": 2 * tokens,
                "failed": failed,
                "model": f"m{n}",
            }
            for n, (tenant, minute, tokens, failed) in enumerate(rows)
        ],
    )


def actions(store: Store, *rows: tuple[str, str, int]) -> None:
    """Insert recipe actions: (tenant, minute, whether it is a task)."""
    insert(
        store,
        RECIPE_ACTIONS,
        f"a{rows}",
        [{"tenant": t, "minute": seconds(minute), "task": task} for t, minute, task in rows],
    )


def plain(store: Store, table: str, columns: Columns, rows: Sequence[Row]) -> None:
    store.insert(table, columns, [list(column) for column in zip(*rows, strict=True)])


def windows(store: Store, as_of: str, tenant: str = "") -> list[Row]:
    return store.query(f"SELECT * FROM live_windows(as_of = '{as_of}', tenant = '{tenant}')")


def fill(store: Store) -> None:
    """Minutes on both sides of every bound of the windows that end at 10:07 on 1 May."""
    requests(
        store,
        ("acme", "2026-05-01 10:06", 1, 1),  # the last full minute
        ("acme", "2026-05-01 10:02", 10, 0),  # the first of five
        ("acme", "2026-05-01 10:01", 100, 1),  # before them, behind the last quarter hour
        ("acme", "2026-05-01 09:15", 1_000, 0),  # the first quarter hour that lies in the hour
        ("acme", "2026-05-01 09:07", 10_000, 1),  # the first of the hour
        ("acme", "2026-05-01 09:06", 100_000, 0),  # before it
        ("acme", "2026-05-01 00:00", 1_000_000, 0),  # the first of the month
        ("acme", "2026-04-30 23:59", 10_000_000, 0),  # the last of April
        ("acme", "2026-05-01 10:07", 100_000_000, 0),  # the running minute
        ("past", "2026-02-02 02:02", 7, 0),
        ("future", "2026-05-01 10:07", 7, 0),
    )
    actions(
        store,
        ("acme", "2026-05-01 10:06", 1),
        ("acme", "2026-05-01 10:06", 0),
        ("recipes", "2026-05-01 09:59", 1),
        ("recipes", "2026-05-01 09:14", 1),
        ("recipes", "2026-05-01 09:06", 1),
        ("triggers", "2026-05-01 10:05", 0),  # an action, and no task
    )


def nothing(tenant: str) -> list[Row]:
    return [(tenant, window, 0, 0, 0, 0, 0) for window in ("1m", "5m", "1h", "month")]


ACME = [
    ("acme", "1m", 1, 1, 1, 2, 1),
    ("acme", "5m", 2, 1, 11, 22, 1),
    ("acme", "1h", 5, 3, 11_111, 22_222, 1),
    ("acme", "month", 7, 3, 1_111_111, 2_222_222, 1),
]
RECIPES = [
    ("recipes", "1m", 0, 0, 0, 0, 0),
    ("recipes", "5m", 0, 0, 0, 0, 0),
    ("recipes", "1h", 0, 0, 0, 0, 2),
    ("recipes", "month", 0, 0, 0, 0, 3),
]


def test_live_windows_end_at_as_of_whose_seconds_do_not_count(migrated: Store) -> None:
    fill(migrated)
    expected = [*ACME, *nothing("past"), *RECIPES, *nothing("triggers")]
    assert windows(migrated, "2026-05-01 10:07:00") == expected
    assert windows(migrated, "2026-05-01 10:07:59") == expected
    assert windows(migrated, "2026-05-01 10:07:30", "recipes") == RECIPES
    assert windows(migrated, "2026-05-01 10:07:00", "future") == []
    as_seconds = migrated.query(
        f"SELECT * FROM live_windows(as_of = {seconds('2026-05-01 10:07')}, tenant = 'acme')"
    )
    assert as_seconds == ACME


def test_the_screen_shows_of_tenants_what_the_views_say(migrated: Store) -> None:
    fill(migrated)
    money = [
        ("acme", "USD", 1, 1),
        ("acme", "EUR", 2, 0),
        ("beta", "USD", 3, 0),
        ("beta", "", 0, 1),
    ]
    rows = [
        {
            "tenant": tenant,
            "minute": seconds(minute),
            "currency": currency,
            "cost": Decimal(cost) / 3,
            "failed": failed,
        }
        for tenant, currency, cost, failed in money
        for minute in ("2026-05-01 10:01", "2026-05-01 10:02", "2026-05-01 10:06")
    ]
    insert(migrated, REQUESTS, "money", rows)
    shown = tenants(migrated, datetime(2026, 5, 1, 10, 6, 30, tzinfo=UTC))
    assert {(t.tenant, t.requests, t.failed, t.tokens, t.tasks) for t in shown} == {
        (name, requests, failed, input_tokens + output_tokens, tasks)
        for name, window, requests, failed, input_tokens, output_tokens, tasks in windows(
            migrated, "2026-05-01 10:07:00"
        )
        if window == "5m" and requests + tasks
    }
    billed = migrated.query(
        "SELECT tenant, currency, cost FROM billing_by_tenant("
        "since = '2026-05-01 10:02:00', until = '2026-05-01 10:07:00', tenant = '')"
    )
    assert {(t.tenant, name, cost) for t in shown for name, cost in t.cost.items()} == {
        (tenant, currency, cost) for tenant, currency, cost in billed if currency
    }
    assert [t.tenant for t in shown] == ["acme", "beta"]


def test_a_month_begins_empty(migrated: Store) -> None:
    fill(migrated)
    assert windows(migrated, "2026-05-01 00:00:00", "acme") == [
        ("acme", "1m", 1, 0, 10_000_000, 20_000_000, 0),
        ("acme", "5m", 1, 0, 10_000_000, 20_000_000, 0),
        ("acme", "1h", 1, 0, 10_000_000, 20_000_000, 0),
        ("acme", "month", 0, 0, 0, 0, 0),
    ]


def test_expired_minutes_are_answered_by_the_quarter_hours_that_lie_in_the_window(
    migrated: Store,
) -> None:
    fill(migrated)
    for table in ("requests_1m", "tasks_1m"):
        migrated.command(f"TRUNCATE TABLE {table}")
    assert windows(migrated, "2026-05-01 10:07:00", "acme") == [
        ("acme", "1m", 0, 0, 0, 0, 0),
        ("acme", "5m", 0, 0, 0, 0, 0),
        ("acme", "1h", 1, 0, 1_000, 2_000, 0),  # of 09:15 to 10:00
        ("acme", "month", 4, 1, 1_111_000, 2_222_000, 0),  # up to 10:00
    ]


OUTCOME_ROWS: list[Row] = [
    (seconds("2026-05-01 09:59"), "usage.requests", 0, "acme", REQUEST, "counted", "", 1),
    (seconds("2026-05-01 10:00"), "usage.requests", 0, "acme", REQUEST, "counted", "", 20),
    (seconds("2026-05-01 10:01"), "usage.requests", 0, "acme", REQUEST, "duplicate", "", 3),
    (seconds("2026-05-01 10:01"), "usage.requests", 0, "acme", REQUEST, "rejected", "too_late", 4),
    (seconds("2026-05-01 10:02"), "usage.requests", 0, "", "", "rejected", "malformed", 5),
    (seconds("2026-05-01 10:02"), "usage.requests", 1, "", "", "skipped", "", 6),
    (seconds("2026-05-01 10:02"), "usage.requests", 1, "", "", "rejected", "malformed", 8),
    (seconds("2026-05-01 10:03"), "usage.requests", 0, "acme", REQUEST, "counted", "", 100),
    (seconds("2026-05-01 10:00"), "usage.recipe-actions", 0, "beta", ACTION, "counted", "", 9),
    (seconds("2026-05-01 10:02"), "usage.recipe-actions", 2, "", "", "skipped", "", 2),
]
RANGE = "(since = '2026-05-01 10:00:40', until = '2026-05-01 10:03:20')"


def test_the_ledger_adds_up_by_arrival(migrated: Store) -> None:
    plain(migrated, "partitions_1m", OUTCOMES, OUTCOME_ROWS)
    assert migrated.query(f"SELECT * FROM ledger{RANGE}") == [
        ("usage.recipe-actions", 0, 9, 9, 0, 0, 0),
        ("usage.recipe-actions", 2, 0, 0, 0, 0, 2),
        ("usage.requests", 0, 32, 20, 3, 9, 0),
        ("usage.requests", 1, 8, 0, 0, 8, 6),
    ]
    assert migrated.query(f"SELECT * FROM ledger_by_tenant{RANGE}") == [
        ("", "", 0, 0, 13, 0),
        ("acme", REQUEST, 20, 3, 4, 0),
        ("beta", ACTION, 9, 0, 0, 0),
    ]
    assert migrated.query(f"SELECT * FROM rejections{RANGE}") == [
        ("usage.requests", "malformed", 13),
        ("usage.requests", "too_late", 4),
    ]


def test_sums_of_minutes_without_arrivals_are_no_events(migrated: Store) -> None:
    """Live windows' sums stand by event time in the same table: at another minute, or partition."""
    sums = (*OUTCOME_ROWS[1], 20, 0, 7, 7, 0)
    late = (seconds("2026-05-01 09:58"), "usage.requests", 0, "acme", REQUEST, "counted", "")
    ahead = (seconds("2026-05-01 10:02"), "usage.requests", 3, "gone", REQUEST, "counted", "")
    alone = (0, 5, 1, 7, 7, 0)
    plain(migrated, "partitions_1m", PARTITIONS, [sums, (*late, *alone), (*ahead, *alone)])
    requests(migrated, ("z", "2026-05-01 10:06", 1, 0))
    whole = "(since = '2026-05-01 09:00:00', until = '2026-05-01 11:00:00')"
    assert migrated.query(f"SELECT * FROM ledger{whole}") == [
        ("usage.requests", 0, 20, 20, 0, 0, 0)
    ]
    assert migrated.query(f"SELECT * FROM ledger_by_tenant{whole}") == [
        ("acme", REQUEST, 20, 0, 0, 0)
    ]
    assert migrated.query("SELECT newest_arrival FROM as_of") == [(at("2026-05-01 10:00"),)]


def test_duplicates_of_other_content_are_told_apart(migrated: Store) -> None:
    [row] = [row for row in OUTCOME_ROWS if row[5] == "duplicate"]
    others = (*row[:6], "conflict", 2)
    plain(migrated, "partitions_1m", OUTCOMES, [row, others])
    found = migrated.query(f"SELECT tenant, duplicate, conflicts FROM ledger_by_tenant{RANGE}")
    assert found == [("acme", row[7] + 2, 2)]


def chunk(a: int, b: int, kind: str = "chunk", partition: int = 0, incarnation: str = "i") -> Row:
    counts = (b - a, b - a, 0, 0, 0, 0)
    times = (EPOCH, EPOCH, EPOCH, EPOCH)
    return ("usage.requests", partition, incarnation, a, b, kind, *counts, *times, "r", "w")


def gaps(store: Store) -> list[Row]:
    return store.query("SELECT * FROM ledger_gaps")


def test_a_tiled_ledger_has_no_gaps(migrated: Store) -> None:
    tiled = [chunk(10, 20), chunk(20, 25), chunk(25, 40), chunk(7, 9, partition=1)]
    plain(migrated, "chunks", CHUNKS, tiled)
    plain(migrated, "chunks", CHUNKS, tiled)  # a row that was sent again is one row
    plain(migrated, "chunks", CHUNKS, [chunk(0, 5, incarnation="recreated")])
    assert gaps(migrated) == []


def test_each_break_of_the_tiling_is_a_row(migrated: Store) -> None:
    plain(
        migrated,
        "chunks",
        CHUNKS,
        [
            *(chunk(0, 10), chunk(12, 20), chunk(18, 30), chunk(20, 22), chunk(30, 31)),
            *(chunk(0, 4, partition=1), chunk(4, 9, "lost", 1), chunk(9, 11, partition=1)),
        ],
    )
    assert gaps(migrated) == [
        ("usage.requests", 0, 10, 12, "gap"),
        ("usage.requests", 0, 18, 20, "overlap"),
        ("usage.requests", 0, 20, 22, "overlap"),
        ("usage.requests", 1, 4, 9, "lost"),
    ]


def test_a_worker_sees_breaks_and_differences_among_the_newest_rows(migrated: Store) -> None:
    """Of each partition that it has, and of no other, nor of another incarnation."""
    one, two, none = (Source("usage.requests", partition) for partition in range(3))

    def seen(*sources: Source, since: int = 0, incarnation: str = "i") -> dict[Source, Looked]:
        return looks(migrated, [From(source, incarnation, since) for source in sources])

    well = Looked(Look(0, 0), 0)
    assert seen() == {}
    assert seen(one, two, none) == {one: well, two: well, none: well}
    tiled = [chunk(10 * n, 10 * n + 10) for n in range(30)]
    plain(migrated, "chunks", CHUNKS, tiled)
    plain(migrated, "chunks", CHUNKS, tiled[:7])  # sent again
    other = [chunk(3, 5, incarnation="old"), chunk(7, 9, incarnation="old")]
    plain(migrated, "chunks", CHUNKS, other)
    plain(migrated, "chunks", CHUNKS, [chunk(n, n + 4, partition=1) for n in (0, 10, 20)])
    assert seen(one, two, none) == {one: well, two: Looked(Look(2, 0), 0), none: well}
    assert seen(one, incarnation="old") == {one: Looked(Look(1, 0), 3)}
    uneven = list(chunk(290, 305))  # overlaps, and 4 are neither counted nor anything else
    uneven[7] -= 4
    plain(migrated, "chunks", CHUNKS, [tuple(uneven), chunk(310, 311)])
    assert seen(one) == {one: Looked(Look(1, 4), 0)}
    assert seen(one, since=301) == {one: Looked(Look(0, 0), 310)}


def test_a_look_begins_where_the_newest_rows_of_the_last_one_did(
    migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it reads as many as it shows, whatever a partition has."""
    monkeypatch.setattr(ledger_watch, "NEWEST_ROWS", 3)
    monkeypatch.setattr(ledger_watch, "REACH", 40)
    source = Source("usage.requests", 0)
    held = {source: Held("i", 100)}
    watch = LedgerWatch(Shards([migrated]), lambda: held)
    plain(migrated, "chunks", CHUNKS, [chunk(n, n + 10) for n in range(0, 100, 10)])
    assert watch._all(held) == {source: Look(0, 0)}
    assert watch._since == {(source, "i"): 70}
    plain(migrated, "chunks", CHUNKS, [chunk(105, 110)])
    assert watch._all({source: Held("i", 110)}) == {source: Look(1, 0)}
    assert watch._since == {(source, "i"): 80}
    assert watch._all({source: Held("new", 5)}) == {source: Look(0, 0)}
    assert watch._since == {(source, "new"): 0}


def test_a_ledgers_end_is_found_near_its_intent_or_anywhere(migrated: Store) -> None:
    """For many logs at once: of each the newest row, or none."""
    logs = [Source("usage.requests", partition) for partition in range(5)]
    far = 3 * NEAR
    plain(
        migrated,
        "chunks",
        CHUNKS,
        [
            *(chunk(0, 10), chunk(10, 20)),
            *(chunk(0, far, partition=1), chunk(far, far + 5, partition=1)),
            *(chunk(0, 7, partition=2), chunk(90, 99, partition=3, incarnation="old")),
        ],
    )
    intents = {
        logs[0]: Intent(20, 30, "r"),  # open
        logs[1]: Intent(far, far + 5, "r"),  # closed
        logs[2]: Intent(far, far + 9, "r"),  # far behind what the ledger has
        logs[4]: Intent(0, 9, "r"),  # the first
    }
    ledger = LedgerReader(Shards([migrated]))
    covered = ledger.covered(logs, intents, {"usage.requests": "i"})
    assert [one.to for one in covered] == [20, far + 5, 7, None, None]
    assert [one.intent for one in covered] == [intents.get(log) for log in logs]


def test_as_of_is_the_newest_counted_event_and_arrival_of_each_type(migrated: Store) -> None:
    assert migrated.query("SELECT * FROM as_of") == []
    requests(migrated, ("z", "2026-05-01 10:06", 1, 0), ("a", "2026-05-01 10:09", 1, 0))
    actions(migrated, ("a", "2026-03-01 10:06", 0))
    plain(migrated, "partitions_1m", OUTCOMES, OUTCOME_ROWS)
    assert migrated.query("SELECT * FROM as_of") == [
        (ACTION, at("2026-03-01 10:06"), at("2026-05-01 10:00")),
        (REQUEST, at("2026-05-01 10:09"), at("2026-05-01 10:03")),
    ]


TYPES = {
    "live_windows(as_of = 1777629600, tenant = '')": {
        "tenant": "String",
        "window": "String",
        "requests": "UInt64",
        "failed_requests": "UInt64",
        "input_tokens": "UInt64",
        "output_tokens": "UInt64",
        "tasks": "UInt64",
    },
    "ledger(since = 1777629600, until = 1777629660)": {
        "topic": "String",
        "partition": "UInt32",
        "received": "UInt64",
        "counted": "UInt64",
        "duplicate": "UInt64",
        "rejected": "UInt64",
        "skipped": "UInt64",
    },
    "ledger_by_tenant(since = 1777629600, until = 1777629660)": {
        "tenant": "String",
        "type": "String",
        "counted": "UInt64",
        "duplicate": "UInt64",
        "rejected": "UInt64",
        "conflicts": "UInt64",
    },
    "rejections(since = 1777629600, until = 1777629660)": {
        "topic": "String",
        "reason": "String",
        "rejected": "UInt64",
    },
    "ledger_gaps": {
        "topic": "String",
        "partition": "UInt32",
        "from_offset": "Int64",
        "to_offset": "Int64",
        "kind": "String",
    },
    "as_of": {
        "type": "String",
        "newest_event": "DateTime64(3, 'UTC')",
        "newest_arrival": "DateTime64(3, 'UTC')",
    },
}


def test_columns_are_the_contract(migrated: Store) -> None:
    for view, columns in TYPES.items():
        found = migrated.query(f"DESCRIBE (SELECT * FROM {view})")
        assert {row[0]: row[1] for row in found} == columns, view
