"""What a worker exposes is what is declared: every metric, nothing else, with its labels."""

from __future__ import annotations

import asyncio
import gzip
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from pipeline.facts.columns import Numbers
from pipeline.facts.heads import REQUESTS
from pipeline.facts.interface import Rejection
from pipeline.facts.python_facts import PythonFacts
from pipeline.protocol.chunks import Range, Source
from pipeline.settings import load
from pipeline.worker.live import WINDOWS, Seen, Window
from pipeline.worker.live.windows import Totals
from pipeline.worker.telemetry import metrics
from pipeline.worker.telemetry.group_watch import GroupWatch
from pipeline.worker.telemetry.instruments import Instruments
from pipeline.worker.telemetry.ledger_watch import LedgerWatch, Look
from pipeline.worker.telemetry.server import Server
from pipeline.worker.telemetry.state import Lag, State
from tests.support.harness.process import free_port

NOW = 1_700_000_000
SOURCE = Source("usage.requests", 3)
CLIENT_LIBRARY = ("process_", "python_")


async def state(with_tenants: bool) -> State:
    tenants: Future[Seen] = Future()
    windows: dict[Window, Totals] = {window: {"acme": (1, 2, 3, 4, 5)} for window in WINDOWS}
    tenants.set_result(Seen(windows, {"acme": (10, 20, 30, 40, 50)}, overflowing=6))
    return State(
        now=50.0,
        assigned=2,
        taken_up=1,
        lag={SOURCE: Lag(12, 3.5)},
        held_events=9,
        store_away_since=None,
        store_call_since=None,
        progress_at=49.0,
        assigned_at=10.0,
        tenants=tenants if with_tenants else None,
        rebuild_remaining=1234,
        unseen={SOURCE: 8},
    )


