"""Definitions of metrics by the API and the command line, with a real Kafka and a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from pipeline.access.roles import ALL, Role
from pipeline.api import definitions
from pipeline.clickhouse.client import Store
from tests.support.harness.api import Got, Served, served
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.scene import Scene
from tests.support.harness.store import EmbeddedStore

CALLS: dict[str, Any] = {
    "name": "API calls",
    "interval_days": 30,
    "match": ["api_request", "api_call"],
    "filters": [{"property": "status", "operator": "exact", "value": 200}],
}
REVENUE: dict[str, Any] = {
    "metric_id": "revenue",
    "name": "Revenue",
    "interval_days": 7,
    "format": "currency",
    "currency": "EUR",
    "display": "sparkline",
    "calculation": "sum",
    "property": "amount",
    "match": ["invoice.paid"],
}


@pytest.fixture(scope="module")
def scene(
    kafka: KafkaBroker, store: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Provide topics, tables and a worker."""
    one = Scene(kafka, store, tmp_path_factory.mktemp("doors"))
    one.settings["USAGE_PARTITIONS"] = "1"
    one.partitions = 1
    one.run("topics", "create")
    one.run("migrate")
    one.worker()
    one.await_assigned(1)
    try:
        yield one
    finally:
        one.end()


@pytest.fixture(scope="module")
def api(scene: Scene) -> Iterator[Served]:
    """Provide an API over them, which waits for the worker as long as that takes."""
    connected = Store.connect(scene.loaded())
    from pipeline.settings import load

    settings = load(scene.environment(USAGE_API_PORT="0", USAGE_API_REQUESTS_PER_MINUTE="100000"))
    try:
        with pytest.MonkeyPatch.context() as patch, served(settings, connected) as one:
            patch.setattr(definitions, "WAIT_SECONDS", 60.0)
            yield one
    finally:
        connected.close()


@pytest.fixture
def admin(api: Served) -> str:
    """Provide who may define metrics."""
    return api.let(Role.ADMIN, ALL)


def put(api: Served, who: str, metric: str, body: Any, match: str | None = None) -> Got:
    headers = {"Content-Type": "application/json"} | ({"If-Match": match} if match else {})
    return api.get(
        f"/v1/metrics/{metric}",
        who=who,
        method="PUT",
        headers=headers,
        body=json.dumps(body).encode(),
    )


def delete(api: Served, who: str, metric: str, match: str | None = None) -> Got:
    headers = {"If-Match": match} if match else {}
    return api.get(f"/v1/metrics/{metric}", who=who, method="DELETE", headers=headers)


def test_a_metric_is_made_changed_retired_and_comes_back(api: Served, admin: str) -> None:
    made = put(api, admin, "calls", CALLS)
    assert (made.status, made.headers["ETag"], made.json["version"]) == (201, '"1"', 1), made.body
    assert made.headers["Location"] == "/v1/metrics/calls"
    found = api.get("/v1/metrics/calls", who=admin)
    assert (found.status, found.headers["ETag"]) == (200, '"1"')
    assert {name: found.json[name] for name in CALLS} == CALLS
    assert api.get("/v1/metrics/calls", who=admin, headers={"If-None-Match": '"1"'}).status == 304

    same = put(api, admin, "calls", CALLS)
    assert (same.status, same.json["version"]) == (200, 1), "the same again changes nothing"
    other = {**CALLS, "name": "Calls"}
    unsaid = put(api, admin, "calls", other)
    assert unsaid.status == 428
    assert 'If-Match: "1"' in unsaid.json["detail"]
    changed = put(api, admin, "calls", other, '"1"')
    assert (changed.status, changed.json["version"]) == (200, 2)
    late = put(api, admin, "calls", CALLS, '"1"')
    assert (late.status, late.json["detail"]) == (412, "version 2 exists, you changed 1")
    assert put(api, admin, "calls", CALLS, "*").json["version"] == 3

    assert delete(api, admin, "calls", '"2"').status == 412
    assert delete(api, admin, "calls", '"3"').status == 204
    assert api.get("/v1/metrics/calls", who=admin).status == 404
    assert "retired by version 4" in api.get("/v1/metrics/calls", who=admin).json["detail"]
    assert delete(api, admin, "calls").status == 404
    assert put(api, admin, "calls", CALLS, "*").status == 412, "there is none in force"
    assert api.get("/v1/metrics/calls", {"version": "2"}, who=admin).json["name"] == "Calls"
    back = put(api, admin, "calls", CALLS)
    assert (back.status, back.json["version"]) == (201, 5)
    versions = api.get("/v1/metrics/calls/versions", who=admin).json["versions"]
    assert [one["version"] for one in versions] == [1, 2, 3, 4, 5]
    assert [one.get("retired", False) for one in versions] == [False, False, False, True, False]


