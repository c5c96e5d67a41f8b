"""Reports over the API: every format says what the views say, and nobody else's is anybody's."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from pipeline.access.roles import ALL, Role
from pipeline.cli.fetching import Reports
from pipeline.reports.plan import Wanted
from tests.support.harness.api import Served
from tests.support.harness.api_world import address, api_over_a_world
from tests.support.harness.process import usage
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

RANGE = {"since": "2024-01-01T00:00:00Z", "until": "2025-04-01T00:00:00Z"}
VIEWS = ["usage_by_team", "cost_trend"]


@pytest.fixture(scope="module")
def api(store: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Provide an API over a seeded world."""
    folder = tmp_path_factory.mktemp("reports")
    with api_over_a_world(store.port, USAGE_REPORTS=str(folder)) as served:
        yield served


@pytest.fixture
def manager(api: Served) -> str:
    """Provide who may have reports of everything."""
    return api.let(Role.MANAGER, ALL)


def asked(api: Served, who: str, **wanted: Any) -> Any:
    return api.get(
        "/v1/reports",
        who=who,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({**RANGE, "views": VIEWS, **wanted}).encode(),
    )


def made(api: Served, who: str, **wanted: Any) -> tuple[dict[str, Any], bytes]:
    """Ask for a report, wait for it, and return how it stands and its file."""
    taken = asked(api, who, **wanted)
    assert taken.status == 202, taken.body
    path = taken.headers["Location"]
    found = until(lambda: over(api, path, who), within=30, what="the report", explain=lambda: path)
    assert found["status"] == "done", found
    answer = api.get(f"{path}/file", who=who)
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == found["sha256"]
    assert found["bytes"] == len(answer.body)
    return found, answer.body


def over(api: Served, path: str, who: str) -> dict[str, Any] | None:
    found = api.get(path, who=who).json
    return found if found["status"] in ("done", "failed") else None


def rows_of(api: Served, who: str, view: str, **more: str) -> list[dict[str, Any]]:
    answer = api.view(view, {**RANGE, "limit": "1000000", **more}, who=who)
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json["rows"]
    return rows


def test_a_document_says_what_the_views_say(api: Served, manager: str) -> None:
    found, body = made(api, manager, format="json")
    views = {one["view"]: one for one in json.loads(body)["views"]}
    due = {view: rows_of(api, manager, view) for view in VIEWS}
    assert {view: one["rows"] for view, one in views.items()} == due
    assert found["rows"] == sum(map(len, due.values()))
    assert all(due.values())


def test_a_zip_of_csv_says_what_the_views_say(api: Served, manager: str) -> None:
    found, body = made(api, manager)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [*(f"{view}.csv" for view in VIEWS), "about.json"]
        for view in VIEWS:
            text = io.StringIO(archive.read(f"{view}.csv").decode(), newline="")
            rows = list(csv.DictReader(text))
            due = rows_of(api, manager, view)
            assert rows == [{name: str(value) for name, value in row.items()} for row in due]
    assert found["file_name"].endswith(".zip")


def test_a_workbook_says_what_the_views_say(api: Served, manager: str) -> None:
    _, body = made(api, manager, format="xlsx")
    book = openpyxl.load_workbook(io.BytesIO(body))
    assert book.sheetnames == ["About", *VIEWS]
    head, *rows = book["usage_by_team"].iter_rows(values_only=True)
    due = rows_of(api, manager, "usage_by_team")
    assert head == tuple(due[0])
    assert [[cell or 0 for cell in row] for row in rows] == [
        [value or 0 for value in row.values()] for row in due
    ]
    about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
    assert about["usage_by_team"].startswith("since 2024-01-01T00:00:00+00:00")
    assert about["organizations"] == "*"


def test_parquet_says_what_the_view_says(api: Served, manager: str) -> None:
    found, body = made(api, manager, format="parquet", views=["usage_by_team"])
    table = pq.read_table(io.BytesIO(body))
    assert table.to_pylist() == rows_of(api, manager, "usage_by_team")
    assert found["rows"] == table.num_rows


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "xlsx"])
def test_several_organizations_are_told_apart(api: Served, manager: str, form: str) -> None:
    tenants = sorted({row["tenant"] for row in rows_of(api, manager, "usage_by_team")})[:3]
    one, _ = made(api, manager, format=form, views=["telemetry_summary"], organizations=tenants)
    assert one["rows"] == len(tenants)
    assert one["organizations"] == tenants
    assert one["views"][0]["columns"][0] == "organization"


def test_a_manager_of_some_gets_only_theirs(api: Served, manager: str) -> None:
    tenants = sorted({row["tenant"] for row in rows_of(api, manager, "usage_by_team")})
    own, foreign = tenants[0], tenants[1]
    who = api.let(Role.MANAGER, own)
    found, body = made(api, who, format="json")
    assert found["organizations"] == [own]
    assert foreign.encode() not in body
    refused = asked(api, who, organizations=[own, foreign])
    assert (refused.status, refused.json["reason"]) == (403, "organization")
    unknown = asked(api, who, organizations=["nobody-at-all"])
    assert unknown.json == refused.json  # whether it exists or not


