"""A real Prometheus scrapes real workers: its queries, recording rules and alerts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.panels.operations import GAUGES
from pipeline.panels.panel import Gauge
from tests.support.harness.process import free_port
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import Scene
from tests.support.harness.scrape import (
    Prometheus,
    await_equal,
    get,
    prometheus,
    window_gauges,
    worker_at,
)
from tests.support.harness.waiting import until


def promtool_says(port: int) -> str:
    """What Prometheus' own check says of the names and units that a worker exposes."""
    ours = [line for line in get(port, "/metrics").splitlines() if "python_" not in line]
    command, text = ["promtool", "check", "metrics"], "\n".join(ours) + "\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_queries_rules_and_alerts_say_what_is_stored(scene: Scene, tmp_path: Path) -> None:
    """With more tenants than labels, rejects, and records that Kafka deleted unread."""
    scene.settings |= {"USAGE_TENANT_LABELS": "3"}
    scene.set_up(partitions=2)
    topic = scene.topic(REQUESTS)
    scene.send(300)
    scene.kafka.delete_records(topic, 0, 40)
    # A group that has been here before, so that what is gone was due to it.
    scene.kafka.commit(scene.group, dict.fromkeys(scene.sources, 0))
    port = free_port()
    with prometheus(tmp_path, [port]) as prom:
        prom.await_value("count(ALERTS{alertname='UsageNoWorkers', alertstate='pending'})", 1)
        worker_at(scene, port)
        scene.settle()
        # Rates are of what is counted between two scrapes.
        prom.await_value('sum(usage_events_total{outcome!="skipped"})', scene.received())
        scene.send(700, seed=2, bad=0.2)
        scene.settle()
        await_equal(scene, port)
        with scene.connect() as store:
            [stored] = store.query(
                "SELECT sum(received), sum(counted), sum(rejected), sum(skipped), sum(lost) "
                "FROM chunks FINAL"
            )
            rejected = dict(
                store.query(
                    "SELECT reason, sum(events) FROM partitions_1m WHERE outcome = 'rejected' "
                    "GROUP BY reason"
                )
            )
        received, counted, bad, skipped, lost = map(int, stored)
        assert lost == 40
        assert promtool_says(port) == ""

        # Queries
        prom.await_value('sum(usage_events_total{outcome="counted"})', counted)
        prom.await_value('sum(usage_events_total{outcome!="skipped"})', received)
        prom.await_value('sum(usage_events_total{outcome="skipped"})', skipped)
        prom.await_value("sum(usage_rejected_events_total)", bad)
        prom.await_value("sum(usage_lost_offsets_total)", lost)
        prom.await_value("sum(usage_lag_records)", 0)

        def reasons() -> dict[str, float]:
            rule = "sum by (reason) (usage_rejected_events_total) > 0"
            return {labels["reason"]: n for labels, n in prom.query(rule)}

        until(
            lambda: reasons() == rejected,
            within=60,
            what=f"rejected events {rejected}",
            explain=lambda: str(reasons()),
        )

        # Recording rules. They are evaluated in turns of their own, after the scrape that they
        # need; meanwhile a minute may end, with which the windows move.
        def last_hours() -> dict[str, int]:
            return {
                tenant: numbers[0]
                for (tenant, window, state), numbers in window_gauges(port).items()
                if (window, state) == ("1h", "last")
            }

        def by_tenant() -> dict[str, int]:
            rule = 'tenant_window_state:usage_window_requests:sum{window="1h", state="last"}'
            return {labels["tenant"]: int(value) for labels, value in prom.query(rule)}

        until(
            lambda: by_tenant() == last_hours(),
            within=60,
            what="the rule's windows",
            explain=lambda: f"rule {by_tenant()}, scraped {last_hours()}",
        )
        assert "other" in by_tenant()
        assert len(by_tenant()) == 4
        # Rates have no number (NaN) until their window holds two scrapes that differ.
        prom.await_value("count(job:usage_events:rate5m > 0)", 1)
        ratio = "topic:usage_rejected_events:ratio_rate5m"
        prom.await_value(f"count(0 < {ratio} < 1)", len(scene.topics))
        assert {labels["topic"] for labels, _ in prom.query(ratio)} == set(scene.topics)
        for quantile in ("p50", "p99"):
            rule = f"topic:usage_freshness_arrival_seconds:{quantile}_rate5m"
            prom.await_value(f"count(0 < {rule} < 3600)", len(scene.topics))

        # Alerts
        expected = {("UsageLostRecords", "firing"), ("UsageLabelOverflow", "pending")}
        until(
            lambda: expected <= prom.alerts(),
            within=60,
            what=f"alerts {expected}",
            explain=lambda: str(prom.alerts()),
        )
        wrong = {"UsageLedgerGaps", "UsageInternalRejects", "UsageNoWorkers"}
        until(
            lambda: not wrong & {name for name, _ in prom.alerts()},
            within=60,
            what=f"no alert of {wrong}",
            explain=lambda: str(prom.alerts()),
        )

        # Panels
        def silent() -> set[str]:
            found = {gauge.id for gauge in GAUGES if not any(drawn(prom, gauge))}
            return found - {"ledger-now", "ledger-checks"}  # the worker looks every 30 s

        of_the_api = {gauge.id for gauge in GAUGES if "api" in gauge.series[0].expr}
        until(
            lambda: silent() == of_the_api,
            within=60,
            what=f"series of all panels but {of_the_api}",
            explain=lambda: str(silent()),
        )


def drawn(prom: Prometheus, gauge: Gauge) -> list[int]:
    """How many series each of a panel's expressions gives; their legends have the labels."""
    found = []
    for one in gauge.series:
        series = prom.query(one.expr.replace("$job", ".+"))
        wanted = set(re.findall(r"{{(\w+)}}", one.legend))
        assert all(wanted <= labels.keys() for labels, _ in series), (gauge.id, series)
        found.append(len(series))
    return found


@pytest.mark.faults
def test_a_ledger_row_that_is_gone_is_an_alert(scene: Scene, tmp_path: Path) -> None:
    """The worker looks at its newest rows every 30 s; the audit would tell more."""
    scene.set_up(partitions=1)
    port = free_port()
    worker_at(scene, port)
    for seed in (1, 2, 3):
        scene.send(200, seed=seed)
        scene.settle()
    with prometheus(tmp_path, [port]) as prom:
        prom.await_value("sum(usage_ledger_gaps)", 0)
        prom.await_value("sum(usage_ledger_difference_events)", 0)
        with scene.connect() as store:
            [(start,)] = store.query(
                "SELECT from_offset FROM chunks WHERE topic = {topic:String} "
                "ORDER BY from_offset LIMIT 1 OFFSET 1",
                {"topic": scene.topic(REQUESTS)},
            )
            store.command(
                "ALTER TABLE chunks DELETE WHERE topic = {topic:String} "
                "AND from_offset = {start:Int64}",
                {"topic": scene.topic(REQUESTS), "start": start},
                settings={"mutations_sync": 2},
            )
            assert [row[4] for row in store.query("SELECT * FROM ledger_gaps")] == ["gap"]
        until(
            lambda: ("UsageLedgerGaps", "firing") in prom.alerts(),
            within=60,
            what="an alert about a gap",
        )
        assert ("UsageLedgerDifference", "firing") not in prom.alerts()
