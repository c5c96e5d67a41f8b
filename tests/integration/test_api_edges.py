"""What the API refuses, and in which words: nothing that a caller sends is answered with 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.access.roles import ALL, Caller, Grant, Role
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
