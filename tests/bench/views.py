"""What every view costs over a simulated year, while a worker inserts; and what a year takes."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts.heads import REQUESTS
from pipeline.settings import load as load_settings
from pipeline.views.call import call
from tests.bench import insert_path, view_load
from tests.bench.bed import Bed
from tests.bench.view_load import Year
from tests.support.contract.views import VIEWS
from tests.support.harness.store import EmbeddedStore, url_at

ONE, LARGEST, ALL = "tenant-00060", "tenant-00001", ""
DAYS = 30
RUNS = 12
INSERTED_ROWS, INSERTS_PER_SECOND = 5_000, 2.0
_TOLD = (
    "requests_15m",
    "totals_15m",
    "users_1d",
    "users_1mo",
    "latency_1mo",
    "tasks_15m",
    "requests_1m",
    "entities",
)
_REGISTRY = {"months": 12, "periods": 12, "k": 10}

Case = tuple[str, timedelta]


def views(bed: Bed) -> list[str]:
    """Time every view for one tenant, for the largest, and for all."""
    store = EmbeddedStore(bed.folder, "views")
    store.start()
    try:
        settings = load_settings({"USAGE_CLICKHOUSE": url_at(store.port, "usage")})
        connected = Store.connect(settings)
        migrate(connected, settings)
        began = time.monotonic()
        year = view_load.load(connected, bed.scale.view_rows, first_of_month())
        loaded = time.monotonic() - began
        runs = 3 if bed.scale.quick else RUNS
        with _inserting(settings, year.until):
            table = list(_table(connected, year, runs))
        return [*_described(connected, loaded, runs), "", *table, "", *_sizes(connected)]
    finally:
        store.kill9()


def first_of_month() -> datetime:
    """Where the loaded year ends."""
    return datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _described(store: Store, loaded: float, runs: int) -> list[str]:
    rows = dict(store.query(_ROWS))
    million = {table: f"{rows.get(table, 0) / 1e6:.1f}" for table in _TOLD}
    sizes = ", ".join(f"{million[table]} in `{table}`" for table in _TOLD)
    return [
        (
            f"A year of {view_load.TENANTS:,} tenants (Zipf, exponent 1) and "
            f"{view_load.USERS:,} users, loaded directly in {loaded / 60:.0f} minutes; rows in "
            f"millions: {sizes} (minutes of {view_load.KEEP_DAYS} days). Meanwhile "
            f"{INSERTED_ROWS:,} requests are inserted {INSERTS_PER_SECOND:g} times a second. "
            f"Milliseconds over HTTP, p50 / p95 of {runs} runs; days in Asia/Kolkata where there "
            "are buckets, 12 months or periods, k = 10. Ends are not full quarter hours."
        )
    ]


def _table(store: Store, year: Year, runs: int) -> Iterator[str]:
    span = year.until - year.since
    cases: dict[str, Case] = {
        f"one tenant, {DAYS} days": (ONE, timedelta(days=DAYS)),
        "one tenant, a year": (ONE, span),
        "the largest, a year": (LARGEST, span),
        f"all, {DAYS} days": (ALL, timedelta(days=DAYS)),
        "all, a year": (ALL, span),
    }
    yield f"| view | {' | '.join(cases)} |"
    yield "|" + " --- |" * (len(cases) + 1)
    for view, contract in VIEWS.items():
        if view not in _present(store) or "metric" in contract.parameters:
            continue  # user-defined metrics have a benchmark of their own
        cells = []
        for tenant, lasting in cases.values():
            if tenant and "tenant" not in contract.parameters:
                cells.append("")
                continue
            asked = values(contract.parameters, tenant, year.until, lasting)
            cells.append(_timed(store, f"SELECT * FROM {call(view, asked)}", runs))
        yield f"| `{view}` | {' | '.join(cells)} |"


def _present(store: Store) -> set[str]:
    rows = store.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
    return {name for (name,) in rows}


def values(
    names: tuple[str, ...], tenant: str, until: datetime, lasting: timedelta
) -> Mapping[str, Any]:
    """Typical parameters: ends in the middle of quarter hours, as panels have them."""
    until -= timedelta(hours=3, minutes=8)
    known: dict[str, Any] = {
        **_REGISTRY,
        "since": until - lasting,
        "until": until,
        "as_of": until,
        "tz": "Asia/Kolkata",
        "grain": "day",
        "tenant": tenant,
        "token": "",
    }
    return {name: known[name] for name in names}


def _timed(store: Store, query: str, runs: int) -> str:
    times = []
    for _ in range(runs):
        began = time.monotonic()
        store.query(query)
        times.append((time.monotonic() - began) * 1e3)
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
    return f"{statistics.median(times):.0f} / {p95:.0f}"


@contextmanager
def _inserting(settings: Any, until: datetime) -> Iterator[None]:
    """Insert as a worker does, in a thread, until the block ends."""
    stop = threading.Event()
    chunk = [column[:INSERTED_ROWS] for column in insert_path.data(2_000, 2)]
    minute = int(until.timestamp()) - 60
    chunk[0] = [minute - 60 * (n % 2) for n in range(INSERTED_ROWS)]

    def insert() -> None:
        store = Store.connect(settings)
        number = 0
        while not stop.wait(1 / INSERTS_PER_SECOND):
            store.insert("requests_in", REQUESTS.columns, chunk, token=f"bench-{number}")
            number += 1
        store.close()

    thread = threading.Thread(target=insert, name="inserts")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


_ROWS = (
    "SELECT table, sum(rows) FROM system.parts "
    "WHERE active AND database = currentDatabase() GROUP BY table"
)


def _sizes(store: Store) -> list[str]:
    """Bytes on disk for a million requests at each resolution."""
    of_table = dict(
        store.query(
            "SELECT table, sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table"
        )
    )
    lines = [
        "| table | rows, million | MB | MB per million requests |",
        "| --- | --- | --- | --- |",
    ]
    for table, rows in sorted(store.query(_ROWS)):
        if rows > 100_000:
            requests = _requests(store, table)
            each = f"{of_table[table] / 1e6 / (requests / 1e6):.1f}" if requests else ""
            lines.append(f"| `{table}` | {rows / 1e6:.2f} | {of_table[table] / 1e6:.0f} | {each} |")
    return lines


def _requests(store: Store, table: str) -> int:
    """How many requests the rows of a table stand for."""
    if not table.startswith(("requests_", "totals_", "users_")):
        return 0
    return int(store.query(f"SELECT sum(requests) FROM {table}")[0][0])
