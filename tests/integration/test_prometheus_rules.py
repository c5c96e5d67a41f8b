"""The rules that Prometheus is given: only declared metrics, each alert explained and tested."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.api.metrics import ALL as OF_THE_API
from pipeline.panels.operations import GAUGES, WINDOWS
from pipeline.panels.panel import Board, Gauge
from pipeline.process.metrics import Metric
from pipeline.worker.telemetry.metrics import ALL as OF_WORKERS
from pipeline.worker.telemetry.metrics import TENANT_MEASURES

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
CASES = ROOT / "tests" / "support" / "prometheus"

OF_THE_CLIENT = {"process_start_time_seconds", "process_resident_memory_bytes", "up"}
"""Beside those that are declared: of the client library, and of Prometheus itself."""
OF_THE_SCRAPE = {"job", "instance"}
OF_TENANTS = {one for pair in TENANT_MEASURES.values() for one in pair}
"""What customers do is in views, which the dashboards show; these are for alerts of one's own."""

_RULE = re.compile(
    r"^ +- (record|alert): (\S+)\n +expr: (?:\|\n((?:(?: {10}.*)?\n)+)|(.*)\n)", re.MULTILINE
)
_NAME = re.compile(r"(?<![\w:])[a-z_]\w*(?::\w+)*(?![\w:]*\s*\()")
_SELECTED = re.compile(r"([a-z_][\w:]*)\{([^}]*)\}")
_GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_WORDS = {"and", "or", "unless", "offset", "bool", "by", "on"}


class Rule(NamedTuple):
    kind: str
    name: str
    expr: str


def rules(file: str) -> list[Rule]:
    text = (RULES / file).read_text()
    return [Rule(kind, name, block or line) for kind, name, block, line in _RULE.findall(text)]


RECORDED, ALERTS = rules("recording.rules.yml"), rules("alerts.rules.yml")


def series(metric: Metric) -> set[str]:
    """Name what Prometheus stores of a metric."""
    if metric.type == "histogram":
        return {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
    return {metric.exposed}


LABELS = {
    name: {*metric.labels, *OF_THE_SCRAPE, *(["le"] if name.endswith("_bucket") else [])}
    for metric in OF_WORKERS + OF_THE_API
    for name in series(metric)
} | dict.fromkeys(OF_THE_CLIENT, OF_THE_SCRAPE)


def used(expr: str) -> set[str]:
    """Name the metrics of an expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on)\s*\([^)]*\)|offset \w+", " ", expr)
    return set(_NAME.findall(bare)) - _WORDS


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_was_read() -> None:
    for file, found in (("recording.rules.yml", RECORDED), ("alerts.rules.yml", ALERTS)):
        text = (RULES / file).read_text()
        assert len(found) == len(re.findall(r"^ +- (?:record|alert):", text, re.MULTILINE)) > 10
        assert all(rule.expr.strip() for rule in found)


@pytest.mark.parametrize("rule", RECORDED + ALERTS, ids=lambda rule: rule.name)
def test_rules_use_only_what_is_declared(rule: Rule) -> None:
    names = used(rule.expr)
    recorded = {one.name for one in RECORDED}
    assert names
    assert names <= LABELS.keys() | recorded
    labels = set().union(*(LABELS[name] for name in names if name in LABELS), OF_THE_SCRAPE)
    for name, matchers in _SELECTED.findall(rule.expr):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= LABELS[name], name
    for grouped in _GROUPED.findall(rule.expr):
        assert set(re.findall(r"\w+", grouped)) <= labels, grouped


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule.name)
def test_recorded_names_are_level_metric_operation(rule: Rule) -> None:
    level, metric, operation = rule.name.split(":")
    assert all((level, metric.startswith("usage_"), operation))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_each_alert_has_its_section_and_two_cases(rule: Rule) -> None:
    assert re.fullmatch(r"Usage([A-Z][a-z]+)+", rule.name)
    section = re.search(
        rf"^## {rule.name}\n(.*?)(?=^## |\Z)",
        (ROOT / "docs" / "runbook.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert section, "no section in docs/runbook.md"
    for part in ("Means", "See", "do"):
        assert re.search(rf"\*\*[^*]*{part}", section[1], re.IGNORECASE), part
    text = (RULES / "alerts.rules.yml").read_text()
    assert f"runbook_url: docs/runbook.md#{rule.name.lower()}\n" in text
    cases = (CASES / "alerts.test.yml").read_text()
    for what in ("fires", "stays silent"):
        assert f"- name: {rule.name} {what}\n" in cases


def test_the_runbook_explains_no_other_alert() -> None:
    sections = re.findall(r"^## (\S+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sections == [rule.name for rule in ALERTS]


@pytest.mark.parametrize("gauge", GAUGES, ids=lambda gauge: gauge.id)
def test_panels_ask_for_what_is_declared(gauge: Gauge) -> None:
    recorded = {one.name for one in RECORDED}
    for one in gauge.series:
        names = used(one.expr)
        assert names or one.expr.startswith("count(ALERTS{")
        assert names <= LABELS.keys() | recorded, one.expr
    assert set(gauge.alerts) <= {rule.name for rule in ALERTS}
    assert gauge.alerts or not gauge.limits or gauge.id == "alerts-now"


def test_every_metric_and_every_alert_of_the_pipeline_is_in_a_panel() -> None:
    """Of L2, what is declared; an alert without a panel has nothing to be looked at in."""
    exprs = " ".join(one.expr for gauge in GAUGES for one in gauge.series)
    exprs += " ".join(rule.expr for rule in RECORDED if rule.name in exprs)
    missing = [
        metric.name
        for metric in (*OF_WORKERS, *OF_THE_API)
        if metric not in OF_TENANTS and metric.name not in exprs
    ]
    assert missing == []
    assert {rule.name for rule in ALERTS} == {name for one in GAUGES for name in one.alerts}


def test_objectives_are_those_of_the_rules() -> None:
    """Each window is recorded, and a budget is the one that an alert goes by."""
    text = (RULES / "alerts.rules.yml").read_text()
    for gauge in (one for one in GAUGES if one.board is Board.OBJECTIVES):
        for one in gauge.series:
            [name] = used(one.expr)
            budget = one.expr.rpartition("/ ")[2]
            assert re.search(
                rf"{name.rpartition(':')[0]}:ratio_rate\w+ > (?:\S+ \* )?{budget}\n", text
            )
            assert name.rpartition("ratio_rate")[2] in WINDOWS


def test_prometheus_accepts_configuration_and_rules(tmp_path: Path) -> None:
    """With the API's key where the file says that it is; promtool looks for it."""
    for path in RULES.glob("*.yml"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    assert "/run/secrets/usage-api-key\n" in (RULES / "prometheus.yml").read_text()
    (tmp_path / "usage-api-key").touch()
    promtool("check", "config", tmp_path / "prometheus.yml")


def test_every_rule_gives_what_its_cases_say() -> None:
    promtool("test", "rules", CASES / "alerts.test.yml", CASES / "recording.test.yml")