def exercise(registry: CollectorRegistry) -> None:
    """Make everything happen once."""
    instruments = Instruments(registry, clock=lambda: NOW)
    instruments.rebalanced([SOURCE.topic])
    facts = PythonFacts(REQUESTS)
    facts.received, facts.counted, facts.duplicate, facts.rejected, facts.skipped = 6, 3, 2, 1, 4
    facts.rejections = [Rejection(1, None, 0, "malformed", "", "", "", b"")]
    facts.event_time = ((NOW - 9) * 1000, (NOW - 2) * 1000)
    facts.arrival = ((NOW - 4) * 1000, (NOW - 1) * 1000)
    facts.conflicts = 1
    columns = dict(zip([name for name, _ in REQUESTS.columns], facts.columns, strict=True))

    def fill(name: str, values: list[int]) -> None:
        column = columns[name]
        assert isinstance(column, Numbers)
        column.extend(values)

    fill("minute", [NOW // 60 * 60 - 600] * 2 + [NOW // 60 * 60])
    fill("input_tokens", [10**10, 5, 2])
    fill("output_tokens", [10**10, 5, 2])
    fill("cache_read_input_tokens", [10**10, 3, 1])
    fill("cache_creation_input_tokens", [10**10, 2, 1])
    fill("reasoning_output_tokens", [10**10, 5, 3])
    instruments.chunk_counted(Range(SOURCE, "i", 0, 10), facts)
    instruments.refused(SOURCE.topic, 5)
    instruments.lost(Range(SOURCE, "i", 10, 17))
    instruments.abandoned(2)
    instruments.store_failed()
    instruments.users_days(2)
    instruments.remembered(70)
    instruments.rebuilt(1.5)
    with instruments.step("commit"):
        pass


class Scraped:
    """A server over a loop of its own, in a thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.port = free_port()
        self._server = Server(self.port, self.registry, state, 400_000, self.loop)
        self._server.start()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(asked) as answer:
                body = answer.read()
                is_packed = answer.headers["Content-Encoding"] == "gzip"
                # Without a length, a part is not told from all; what is packed tells by itself.
                assert is_packed or int(answer.headers["Content-Length"]) == len(body)
                return answer.status, (gzip.decompress(body) if is_packed else body).decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def families(self) -> dict[str, Metric]:
        _, text = self.get("/metrics")
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        for family in self.families().values():
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        raise AssertionError(f"no {name} {labels}")

    def close(self) -> None:
        self._server.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def scraped() -> Iterator[Scraped]:
    scraped = Scraped()
    exercise(scraped.registry)
    watch = LedgerWatch(None, dict)  # type: ignore[arg-type]  # it looks at nothing here
    watch._looks = {SOURCE: Look(1, 2)}
    scraped.registry.register(watch)
    GroupWatch(load({}), scraped.registry).saw(True)
    yield scraped
    scraped.close()


def test_every_declared_metric_is_exposed_and_nothing_else(scraped: Scraped) -> None:
    found = {
        name: family
        for name, family in scraped.families().items()
        if not name.startswith(CLIENT_LIBRARY)
    }
    # The text format knows no info: it comes as a gauge under its full name.
    declared = {m.exposed if m.type == "info" else m.name: m for m in metrics.ALL}
    assert found.keys() == declared.keys()
    for name, metric in declared.items():
        kind = "gauge" if metric.type == "info" else metric.type
        assert (found[name].type, found[name].documentation) == (kind, metric.meaning)
        assert found[name].samples, name
        for sample in found[name].samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample


def test_names_are_declared_once_and_follow_the_conventions() -> None:
    assert max(Counter(metric.name for metric in metrics.ALL).values()) == 1
    for metric in metrics.ALL:
        assert metric.name.startswith("usage_")
        assert not metric.name.endswith(("_total", "_info"))
        assert metric.meaning.endswith(".")
        assert bool(metric.buckets) == (metric.type == "histogram")


def test_values_are_what_happened(scraped: Scraped) -> None:
    value, topic = scraped.value, {"topic": SOURCE.topic}
    assert value("usage_events_total", **topic, outcome="counted") == 3
    assert value("usage_events_total", **topic, outcome="duplicate") == 2
    assert value("usage_events_total", **topic, outcome="rejected") == 1
    assert value("usage_events_total", **topic, outcome="skipped") == 4
    assert value("usage_rejected_events_total", **topic, reason="malformed") == 1
    assert value("usage_rejected_events_total", **topic, reason="internal") == 0
    assert value("usage_store_refused_events_total", **topic) == 5
    assert value("usage_lost_offsets_total", **topic) == 7
    assert value("usage_late_events_total", **topic) == 2
    assert value("usage_conflicting_duplicates_total", **topic) == 1
    assert value("usage_inconsistent_requests_total", **topic) == 2
    assert value("usage_freshness_event_seconds_sum", **topic) == 2
    assert value("usage_freshness_arrival_seconds_sum", **topic) == 4
    assert value("usage_freshness_arrival_seconds_bucket", **topic, le="10.0") == 1
    assert value("usage_chunk_events_sum") == 6
    assert value("usage_abandoned_chunks_total") == 2
    assert value("usage_partitions", state="waiting") == 1
    assert value("usage_rebuild_remaining_records") == 1234
    assert value("usage_rebuild_records_total") == 70
    assert value("usage_rebuild_seconds_sum") == 1.5
    assert value("usage_duplicate_window_missing_offsets", **topic, partition="3") == 8
    assert value("usage_lag_records", **topic, partition="3") == 12
    assert value("usage_ledger_difference_events", **topic, partition="3") == 2
    assert value("usage_group_new_protocol") == 1
    assert value("usage_users_unsettled") == 2
    assert value("usage_tasks_total", tenant="acme") == 50
    assert value("usage_window_tasks", tenant="acme", window="5m", state="last") == 5


def test_prometheus_own_form_packed_says_the_same(scraped: Scraped) -> None:
    headers = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    _, text = scraped.get("/metrics", **headers)
    families = parse_open_metrics(text)  # type: ignore[no-untyped-call]
    found = {family.name: family.type for family in families}
    declared = {metric.name: metric.type for metric in metrics.ALL}
    assert {name: kind for name, kind in found.items() if name in declared} == declared


def test_some_can_be_asked_for_by_name(scraped: Scraped) -> None:
    names = ["usage_tasks_total", "usage_buffer_events", "usage_chunk_events_sum"]
    _, text = scraped.get("/metrics?" + "&".join(f"name[]={name}" for name in names))
    found = [s.name for family in text_string_to_metric_families(text) for s in family.samples]
    assert sorted(found) == sorted(names)


def test_health_is_json_with_a_reason(scraped: Scraped) -> None:
    assert scraped.get("/healthz")[0] == 200
    status, body = scraped.get("/readyz")
    assert status == 503
    why = "it reads 1 of 2 partitions so far, and has 1,234 offsets before the others to read again"
    assert body == f'{{"state":"rebuilding","why":"{why}"}}\n'
    assert scraped.get("/other")[0] == 404


def test_a_blocked_loop_is_told_and_scrapes_still_answer(
    scraped: Scraped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.telemetry.server.ANSWER_SECONDS", 0.1)
    release = threading.Event()
    scraped.loop.call_soon_threadsafe(release.wait, 30)
    try:
        for path in ("/healthz", "/readyz"):
            status, body = scraped.get(path)
            assert (status, '"state":"blocked"' in body) == (503, True)
        names = scraped.families().keys()
        assert "usage_buffer_limit_events" in names
        assert "usage_buffer_events" not in names
    finally:
        release.set()
