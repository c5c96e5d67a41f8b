"""The deployed views are those of the contract, and say of themselves what people need to know."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.cli.views import query_command, views_command
from pipeline.clickhouse.client import Store
from pipeline.errors import UsageError
from pipeline.facts import zones
from pipeline.settings import Settings
from pipeline.views import catalogue, parameters
from pipeline.views.catalogue import View
from pipeline.views.page import markdown
from pipeline.views.sources import shipped
from tests.support.contract.views import TYPES, VIEWS
from tests.support.harness.clickhouse_parts import migrated_database, settings_for
from tests.support.harness.process import usage
from tests.support.harness.store import EmbeddedStore, url_at

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "views.md"


@pytest.fixture(scope="module")
def deployed(store: EmbeddedStore) -> Iterator[Store]:
    """Provide a migrated database."""
    with migrated_database(store.port) as connected:
        yield connected


@pytest.fixture(scope="module")
def views(deployed: Store) -> dict[str, View]:
    """Provide the catalogue."""
    return {view.name: view for view in catalogue.read(deployed)}


def test_there_are_just_the_views_of_the_contract(views: dict[str, View]) -> None:
    assert set(views) == set(VIEWS)
    assert set(shipped()) == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
def test_parameters(views: dict[str, View], name: str) -> None:
    found = {parameter.name: parameter.type for parameter in views[name].parameters}
    assert tuple(found) == VIEWS[name].parameters
    for parameter, kind in found.items():
        if TYPES[parameter] == "an integer":
            assert kind.startswith(("UInt", "Int"))
        else:
            assert kind == TYPES[parameter]


@pytest.mark.parametrize("name", VIEWS)
def test_columns(views: dict[str, View], name: str) -> None:
    found = views[name].columns
    due = VIEWS[name].columns
    assert [column.name for column in found][: len(due)] == list(due)
    for column in found[: len(due)]:
        assert column.type == due[column.name].format(tz="tz"), column


@pytest.mark.parametrize("name", VIEWS)
def test_comments(views: dict[str, View], name: str) -> None:
    view = views[name]
    assert view.rows == VIEWS[name].rows
    assert len(view.sentence) > 20
    assert set(view.units) <= {column.name for column in view.columns}


def test_the_page_is_fresh(views: dict[str, View]) -> None:
    due = markdown(list(views.values()))
    assert PAGE.read_text(encoding="utf-8") == due, "docs/views.md is stale: make docs"


def test_the_page_is_written_without_a_store_of_ones_own(
    views: dict[str, View], tmp_path: Path
) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "docs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    [arguments] = re.findall(r"bin/usage (.*) > docs/views\.md", shown.stdout)
    environment = {"USAGE_CLICKHOUSE": "http://127.0.0.1:1/nowhere", "TMPDIR": str(tmp_path)}
    process = usage("page", *arguments.split(), environment=environment, folder=tmp_path)
    assert process.wait(90) == 0, process.output()
    assert process.output() == markdown(list(views.values()))
    assert not list(tmp_path.glob("usage-*"))


@pytest.fixture
def settings(deployed: Store, store: EmbeddedStore) -> Settings:
    """Provide the settings of the deployed database."""
    return settings_for(store.port, deployed.database)


def asked(
    settings: Settings, capsys: pytest.CaptureFixture[str], view: str, output: str, **given: str
) -> str:
    """What `usage query` prints."""
    query_command(settings, view, given, output, datetime.now(UTC))
    return capsys.readouterr().out


def test_the_catalogue_is_printed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    views_command(settings, [], "json")
    printed = {view["name"]: view for view in json.loads(capsys.readouterr().out)}
    assert set(printed) == set(VIEWS)
    assert printed["billing_by_tenant"]["rows"] == ["C1", "C5"]
    assert {"name": "since", "type": "DateTime('UTC')"} in printed["usage_trend"]["parameters"]
    assert printed["usage_trend"]["columns"][0]["type"] == "DateTime(tz)"


@pytest.mark.parametrize("name", ["top_customers", "billing_periods", "ledger_gaps", "top_users"])
def test_views_answer_with_its_defaults(
    settings: Settings, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    answer = json.loads(asked(settings, capsys, name, "json"))
    assert set(answer["parameters"]) == set(VIEWS[name].parameters)
    for row in answer["rows"]:
        assert list(row)[: len(VIEWS[name].columns)] == list(VIEWS[name].columns)


def test_a_question_in_a_zone_and_its_formats(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"since": "2026-05-01", "until": "2026-05-03", "tz": "Asia/Kolkata", "grain": "day"}
    answer = json.loads(asked(settings, capsys, "usage_trend", "json", **given))
    assert answer["parameters"]["since"] == "2026-05-01T00:00:00+05:30"
    assert answer["rows"] == [
        {"bucket": f"2026-05-0{day}T00:00:00+05:30", "interactions": 0, "active_users": 0}
        for day in (1, 2)
    ]
    text = asked(settings, capsys, "usage_trend", "csv", **given)
    assert list(csv.reader(io.StringIO(text)))[1] == ["2026-05-01T00:00:00+05:30", "0", "0"]
    assert "interactions" in asked(settings, capsys, "usage_trend", "table", **given)


def test_a_view_that_refuses_says_why(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    years = {"since": "2016-01-01", "until": "2026-01-01", "grain": "minute"}
    with pytest.raises(UsageError, match=r"^usage_trend does not answer that: more than 1,000,000"):
        asked(settings, capsys, "usage_trend", "json", **years)


def test_a_zone_that_only_the_store_does_not_know_is_named(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zones, "names", lambda: frozenset({"Nowhere/Nope"}))
    monkeypatch.setattr("pipeline.views.parameters.zoneinfo.ZoneInfo", lambda _: UTC)
    given = {"since": "2026-05-01T00:00Z", "until": "2026-05-02T00:00Z", "tz": "Nowhere/Nope"}
    with pytest.raises(UsageError) as refused:
        asked(settings, capsys, "usage_trend", "json", **given)
    assert refused.value.message == (
        "--tz 'Nowhere/Nope' is no time zone that ClickHouse knows (code 36)"
    )


def test_a_refusal_of_the_store_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "_value", lambda _name, text: text)
    with pytest.raises(UsageError) as refused:
        asked(settings, capsys, "top_customers", "json", k="many")
    assert refused.value.message.startswith("top_customers does not answer that: ")
    assert refused.value.message.endswith(" of ClickHouse)")
    assert "'many'" in refused.value.message
    assert "SELECT" not in refused.value.message


def test_a_table_has_an_end(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    days = {"since": "2016-01-01", "until": "2026-01-01"}
    text = asked(settings, capsys, "usage_trend", "table", **days)
    assert "… and 1,653 more rows: --format csv has them all" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["usage_trends"], "there is no view 'usage_trends', did you mean 'usage_trend'?"),
        (["usage_trend", "--k", "3"], "usage_trend takes no --k; it takes --since, --until, --tz"),
        (["usage_trend", "--tz", "Asia/Calcuta"], "did you mean 'Asia/Calcutta'?"),
    ],
)
def test_what_is_wrong_is_said(
    deployed: Store, store: EmbeddedStore, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    environment = {"USAGE_CLICKHOUSE": url_at(store.port, deployed.database)}
    process = usage("query", "query", *arguments, environment=environment, folder=tmp_path)
    assert process.wait(60) == 64
    assert sentence in process.output()
    assert "Traceback" not in process.output()
