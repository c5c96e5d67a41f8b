"""The API's edges: what it refuses and in which words, HEAD, headers, cursors, the end of a stream.

Nothing that a caller sends is answered with 500.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from pipeline.access.roles import ALL, Caller, Grant, Role, grants
from pipeline.api import answering
from pipeline.api.live import MOST_AT_ONCE
from pipeline.api.monthly import MOST_TENANTS
from pipeline.views.formats import BYTE_ORDER_MARK
from tests.support.harness.api import Got, Served
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.store import EmbeddedStore

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def api(store: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Provide an API over a small world."""
    folder = tmp_path_factory.mktemp("reports")
    with api_over_a_world(store.port, events=100, USAGE_REPORTS=str(folder)) as served:
        yield served


def post(api: Served, path: str, who: str, body: Any) -> Got:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.get(path, who=who, method="POST", headers=JSON, body=sent)


@pytest.mark.parametrize(
    ("path", "given", "parameter"),
    [
        ("/v1/organizations/acme", {"tz": "Nope"}, "tz"),
        ("/v1/organizations/acme", {"tz": ""}, "tz"),
        ("/v1/organizations/acme", {"tz": "../etc/passwd"}, "tz"),
        ("/v1/usage/monthly", {"from": "garbage"}, "from"),
        ("/v1/usage/monthly", {"to": "garbage"}, "to"),
        ("/v1/usage/monthly", {"from": "2025-01-01", "to": "2024-01-01"}, "from"),
    ],
)
def test_a_wrong_parameter_is_named_as_the_caller_gave_it(
    api: Served, path: str, given: dict[str, str], parameter: str
) -> None:
    answer = api.get(path, given, who=api.let(Role.ADMIN, ALL))
    assert answer.status == 400, answer.body
    assert answer.json["parameter"] == parameter
    assert answer.json["detail"].startswith(parameter)
    assert "since" not in answer.json["detail"]


@pytest.mark.parametrize("view", ["customers", "usage_by_team"])
def test_a_reports_end_is_named_as_the_caller_gave_it(api: Served, view: str) -> None:
    wanted = {"views": [view], "until": "garbage"}
    answer = post(api, "/v1/reports", api.let(Role.ADMIN, ALL), wanted)
    assert answer.status == 400, answer.body
    assert answer.json["parameter"] == "until"
    assert answer.json["detail"].startswith("until 'garbage'")


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/reports"])
@pytest.mark.parametrize("body", [b'{"role": "\xff"}', b"\xfe\xff", b'{"views": ["\xed\xa0\x80"]}'])
def test_a_body_that_is_no_text_is_refused(api: Served, path: str, body: bytes) -> None:
    answer = post(api, path, api.let(Role.ADMIN, ALL), body)
    assert answer.status == 400, answer.body
    assert answer.json["detail"].startswith("the body is no ")


def test_no_report_is_taken_on_that_could_never_be_fetched(api: Served) -> None:
    mixed = (Grant("acme", Role.MANAGER), Grant("beta", Role.VIEWER))
    api.named.callers["mixed"] = Caller("mixed", mixed)
    wanted = {"views": ["tasks_by_month"], "organizations": ["acme", "beta"]}
    answer = post(api, "/v1/reports", "mixed", wanted)
    assert answer.status == 403, answer.body
    taken = post(api, "/v1/reports", "mixed", {"views": ["tasks_by_month"]})
    assert taken.json["organizations"] == ["acme"]
    assert api.get(taken.headers["Location"], who="mixed").status == 200


@pytest.mark.parametrize(
    ("scope", "due"),
    [("acme", ["acme"]), ("beta, acme", ["acme", "beta"]), (["acme"], ["acme"]), (ALL, ALL)],
)
def test_a_keys_scope_is_typed_as_on_the_command_line(api: Served, scope: Any, due: Any) -> None:
    wanted = {"role": "viewer", "scope": scope}
    answer = post(api, "/v1/keys", api.let(Role.ADMIN, ALL), wanted)
    assert answer.status == 201, answer.body
    assert answer.json["scope"] == due


@pytest.mark.parametrize("scope", ["", ",", "acme,*", [], [""]])
def test_a_scope_of_nothing_is_refused(api: Served, scope: Any) -> None:
    wanted = {"role": "viewer", "scope": scope}
    answer = post(api, "/v1/keys", api.let(Role.ADMIN, ALL), wanted)
    assert (answer.status, answer.json["parameter"]) == (400, "scope")


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/reports"])
def test_whose_role_is_too_low_is_told_so_whatever_the_body_is(api: Served, path: str) -> None:
    answer = post(api, path, api.let(Role.VIEWER, ALL), {})
    assert (answer.status, answer.json["reason"]) == (403, "role")


def test_live_is_for_whom_something_is_granted_to(api: Served) -> None:
    api.named.callers["nobody"] = Caller("nobody", ())
    answer = api.get("/v1/live", who="nobody")
    assert (answer.status, answer.json["reason"]) == (403, "no_grant")


@contextlib.contextmanager
def live(api: Served, who: str) -> Iterator[urllib3.BaseHTTPResponse]:
    headers = {"Authorization": f"Bearer {who}"}
    answer = api.pool.request("GET", api.url("/v1/live"), headers=headers, preload_content=False)
    try:
        yield answer
    finally:
        answer.close()


def test_a_live_stream_has_every_answers_headers_and_one_too_many_is_refused(api: Served) -> None:
    before = api.metric("usage_api_refusals_total", reason="busy")
    who = api.let(Role.VIEWER, "acme")
    with contextlib.ExitStack() as streams:
        for _ in range(MOST_AT_ONCE):
            answer = streams.enter_context(live(api, who))
            assert answer.status == 200
            safe(answer.headers)
        refused = api.get("/v1/live", who=who)
    assert (refused.status, refused.json["reason"]) == (429, "busy")
    assert api.metric("usage_api_refusals_total", reason="busy") == before + 1


