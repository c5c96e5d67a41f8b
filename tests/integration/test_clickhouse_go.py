"""The embedded store through clickhouse-go, which Grafana's ClickHouse data source reads with.

Every query of every dashboard gives there what the API answers, cell by cell.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.facts.heads import REQUESTS
from pipeline.panels.panel import Panel, Tab
from pipeline.views.sources import shipped
from tests.integration.test_embedded_native import COLUMNS
from tests.integration.test_grafana import CLICKHOUSE, NEW_YORK, READER, SINCE, UNTIL, panel_of
from tests.integration.test_usage_views import insert, request
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.grafana import dashboards, expand, targets
from tests.support.harness.installed import run
from tests.support.harness.store import EmbeddedStore

PROGRAM = Path(__file__).parents[1] / "support" / "clickhouse_go"
UNKNOWN = {"Tuple()", "Geometry"}
"""Types that the driver does not know; nor does it read names in backquotes."""

PROPERTY = "plan"

pytestmark = pytest.mark.faults
Ask = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("go") / "ask"
    run(["go", "build", "-mod=readonly", "-o", str(built), "."], cwd=PROGRAM)
    return built


@pytest.fixture
def ask(program: Path, store: EmbeddedStore, tables: Store) -> Ask:
    """Provide what asks several questions in turn."""
    return lambda questions: answers(program, store.port, tables.database, questions)


def answers(
    program: Path, port: int, database: str, questions: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the driver reads, for each question."""
    done = subprocess.run(
        [program, f"127.0.0.1:{port}", database],
        input="\n".join(json.dumps(question) for question in questions),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_views_buckets_are_in_their_zone(ask: Ask, tables: Store) -> None:
    insert(tables, REQUESTS, request("2026-05-01 10:07"))
    view = (
        "usage_trend(since = 1777593600, until = 1777680000, grain = 'day', tenant = '', tz = '{}')"
    )
    for zone, bucket in (
        ("America/St_Johns", "2026-05-01T00:00:00-02:30"),
        ("Asia/Kolkata", "2026-05-01T00:00:00+05:30"),
    ):
        sql = f"SELECT bucket, interactions FROM {view.format(zone)} WHERE interactions > 0"
        (answer,) = ask([{"sql": sql}])
        assert answer["error"] == ""
        assert answer["types"][0] == f"DateTime('{zone}')"
        assert answer["rows"] == [[f"{bucket} {zone}", "1"]]
        ((found, _),) = tables.query(sql)
        assert f"{found.isoformat()} {found.tzinfo}" == f"{bucket} {zone}"


def test_every_type_that_the_driver_knows_is_read(ask: Ask) -> None:
    names = [name for name in COLUMNS if name not in UNKNOWN and "`" not in name]
    quoted = [name.replace("\\", "\\\\").replace("'", "\\'") for name in names]
    settings = "SETTINGS allow_suspicious_low_cardinality_types = 1, enable_time_time64_type = 1"
    answers = ask(
        [
            {"sql": f"SELECT defaultValueOfTypeName('{q}') AS x, number FROM numbers(3) {settings}"}
            for q in quoted
        ]
    )
    for name, answer in zip(names, answers, strict=True):
        assert answer["error"] == "", (name, answer["error"])
        assert [row[1] for row in answer["rows"]] == ["0", "1", "2"], name


def test_many_blocks_no_rows_errors_and_inserts(ask: Ask) -> None:
    days = ["2026-05-01 10:00:00", "2026-05-02 00:00:00"]
    made, inserted, read, many, none, wrong, late, after = ask(
        [
            {"sql": "CREATE TABLE go (k UInt32, t DateTime('Asia/Tokyo')) ENGINE = Memory"},
            {"sql": "INSERT INTO go", "insert": [[1, days[0]], [2, days[1]]]},
            {"sql": "SELECT k, t FROM go ORDER BY k"},
            {"sql": "SELECT count(), sum(n) FROM (SELECT number AS n FROM numbers(300000))"},
            {"sql": "SELECT k FROM go WHERE k > 5"},
            {"sql": "SELECT nothing"},
            {"sql": "SELECT throwIf(number = 3000000) FROM numbers(10000000)"},
            {"sql": "DROP TABLE go"},
        ]
    )
    assert [answer["error"] for answer in (made, inserted, read, many, none, after)] == [""] * 6
    # The driver takes a text for UTC.
    assert read["rows"][1] == ["2", "2026-05-02T09:00:00+09:00 Asia/Tokyo"]
    assert many["rows"] == [["300000", str(300_000 * 299_999 // 2)]]
    assert none["rows"] is None
    assert "UNKNOWN_IDENTIFIER" in wrong["error"]
    assert "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO" in late["error"]
    assert len(late["rows"]) > 100_000


def test_every_panel_says_what_the_api_says(program: Path, store: EmbeddedStore) -> None:
    """Cell by cell, in a zone that is neither UTC nor the server's."""
    reader = replace(READER, chosen=(("property", PROPERTY),))
    asked = [
        (panel_of(dashboard["uid"], drawn["title"]), expand(target["rawSql"], dashboard, reader))
        for dashboard in dashboards()
        for drawn, target in targets(dashboard, CLICKHOUSE)
    ]
    with api_over_a_world(store.port) as api:
        people = {True: api.let(Role.OPERATOR, ALL), False: api.let(Role.ADMIN, ALL)}
        questions = [{"sql": sql, "zone": NEW_YORK} for _, sql in asked]
        database = api.settings.clickhouse.database
        found = answers(program, store.port, database, questions)
        for (panel, sql), answer in zip(asked, found, strict=True):
            assert answer["error"] == "", (panel.id, sql)
            who = people[panel.tab is Tab.HEALTH]
            told = api.view(panel.view, parameters(panel), who=who)
            assert told.status == 200, told.body
            rows = told.json["rows"]
            assert len(answer["rows"] or []) == len(rows), panel.id
            for ours, theirs in zip(answer["rows"] or [], rows, strict=True):
                read = zip(answer["columns"], ours, strict=True)
                cells = {name: text for name, text in read if not name.startswith("link_")}
                assert {n: cell(t, theirs[n]) for n, t in cells.items()} == {
                    n: comparable(theirs[n]) for n in cells
                }, panel.id


def parameters(panel: Panel) -> dict[str, str]:
    """What the API is asked for the same; months are the twelve that it takes by itself."""
    names = [one.name for one in shipped()[panel.view]]
    instants = {
        name: datetime.fromtimestamp(at, UTC).isoformat()
        for name, at in (("since", SINCE), ("until", UNTIL), ("as_of", UNTIL))
    }
    values = {**instants, "tz": NEW_YORK, "property": PROPERTY, **panel.fixed}
    if panel.x == "month" or "month" in panel.columns:
        values.pop("since")
    return {name: values[name] for name in names if values.get(name)} | {"limit": "100000"}


def comparable(value: Any) -> Any:
    """A value of the API's: instants as such, money as decimals."""
    if isinstance(value, str):
        try:
            return Decimal(value) if "." in value and value[-1].isdigit() else as_instant(value)
        except ArithmeticError:
            return value
    return value


def as_instant(value: str) -> Any:
    try:
        return datetime.fromisoformat(value) if "T" in value else value
    except ValueError:
        return value


def cell(text: str, like: Any) -> Any:
    """What the driver read, as the API's value has it."""
    if like is None:
        return None if text == "null" else text
    known = comparable(like)
    if isinstance(known, datetime):
        return datetime.fromisoformat(text.split(maxsplit=1)[0])
    if isinstance(known, str):
        # Months go out shortened: no browser moves them by a day.
        return known if known[:7] == text and len(known) == 10 else text
    return type(known)(text)
