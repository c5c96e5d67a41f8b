"""The API's answers: what `usage query` says, in every format, cell by cell; pages and tags."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.access.decision import audience
from pipeline.access.roles import ALL, Role
from pipeline.cli import remote
from pipeline.cli.views import print_answer, query_command
from tests.support.contract.views import VIEWS
from tests.support.harness.api import Served
from tests.support.harness.api_world import api_over_a_world, typed
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import cases

WHOLE = {"since": "2024-01-01", "until": "2025-04-01", "tz": "Asia/Kolkata"}


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over a seeded world."""
    with api_over_a_world(store.port) as served:
        yield served


@pytest.fixture
def everything(api: Served) -> Sequence[str]:
    """Provide who may see all views of usage, and who may see the ledger."""
    return api.let(Role.ADMIN, ALL), api.let(Role.OPERATOR, ALL)


def seen_by(api: Served, view: str) -> str:
    operator = view.startswith(("ledger", "rejections"))
    return api.let(Role.OPERATOR if operator else Role.ADMIN, ALL)


@pytest.mark.parametrize("view", VIEWS)
def test_every_format_has_the_rows_of_usage_query(
    api: Served, view: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for case in cases(view, 1, seed=5):
        given = typed(case)
        query_command(api.settings, view, given, "json", datetime.now().astimezone())
        due = json.loads(capsys.readouterr().out)
        who = seen_by(api, view)
        found = api.view(view, {**given, "limit": "1000000"}, who=who)
        assert found.status == 200, found.body
        document = found.json
        assert document["rows"] == due["rows"]
        assert document["parameters"] == due["parameters"]
        assert document["as_of"] == due["as_of"]
        assert document["next"] is None
        kinds = {column["name"]: column["type"] for column in document["columns"]}
        for form, read in READ.items():
            answer = api.view(view, {**given, "format": form}, who=who)
            assert answer.status == 200, answer.body
            rows = read(answer.body, list(kinds))
            assert len(rows) == len(due["rows"]), form
            for row, expected in zip(rows, due["rows"], strict=True):
                for name, kind in kinds.items():
                    assert same(kind, expected[name], row[name]), (form, name, row, expected)


def read_ndjson(body: bytes, names: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.decode().splitlines()]


def read_csv(body: bytes, names: list[str]) -> list[dict[str, Any]]:
    text = io.StringIO(body.decode(), newline="")
    return [dict(row) for row in csv.DictReader(text)]


def read_parquet(body: bytes, names: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


def read_arrow(body: bytes, names: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.ipc.open_stream(body).read_all().to_pylist()
    return rows


def read_xlsx(body: bytes, names: list[str]) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=True)
    head, *rows = book.worksheets[1].iter_rows(values_only=True)
    assert list(head) == names
    assert next(iter(book.worksheets[0].iter_rows(values_only=True)))[0] == "View"
    return [dict(zip(names, row, strict=True)) for row in rows]


READ = {
    "ndjson": read_ndjson,
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "xlsx": read_xlsx,
}


def same(kind: str, due: Any, found: Any) -> bool:
    """Whether a cell is what JSON of the command line says, in whatever type a format has."""
    kind = kind.removeprefix("Nullable(")
    if due is None:
        return found is None or found == ""
    if kind.startswith("Decimal"):
        return Decimal(str(found)).quantize(Decimal(due)) == Decimal(due)
    if kind.startswith("DateTime"):
        at = datetime.fromisoformat(due)
        if isinstance(found, str):
            return bool(found == due)
        return bool(found == (at if found.tzinfo else at.replace(tzinfo=None)))
    if kind.startswith("Date"):
        day = found.date() if isinstance(found, datetime) else found
        return bool(day == due or day == date.fromisoformat(due))
    if kind.startswith("Float"):
        return bool(float(found) == float(due))
    if "Int" in kind:
        return bool(int(found) == due)
    return bool(found == due) or (due == "" and found is None)


def test_the_command_line_says_the_same_through_the_api(
    api: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text(api.let(Role.ADMIN, ALL) + "\n")
    for view in ("user_activity", "cost_trend", "tasks_by_month", "request_summary"):
        given = {n: v for n, v in WHOLE.items() if n in VIEWS[view].parameters}
        for output in ("table", "json", "csv"):
            query_command(api.settings, view, given, output, datetime.now().astimezone())
            due = capsys.readouterr().out
            answer = remote.ask(f"http://127.0.0.1:{api.port}", key, view, given)
            print_answer(answer, output)
            assert capsys.readouterr().out == due


def test_pages_are_the_whole_and_keep_the_range(api: Served) -> None:
    who = api.let(Role.ADMIN, ALL)
    given = {**WHOLE, "until": "now", "columns": "tenant,user_id,last_seen"}
    whole = api.view("user_activity", {**given, "limit": "1000"}, who=who).json
    page = api.view("user_activity", {**given, "limit": "7"}, who=who).json
    rows = page["rows"]
    while page["next"]:
        assert len(page["rows"]) == 7
        page = api.view("user_activity", {"limit": "7", "cursor": page["next"]}, who=who).json
        assert page["parameters"] == whole["parameters"]
        assert [column["name"] for column in page["columns"]] == given["columns"].split(",")
        rows += page["rows"]
    assert rows == whole["rows"]
    assert len(rows) > 14


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 20])
def test_next_is_there_only_where_there_are_more(api: Served, rows: int) -> None:
    who = api.let(Role.ADMIN, ALL)
    whole = api.view("user_activity", {**WHOLE, "limit": "1000"}, who=who).json["rows"]
    given = {**WHOLE, "limit": str(len(whole) - 10 + rows)}
    page = api.view("user_activity", given, who=who).json
    assert len(page["rows"]) == min(len(whole), len(whole) - 10 + rows)
    assert (page["next"] is not None) == (rows < 10)


def test_an_answer_that_the_caller_has_is_not_sent_again(api: Served) -> None:
    who, other = api.let(Role.VIEWER, "acme"), api.let(Role.VIEWER, "beta")
    given = {"since": "2024-01-01", "until": "2025-04-01"}
    first = api.view("request_summary", given, who=who)
    tag = first.headers["ETag"]
    for header in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = api.view("request_summary", given, who=who, headers={"If-None-Match": header})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == tag
        assert again.headers["Cache-Control"] == "private, no-cache"
        assert again.headers["Vary"] == "Authorization, Accept"
    for changed, asker in (
        ({**given, "until": "2025-03-01"}, who),
        ({**given, "format": "csv"}, who),
        ({**given, "columns": "requests"}, who),
        (given, other),
    ):
        answer = api.view("request_summary", changed, who=asker, headers={"If-None-Match": tag})
        assert answer.status == 200


def test_what_a_reader_accepts_decides_where_no_format_is_named(api: Served) -> None:
    who = api.let(Role.VIEWER, "acme")
    for accept, kind in (
        ("text/csv", "text/csv"),
        ("application/vnd.apache.parquet, */*;q=0.1", "application/vnd.apache.parquet"),
        ("text/html, */*;q=0.5", "application/json"),
        ("application/x-ndjson;q=0.9, application/json;q=0.2", "application/x-ndjson"),
    ):
        answer = api.view("request_summary", WHOLE_NO_TZ, who=who, headers={"Accept": accept})
        assert answer.headers["Content-Type"].partition(";")[0] == kind
    refused = api.view("request_summary", who=who, headers={"Accept": "image/png"})
    assert refused.status == 406
    assert refused.headers["Content-Type"] == "application/problem+json"


WHOLE_NO_TZ = {"since": "2024-01-01", "until": "2025-04-01"}


@pytest.mark.parametrize(
    ("view", "given", "status", "words"),
    [
        ("request_summry", {}, 404, "did you mean 'request_summary'?"),
        ("request_summary", {"sinse": "1d"}, 400, "did you mean 'since'?"),
        ("request_summary", {"Tenant": "acme"}, 400, "did you mean 'tenant'?"),
        ("request_summary", {"tenant[]": "acme"}, 400, "takes no 'tenant[]'"),
        ("request_summary", {"since": "yesterday"}, 400, "since 'yesterday' is no time"),
        ("request_summary", {"since": ""}, 400, "since '' is no time"),
        ("request_summary", {"format": "pdf"}, 400, "format 'pdf' is none of json, ndjson"),
        ("request_summary", {"columns": "reqests"}, 400, "did you mean 'requests'?"),
        ("request_summary", {"columns": "requests,requests"}, 400, "twice"),
        ("request_summary", {"limit": "0"}, 400, "limit '0'"),
        ("request_summary", {"limit": "1000001"}, 400, "limit '1000001'"),
        ("request_summary", {"cursor": "x"}, 400, "cursor is not one"),
        ("request_summary", {"spreadsheet": "1"}, 400, "format=csv only"),
        ("requests_over_time", {"tz": "Kolkata"}, 400, "did you mean 'Asia/Kolkata'?"),
        ("requests_over_time", {"grain": "fortnight"}, 400, "grain 'fortnight' is none of"),
        ("top_users", {"k": "99999"}, 400, "k '99999' is no whole number"),
        ("as_of", {"tenant": "acme"}, 400, "takes no 'tenant'"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_command_line(
    api: Served, view: str, given: dict[str, str], status: int, words: str
) -> None:
    answer = api.view(view, given, who=api.let(Role.VIEWER, "acme"))
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json
    assert words in document["detail"]
    assert document["status"] == status
    assert "--" not in document["detail"]


def test_a_repeated_parameter_is_refused(api: Served) -> None:
    who = api.let(Role.VIEWER, "acme")
    for name in ("tenant", "since", "format", "limit", "nonsense"):
        answer = api.view("request_summary", [(name, "acme"), (name, "acme")], who=who)
        assert answer.status == 400
        assert answer.json["detail"] == f"{name} is given more than once"
        assert answer.json["parameter"] == name


def test_a_sheet_for_people_has_no_formulas(api: Served) -> None:
    who = api.let(Role.ADMIN, ALL)
    raw = api.view("user_activity", {**WHOLE, "format": "csv"}, who=who).body
    body = api.view("user_activity", {**WHOLE, "format": "csv", "spreadsheet": "1"}, who=who).body
    assert body.startswith(b"\xef\xbb\xbf")
    plain = list(csv.reader(io.StringIO(raw.decode(), newline="")))
    shown = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    kinds = [column[:1] for column in plain[0]]
    assert len(kinds) == len(shown[0])
    for before, after in zip(plain[1:], shown[1:], strict=True):
        for cell, other in zip(before, after, strict=True):
            assert other in (cell, f"'{cell}")


def test_monthly_usage_is_of_the_callers_organizations(api: Served) -> None:
    given = {"from": "2024-01-01", "to": "2025-04-01", "tz": "Asia/Kolkata"}
    whole = api.get("/v1/usage/monthly", given, who=api.let(Role.VIEWER, ALL)).json
    due = api.view(
        "monthly_usage",
        {"since": "2024-01-01", "until": "2025-04-01", "tz": "Asia/Kolkata"},
        who=api.let(Role.VIEWER, ALL),
    ).json
    assert whole["rows"] == due["rows"]
    assert {row["closed"] for row in whole["rows"]} == {0, 1}
    both = api.get("/v1/usage/monthly", given, who=api.let(Role.VIEWER, "acme", "beta")).json
    assert both["rows"] == [row for row in due["rows"] if row["tenant"] in ("acme", "beta")]
    one = api.get(
        "/v1/usage/monthly", {**given, "customer_id": "acme"}, who=api.let(Role.VIEWER, ALL)
    ).json
    assert one["rows"] == [row for row in due["rows"] if row["tenant"] == "acme"]
    external = next(row["external_id"] for row in due["rows"] if row["external_id"])
    found = api.get(
        "/v1/usage/monthly", {**given, "external_id": external}, who=api.let(Role.VIEWER, ALL)
    ).json
    assert found["rows"] == [row for row in due["rows"] if row["external_id"] == external]


def test_monthly_usage_by_recipe_adds_up_to_the_months(api: Served) -> None:
    who = api.let(Role.VIEWER, ALL)
    given = {"from": "2024-01-01", "to": "2025-04-01"}
    months = api.get("/v1/usage/monthly", given, who=who).json["rows"]
    recipes = api.get("/v1/usage/monthly", {**given, "by": "recipe"}, who=who).json["rows"]
    sums: dict[Any, int] = {}
    for row in recipes:
        key = (row["tenant"], row["month"], row["external_id"], row["closed"])
        sums[key] = sums.get(key, 0) + row["tasks"]
    due = {
        (row["tenant"], row["month"], row["external_id"], row["closed"]): row["tasks"]
        for row in months
    }
    assert sums == due


def test_monthly_usage_is_of_twelve_months_by_default(api: Served) -> None:
    answer = api.get("/v1/usage/monthly", who=api.let(Role.VIEWER, "acme")).json
    begin = datetime.fromisoformat(answer["parameters"]["from"])
    end = datetime.fromisoformat(answer["parameters"]["to"])
    assert begin.day == 1
    assert 11 <= (end.year - begin.year) * 12 + end.month - begin.month <= 12


def test_an_organization_in_one_document(api: Served) -> None:
    viewer, manager = api.let(Role.VIEWER, "acme"), api.let(Role.MANAGER, "acme", "beta")
    listed = api.get("/v1/organizations", who=manager).json["organizations"]
    assert [one["tenant"] for one in listed] == ["acme", "beta"]
    everyone = api.get("/v1/organizations", who=api.let(Role.VIEWER, ALL)).json["organizations"]
    assert {"acme", "beta"} < {one["tenant"] for one in everyone}
    assert api.get("/v1/organizations", who=api.let(Role.OPERATOR, ALL)).status == 403
    given = {"since": "2024-01-01", "until": "2025-04-01", "tz": "Asia/Kolkata"}
    document = api.get("/v1/organizations/acme", given, who=viewer).json
    assert document["tenant"] == "acme"
    asked = {**given, "tenant": "acme"}
    due = api.view("tasks_by_month", asked, who=viewer).json
    assert document["tasks_by_month"]["rows"] == due["rows"]
    assert document["tasks_by_month"]["parameters"] == due["parameters"]
    assert "users" not in document
    users = api.get("/v1/organizations/acme", given, who=manager).json["users"]["rows"]
    assert users == api.view("user_activity", asked, who=manager).json["rows"]
    assert api.get("/v1/organizations/nobody", who=api.let(Role.VIEWER, ALL)).status == 404


def test_every_view_says_who_it_is_for(api: Served) -> None:
    unsaid = [name for name, view in api.api.views.by_name().items() if audience(view) is None]
    assert not unsaid, "a view's rows of the list of numbers decide who sees it"