def safe(headers: Any) -> None:
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_streamed_answer_has_every_answers_headers(
    api: Served, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "WHOLE_BYTES", 1)
    answer = api.view("as_of", {"format": form}, who=api.let(Role.VIEWER, "acme"))
    assert answer.headers["Transfer-Encoding"] == "chunked"
    safe(answer.headers)
    assert "RateLimit" in answer.headers


def test_any_fault_after_the_first_byte_breaks_the_connection(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(*_: Any) -> AsyncIterator[bytes]:
        yield b"x" * (answering.WHOLE_BYTES + 1)
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr(answering, "_encoded", faulty)
    labels = {"endpoint": "view", "format": "csv", "status": "broken"}
    before = api.metric("usage_api_requests_total", **labels)
    with pytest.raises(HTTPError):
        api.view("as_of", {"format": "csv"}, who=api.let(Role.VIEWER, "acme"))
    assert api.metric("usage_api_requests_total", **labels) == before + 1


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("path", ["/v1/me", "/v1/views/as_of", "/v1/openapi.json", "/v1/live"])
def test_head_is_the_answer_without_its_body(
    api: Served, path: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr(answering, "WHOLE_BYTES", 1)
    who = api.let(Role.VIEWER, "acme")
    head = api.get(path, who=who, method="HEAD", timeout=20)
    assert (head.status, head.body) == (200, b"")
    safe(head.headers)
    if path == "/v1/me":
        assert head.headers["Content-Length"] == str(len(api.get(path, who=who).body))


def test_head_needs_a_key_too_and_is_counted_by_the_same_name(api: Served) -> None:
    assert api.get("/v1/me", method="HEAD").status == 401
    assert api.get("/healthz", method="HEAD").status == 200
    labels = {"endpoint": "me", "format": "", "status": "200"}
    before = api.metric("usage_api_requests_total", **labels)
    api.get("/v1/me", who=api.let(Role.VIEWER, "acme"), method="HEAD")
    assert api.metric("usage_api_requests_total", **labels) == before + 1


MONTHS = {"from": "2024-01-01", "to": "2025-04-01"}


def test_a_cursor_of_months_keeps_how_they_are_asked_for(api: Served) -> None:
    who = api.let(Role.VIEWER, ALL)
    asked = {**MONTHS, "limit": "1", "columns": "month,tasks"}
    cursor = {"cursor": api.get("/v1/usage/monthly", asked, who=who).json["next"]}
    sheet = {**cursor, "format": "csv", "spreadsheet": "1"}
    assert api.get("/v1/usage/monthly", sheet, who=who).body.startswith(BYTE_ORDER_MARK)
    same = api.get("/v1/usage/monthly", {**cursor, "columns": "month, tasks"}, who=who)
    assert same.status == 200, same.body
    other = api.get("/v1/usage/monthly", {**cursor, "columns": "tasks"}, who=who)
    assert (other.status, other.json["parameter"]) == (400, "columns")


def test_a_cursor_is_of_one_endpoint_alone(api: Served) -> None:
    who = api.let(Role.VIEWER, ALL)
    view = {"since": MONTHS["from"], "until": MONTHS["to"], "limit": "1"}
    ours = api.get("/v1/usage/monthly", {**MONTHS, "limit": "1"}, who=who).json["next"]
    views = api.view("monthly_usage", view, who=who).json["next"]
    for path, cursor in (("/v1/views/monthly_usage", ours), ("/v1/usage/monthly", views)):
        answer = api.get(path, {"cursor": cursor}, who=who)
        assert (answer.status, answer.json["parameter"]) == (400, "cursor")


@pytest.mark.parametrize("by", [{}, {"by": "recipe"}])
def test_months_of_many_organizations_are_answered_up_to_a_bound(
    api: Served, by: dict[str, str]
) -> None:
    many = [f"organization-{number}" for number in range(MOST_TENANTS - 1)]
    most = api.get("/v1/usage/monthly", {**MONTHS, **by}, who=api.let(Role.VIEWER, "acme", *many))
    assert most.status == 200, most.body
    assert {row["tenant"] for row in most.json["rows"]} == {"acme"}
    who = api.let(Role.VIEWER, "acme", "beta", *many)
    answer = api.get("/v1/usage/monthly", {**MONTHS, **by}, who=who)
    assert (answer.status, answer.json["parameter"]) == (400, "customer_id")
    one = api.get("/v1/usage/monthly", {**MONTHS, **by, "customer_id": "beta"}, who=who)
    assert one.status == 200, one.body


def test_an_answers_tag_is_its_callers(api: Served) -> None:
    for name in ("one", "two"):
        api.named.callers[name] = Caller(name, grants(Role.VIEWER, [ALL]))
    given = {"since": "2024-01-01", "until": "2025-04-01"}
    tag = api.view("request_summary", given, who="one").headers["ETag"]
    for who, status in (("one", 304), ("two", 200)):
        again = api.view("request_summary", given, who=who, headers={"If-None-Match": tag})
        assert again.status == status


def test_what_metrics_answer_is_documented(api: Served) -> None:
    who = api.let(Role.ADMIN, ALL)
    assert api.get("/metrics", {"x": "1"}, who=who).status == 400
    known = api.get("/v1/openapi.json", who=who).json["paths"]["/metrics"]["get"]["responses"]
    assert {"200", "400", "401", "403", "429", "503"} <= set(known)