def test_a_report_of_somebody_else_is_not_there(api: Served, manager: str) -> None:
    found, _ = made(api, manager, format="json")
    other = api.let(Role.ADMIN, ALL)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file")):
        answer = api.get(f"/v1/reports/{found['id']}{path}", who=other, method=method)
        assert answer.status == 404
        assert answer.json["detail"] == "there is no such report"
    missing = api.get(f"/v1/reports/{'0' * 32}", who=other)
    assert (missing.status, missing.json["detail"]) == (404, "there is no such report")
    assert api.get("/v1/reports", who=other).json == {"reports": []}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_reports_are_for_managers(api: Served, role: Role) -> None:
    before = api.metric("usage_api_refusals_total", reason="role")
    who = api.let(role, ALL)
    assert asked(api, who).status == 403
    assert api.get("/v1/reports", who=who).status == 403
    assert api.metric("usage_api_refusals_total", reason="role") == before + 2


def test_a_file_can_be_gone_on_with(api: Served, manager: str) -> None:
    found, body = made(api, manager, format="csv", views=["usage_by_team"])
    answer = api.get(found["file"], who=manager, headers={"Range": "bytes=100-"})
    assert (answer.status, answer.body) == (206, body[100:])
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_what_was_fetched_in_part_is_fetched_to_its_end(
    api: Served, manager: str, tmp_path: Path
) -> None:
    reports = Reports(f"http://127.0.0.1:{api.port}", manager)
    seen: list[int] = []
    found = reports.ask(Wanted(["usage_by_team"], since=RANGE["since"], until=RANGE["until"]))
    found = reports.wait(found["id"], lambda *_: None)
    body = api.get(found["file"], who=manager).body
    out = tmp_path / "report.csv"
    (tmp_path / "report.csv.part").write_bytes(body[:10])
    reports.fetch(found, out, lambda _, size: seen.append(size))
    assert out.read_bytes() == body
    assert seen[0] > 10
    assert not (tmp_path / "report.csv.part").exists()


def test_a_part_of_another_file_is_noticed(api: Served, manager: str, tmp_path: Path) -> None:
    reports = Reports(f"http://127.0.0.1:{api.port}", manager)
    found = reports.wait(
        reports.ask(Wanted(["usage_by_team"], since=RANGE["since"], until=RANGE["until"]))["id"],
        lambda *_: None,
    )
    out = tmp_path / "report.csv"
    (tmp_path / "report.csv.part").write_bytes(b"of another file")
    with pytest.raises(Exception, match="SHA-256"):
        reports.fetch(found, out, lambda *_: None)
    reports.fetch(found, out, lambda *_: None)
    assert out.stat().st_size == found["bytes"]


def test_what_is_removed_is_gone(api: Served, manager: str) -> None:
    found, _ = made(api, manager)
    path = f"/v1/reports/{found['id']}"
    assert api.get(path, who=manager, method="DELETE").status == 204
    assert api.get(path, who=manager).status == 404
    assert api.get(f"{path}/file", who=manager).status == 404


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"views": ["usage_by_taem"]}, "did you mean 'usage_by_team'?"),
        ({"format": "xls"}, "did you mean 'xlsx'?"),
        ({"columns": ["teem_id"]}, "did you mean 'team_id'?"),
        ({"since": "2025-04-02T00:00:00Z"}, "is not before"),
        ({"sinse": "1d"}, "sinse"),
        ({"views": "usage_by_team"}, "views"),
    ],
)
def test_what_is_wrong_is_named(api: Served, manager: str, wanted: Any, sentence: str) -> None:
    answer = asked(api, manager, **wanted)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert sentence in answer.json["detail"]


def test_the_command_line_writes_what_the_api_gives(
    api: Served, manager: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{manager}\n")
    environment = {"USAGE_CLICKHOUSE": address(api.settings)}
    files = []
    for name, more in (
        ("direct.csv", []),
        ("fetched.csv", ["--api", f"http://127.0.0.1:{api.port}", "--key-file", str(key)]),
    ):
        out = tmp_path / name
        arguments = [
            "report",
            "usage_by_team",
            "--since",
            RANGE["since"],
            "--until",
            RANGE["until"],
        ]
        command = [*arguments, "--out", str(out), *more]
        process = usage(name, *command, environment=environment, folder=tmp_path)
        assert process.wait(60) == 0, process.output()
        files.append(out.read_bytes())
        assert f"SHA-256 {hashlib.sha256(files[-1]).hexdigest()}" in process.output()
    assert files[0] == files[1]
    assert len(files[0].splitlines()) == len(rows_of(api, manager, "usage_by_team")) + 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("form", ["json", "xlsx"])
def test_what_the_command_line_writes_says_as_of_when_it_is(
    api: Served, manager: str, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"report.{form}"
    command = ["report", "usage_by_team", "--since", RANGE["since"], "--until", RANGE["until"]]
    environment = {"USAGE_CLICKHOUSE": address(api.settings)}
    process = usage(form, *command, "--out", str(out), environment=environment, folder=tmp_path)
    assert process.wait(60) == 0, process.output()
    due = api.view("as_of", who=manager).json["rows"]
    if form == "json":
        assert json.loads(out.read_bytes())["as_of"] == due
    else:
        book = openpyxl.load_workbook(out)
        about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
        assert json.loads(about["as of"]) == due
