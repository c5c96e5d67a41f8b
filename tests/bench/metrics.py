"""What user-defined metrics cost over half a year of kept product events: CPU of the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest import mock

from pipeline.clickhouse import client
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.quoting import quoted
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.definitions.reading import read
from pipeline.meters import days
from pipeline.settings import load as load_settings
from pipeline.views import catalogue
from pipeline.views.call import Value, call
from tests.bench import metric_load
from tests.bench.bed import Bed
from tests.bench.measure import cpu_seconds
from tests.support.harness.store import EmbeddedStore, url_at

EVENTS, QUICK_EVENTS = 20_000_000, 500_000
PATIENCE_SECONDS = 900
"""On a busy machine the longest question takes minutes."""
LARGEST, SMALL = "tenant-0001", "tenant-0700"


def _asked(operator: str, path: str, value: object) -> dict[str, Any]:
    return {"property": path, "operator": operator, "value": value}


ONE: dict[str, Any] = {"match": ["event_05"], "interval_days": 30}
FIVE: tuple[dict[str, Any], ...] = (
    {"match": ["event_02"]},
    {
        "match": ["event_02", "event_05"],
        "filters": [_asked("exact", "status", 200), _asked("in", "plan", ["team", "business"])],
    },
    {"match": ["event_02"], "calculation": "sum", "property": "amount"},
    {
        "match": ["event_01"],
        "filters": [_asked("regex", "path", "^/v1/(orders|items)/1[0-9]*")],
    },
    {
        "match": ["event_03"],
        "calculation": "sum",
        "property": "amount",
        "filters": [_asked("exact", "user.plan", "team"), _asked("gt", "duration_ms", 1000)],
    },
)
"""A count, two equalities, a sum, a pattern, and a sum of what two filters leave."""


class Case(NamedTuple):
    """A question, and what its answer may take."""

    name: str
    metrics: tuple[dict[str, Any], ...]
    view: str
    tenant: str
    wanted: float
    """Seconds of CPU."""


def _twenty() -> Iterator[dict[str, Any]]:
    for n in range(20):
        one = FIVE[n % 5]
        names = [f"event_{(int(name[-2:]) + n) % metric_load.NAMES:02d}" for name in one["match"]]
        yield {**one, "match": names}


CASES = (
    Case("one small tenant × 5 metrics, 90 days", FIVE, "metric_values", SMALL, 0.4),
    Case("the largest tenant × 5 metrics, 90 days", FIVE, "metric_values", LARGEST, 0.4),
    Case("all tenants × 1 metric, 30 days", (ONE,), "metric_values", "", 0.5),
    Case("all tenants × 20 metrics, 90 days", tuple(_twenty()), "metric_values", "", 2.0),
    Case("a sparkline of 90 days, a small tenant", FIVE, "metric_sparkline", SMALL, 0.15),
    Case("a sparkline of 90 days, the largest tenant", FIVE, "metric_sparkline", LARGEST, 0.15),
)


def metrics(bed: Bed) -> list[str]:
    """Load, then ask each question some times."""
    rows = bed.scale.metric_events or (QUICK_EVENTS if bed.scale.quick else EVENTS)
    store = EmbeddedStore(bed.folder, "metrics")
    store.start()
    try:
        settings = load_settings({"USAGE_CLICKHOUSE": url_at(store.port, "usage")})
        with mock.patch.object(client, "READ_SECONDS", PATIENCE_SECONDS):
            connected = Store.connect(settings)
        migrate(connected, settings)
        until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        metric_load.load(connected, rows, until)
        [(size, leaves)] = connected.query(
            "SELECT (SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active "
            "AND database = currentDatabase() AND table = 'product_events'), "
            "(SELECT avg(length(properties)) FROM product_events WHERE rand() % 100 = 0)"
        )
        as_of = until.replace(hour=17, minute=43)
        lines = [_line(connected, store, case, as_of, bed.scale.runs) for case in CASES]
        return [
            (
                f"{rows:,} product events of {metric_load.TENANTS:,} tenants and "
                f"{metric_load.NAMES} names over {metric_load.DAYS} days, {leaves:.1f} leaves and "
                f"{size:.0f} bytes on the disk each (wanted: 60). CPU of the store, all threads, "
                f"seconds: best / median of {bed.scale.runs} runs, as the API and the command line "
                "ask, as they do where no days are added up, and as SQL does that calls the view "
                "by its name; adding up what days were not there yet, once; and the first answer, "
                "by the clock, from a definition's insert to its answer from events (wanted: 3 s)."
            ),
            "",
            "| | wanted | found | from events | by name | adding up | first answer |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *lines,
        ]
    finally:
        store.kill9()


def _line(connected: Store, store: EmbeddedStore, case: Case, as_of: datetime, runs: int) -> str:
    connected.command("TRUNCATE TABLE metric_definitions")
    given: dict[str, Value] = {"as_of": as_of, "tenant": case.tenant}
    if case.view == "metric_sparkline":
        given |= {"tz": "Asia/Kolkata", "metric": "metric_2"}
    view = catalogue.names(connected)[case.view]
    plainly = f"SELECT * FROM {view.asked_plainly(given)} FORMAT Null"
    by_name = f"SELECT * FROM {call(case.view, given)} FORMAT Null"
    began = time.monotonic()
    define(connected, case.metrics)
    connected.command(plainly)
    first = time.monotonic() - began
    before = cpu_seconds(store.process.pid)
    list(days.fill(connected, days.weeks(connected, as_of)))
    adding = cpu_seconds(store.process.pid) - before

    def as_asked() -> None:
        kept = view.asked_by_day(given)
        sql = kept.asked(*connected.query(kept.which)[0]) if kept else ""
        connected.command(f"SELECT * FROM {sql} FORMAT Null" if sql else plainly)

    asked = (as_asked, lambda: connected.command(plainly), lambda: connected.command(by_name))
    found = " | ".join(_spent(store, one, runs) for one in asked)
    line = f"| {case.name} | {case.wanted:.2f} | {found} | {adding:.1f} | {first:.1f} |"
    print(line, flush=True)
    return line


def _spent(store: EmbeddedStore, question: Callable[[], None], runs: int) -> str:
    spent = sorted(_cpu(store, question) for _ in range(runs))
    return f"{spent[0]:.2f} / {spent[len(spent) // 2]:.2f}"


def _cpu(store: EmbeddedStore, question: Callable[[], None]) -> float:
    before = cpu_seconds(store.process.pid)
    question()
    return cpu_seconds(store.process.pid) - before


def define(store: Store, metrics: tuple[Mapping[str, Any], ...]) -> None:
    """Insert definitions, as the log has them: ``metric_0`` and so on."""
    rows = []
    for number, says in enumerate(metrics):
        usual = {"metric_id": f"metric_{number}", "name": "M", "interval_days": 90}
        text = interpreted(read({**usual, **says}))
        rows.append(f"('*', 'metric_{number}', 1, now64(3), now64(3), 0, {number}, {quoted(text)})")
    store.command(
        "INSERT INTO metric_definitions_in (tenant, metric_id, version, time, arrival, partition, "
        f"offset, interpreted) VALUES {', '.join(rows)}"
    )