def test_of_two_changes_of_a_version_exactly_one_wins(api: Served, admin: str) -> None:
    assert put(api, admin, "race", CALLS).status == 201
    version = 1
    for attempt in range(5):
        bodies = [{**CALLS, "name": f"{attempt} by {who}"} for who in range(4)]
        with ThreadPoolExecutor(4) as pool:
            one = partial(put, api, admin, "race", match=f'"{version}"')
            answers = list(pool.map(one, bodies))
        won = [answer for answer in answers if answer.status == 200]
        assert len(won) == 1, [(answer.status, answer.body) for answer in answers]
        lost = [answer for answer in answers if answer.status != 200]
        assert {answer.status for answer in lost} == {412}
        assert {answer.json["detail"] for answer in lost} == {
            f"version {version + 1} exists, you changed {version}"
        }
        version += 1
        now = api.get("/v1/metrics/race", who=admin).json
        assert (now["version"], now["name"]) == (version, won[0].json["name"])


def test_two_who_make_the_same_metric_at_once(api: Served, admin: str) -> None:
    bodies = [{**CALLS, "name": f"by {who}"} for who in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: put(api, admin, "first", body), bodies))
    assert sorted(answer.status for answer in answers)[:1] == [201]
    assert [answer.status for answer in answers].count(201) == 1
    assert api.get("/v1/metrics/first", who=admin).json["version"] == 1


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({**CALLS, "interval_days": 14}, "interval_days", "found 14, expected 7, 30 or 90"),
        ({**CALLS, "filter": []}, "filter", "did you mean filters?"),
        ({**CALLS, "metric_id": "else"}, "metric_id", "which the path names"),
        ({**CALLS, "retired": True}, "retired", "DELETE retires"),
        (
            {**CALLS, "filters": [{"property": "s", "operator": "regex", "value": "(?=a)"}]},
            "filters[0].value",
            "not a regular expression of RE2",
        ),
        ([], "", "expected an object"),
    ],
)
def test_what_is_wrong_is_named(api: Served, admin: str, body: Any, field: str, said: str) -> None:
    answer = put(api, admin, "wrong", body)
    assert answer.status == 400
    assert said in answer.json["detail"]
    assert answer.json.get("parameter", "") == field
    assert api.get("/v1/metrics/wrong", who=admin).status == 404


def test_a_wrong_id_if_match_or_parameter_is_refused(api: Served, admin: str) -> None:
    assert put(api, admin, "Not%20an%20id", CALLS).status == 400
    assert put(api, admin, "calls2", CALLS, "four").status == 400
    assert put(api, admin, "calls2", CALLS, '"1"').status == 412, "there is nothing to change"
    assert api.get("/v1/metrics", {"all": "1"}, who=admin).status == 400
    text = api.get(
        "/v1/metrics/calls2",
        who=admin,
        method="PUT",
        body=b"{}",
        headers={"Content-Type": "text/plain"},
    )
    assert text.status == 415


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        (Role.VIEWER, ALL), (Role.MANAGER, ALL), (Role.OPERATOR, ALL),
        (Role.ADMIN, "acme"), (Role.MANAGER, "acme"), (Role.VIEWER, "acme"),
    ],
)  # fmt: skip
def test_only_admins_of_all_see_and_change_definitions(api: Served, role: Role, scope: str) -> None:
    who = api.let(role, scope)
    for path in ("/v1/metrics", "/v1/metrics/race", "/v1/metrics/race/versions", "/v1/metrics/no"):
        answer = api.get(path, who=who)
        assert (answer.status, answer.json["reason"] in ("role", "compares")) == (403, True), path
    assert put(api, who, "race", CALLS, "*").status == 403
    assert put(api, who, "mine", CALLS).status == 403
    assert delete(api, who, "race").status == 403
    assert put(api, "", "mine", CALLS).status == 401
