"""Dry runs over events that were counted: what a definition comes to, and what is odd about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.exact.json_values import decode
from pipeline.facts.exact.leaves import leaves_of
from pipeline.meters import days as adding
from pipeline.meters import given
from pipeline.settings import load
from pipeline.views import catalogue
from tests.support.harness.api import Got, Served, served
from tests.support.harness.api_world import NOBODYS
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.store import EmbeddedStore, url_at

AS_OF = datetime(2026, 5, 20, 12, tzinfo=UTC)
CALLS: dict[str, Any] = {
    "interval_days": 7,
    "match": ["api_request", "api_call"],
    "filters": [
        {"property": "status", "operator": "exact", "value": 200},
        {"property": "endpoint.path", "operator": "contains", "value": "/v1"},
    ],
}
TIMES: dict[str, Any] = {
    **CALLS,
    "filters": [],
    "calculation": "sum",
    "property": "took",
    "name": "Time",
}


def events() -> Iterator[tuple[str, str, float, dict[str, Any]]]:
    """Name, tenant, days before the instant, properties."""
    for number in range(100):
        yield "api_call", "acme", 1.5, call(200 if number < 90 else "200", f"{number}.25")
    for number in range(40):
        yield "api_request", "beta", 2.5, call(500 if number < 10 else 200, "n/a")
    yield "api_request", "beta", 3.0, {}
    for _ in range(50):
        yield "api_call", "acme", 9.5, call(200, 1)
    yield "invoice.paid", "acme", 1.0, {"amount": 12.5}
    yield "page.viewed", "acme", 100.0, {}  # so that both windows are kept whole


def call(status: Any, took: Any) -> dict[str, Any]:
    return {"status": status, "took": took, "endpoint": {"path": "/v1/x", "method": "GET"}}


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over some events, and one metric in force."""
    with migrated_database(store.port, USAGE_KEEP_PRODUCT_EVENTS_DAYS="0") as tables:
        rows = list(events())
        tables.insert(
            "product_events",
            (
                ("name", "LowCardinality(String)"),
                ("tenant", "LowCardinality(String)"),
                ("time", "DateTime64(3, 'UTC')"),
                ("user_id", "LowCardinality(String)"),
                ("properties", "Map(LowCardinality(String), String)"),
            ),
            [
                [name for name, *_ in rows],
                [tenant for _, tenant, _, _ in rows],
                [AS_OF - timedelta(days=days) for _, _, days, _ in rows],
                ["" for _ in rows],
                [leaves_of(decode(json.dumps(one[3]).encode(), 8)) for one in rows],
            ],
        )
        define(tables, "calls", {**CALLS, "filters": [], "name": "C"})
        settings = load(
            {
                "USAGE_CLICKHOUSE": url_at(store.port, tables.database),
                "USAGE_API_PORT": "0",
                "USAGE_KAFKA": NOBODYS,
            }
        )
        with served(settings, tables) as one:
            yield one


def define(store: Store, metric: str, says: dict[str, Any]) -> None:
    """Have a metric in force, as the log would."""
    definition = json.dumps({**says, "metric_id": metric})
    store.command(
        "INSERT INTO metric_definitions (tenant, metric_id, version, time, arrival, partition,"
        " offset, element, retired, definition, interpreted) VALUES ('*', {metric:String}, 1,"
        " now(), now(), 0, 0, 0, 0, {definition:String}, {interpreted:String})",
        {
            "metric": metric,
            "definition": definition,
            "interpreted": interpreted(given.read(definition.encode())),
        },
    )


def dry_run(api: Served, definition: Any, who: str = "", **asked: str) -> Got:
    return api.get(
        "/v1/metrics/dry-run",
        {"as_of": AS_OF.isoformat(), **asked},
        who=who or api.let(Role.ADMIN, ALL),
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(definition).encode(),
    )


def found(api: Served, definition: Any, **asked: str) -> Any:
    answer = dry_run(api, definition, **asked)
    assert answer.status == 200, answer.body
    return answer.json


def test_values_and_what_each_filter_leaves(api: Served) -> None:
    run = found(api, CALLS)
    assert [(one["tenant"], one["value"], one["state"]) for one in run["values"]] == [
        ("acme", "100", "ok"),
        ("beta", "30", "new"),
    ]
    assert run["values"][0]["previous"] == "50"
    assert run["values"][0]["change_percent"] == 100
    assert [step["events"] for step in run["funnel"]] == [141, 130, 130]
    assert run["funnel"][1]["filter"] == CALLS["filters"][0]
    assert run["totals"]["tenants"] == 2
    assert run["totals"]["events"] == 130
    assert run["version"] is None
    assert run["definition"]["match"] == CALLS["match"]
    days = {one["day"]: one["value"] for one in run["sparkline"]}
    assert len(days) == 8
    assert days["2026-05-19"] == "100"
    assert sum(map(float, days.values())) == 100


def test_what_stands_at_each_path(api: Served) -> None:
    by_path = {one["path"]: one for one in found(api, CALLS)["properties"]}
    status = by_path["status"]
    assert status["kinds"] == {"number": 130, "number in a string": 10, "missing": 1}
    assert status["sentence"].startswith("status: 92 % number, 7 % number in a string, under 1 %")
    [missing] = status["examples"]["missing"]
    assert missing.startswith("beta, 2026-05-17T12:00:00")
    assert by_path["endpoint.path"]["kinds"] == {"string": 140, "missing": 1}


def test_what_adds_nothing_is_counted_and_shown(api: Served) -> None:
    run = found(api, TIMES)
    acme, beta = run["values"]
    assert (acme["tenant"], acme["value"]) == ("acme", "4975")
    assert (beta["value"], beta["not_numeric"], beta["missing"]) == ("0", 40, 1)
    said = {one["message"] for one in run["warnings"]}
    assert "took is no number in 28 % of the events, as 'n/a': adds nothing" in said
    assert "took is missing in under 1 % of the events: adds nothing" in said


def test_what_differs_from_the_version_in_force(api: Served) -> None:
    run = found(api, {**CALLS, "metric_id": "calls", "name": "C"})
    assert run["version"] == 1
    assert {one["tenant"]: (one["value"], one["was"]) for one in run["values"]} == {
        "acme": ("100", "100"),
        "beta": ("30", "41"),
    }
    assert run["totals"]["differ"] == 1


def test_names_and_paths_that_are_probably_misspelt(api: Served) -> None:
    run = found(
        api,
        {
            "interval_days": 7,
            "match": ["api_cal", "api_call"],
            "filters": [{"property": "statu", "operator": "is_set"}],
        },
    )
    said = [one["message"] for one in run["warnings"]]
    assert 'no event named "api_cal" in 30 days; did you mean "api_call"?' in said
    assert 'no event has "statu"; did you mean "status"?' in said
    assert "no event is left by this filter" in said
    assert run["seen"]["events"] == ["api_call", "api_request", "invoice.paid"]
    assert {"status", "endpoint.path"} <= set(run["seen"]["properties"])


def test_a_path_that_is_an_object_is_refused_and_its_properties_named(api: Served) -> None:
    filters = [{"property": "endpoint", "operator": "is_set"}]
    answer = dry_run(api, {**CALLS, "filters": filters})
    assert answer.status == 400
    assert answer.json["parameter"] == "filters[0].property"
    assert answer.json["detail"] == (
        "filters[0].property: endpoint is an object, which has no value; its properties are "
        "endpoint.method, endpoint.path"
    )


def test_metrics_of_requests_and_of_users(api: Served) -> None:
    requests = {"interval_days": 30, "source": "requests"}
    assert found(api, requests)["properties"] == []
    users = {**CALLS, "filters": [], "calculation": "unique", "property": "$user_id"}
    [property_] = found(api, users)["properties"]
    assert property_["kinds"] == {"missing": 141}


def test_a_wrong_definition_or_option_is_named(api: Served) -> None:
    wrong = dry_run(api, {**CALLS, "interval_days": 14})
    assert (wrong.status, wrong.json["parameter"]) == (400, "interval_days")
    assert dry_run(api, CALLS, k="0").status == 400
    assert dry_run(api, CALLS, tz="UTC").json["parameter"] == "tz"
    assert dry_run(api, CALLS, who=api.let(Role.ADMIN, "acme")).status == 403
    assert dry_run(api, CALLS, who=api.let(Role.MANAGER, ALL)).status == 403


def test_names_and_properties_are_completed_from_what_was_seen(api: Served) -> None:
    who, at = api.let(Role.ADMIN, ALL), AS_OF.isoformat()
    names = api.get("/v1/events", {"as_of": at}, who=who).json["events"]
    assert [(one["name"], one["events"]) for one in names] == [
        ("api_call", 150),
        ("api_request", 41),
        ("invoice.paid", 1),
    ]
    of_calls = api.get("/v1/events/properties", {"name": "api_call", "as_of": at}, who=who)
    by_path = {one["path"]: one for one in of_calls.json["properties"]}
    assert set(by_path) == {"status", "took", "endpoint.path", "endpoint.method"}
    assert by_path["endpoint.path"]["examples"] == {"string": ["/v1/x"]}
    assert api.get("/v1/events/properties", who=who).status == 400
    assert api.get("/v1/events", who=api.let(Role.VIEWER, ALL)).status == 403


def test_values_are_for_managers_of_their_organizations(api: Served) -> None:
    path, at = "/v1/metrics/calls/values", {"as_of": AS_OF.isoformat()}
    rows = api.get(path, at, who=api.let(Role.MANAGER, ALL)).json["rows"]
    assert [(one["tenant"], float(one["value"])) for one in rows] == [("acme", 100), ("beta", 41)]
    assert {(one["metric_id"], one["version"]) for one in rows} == {("calls", 1)}
    own = api.get(path, at, who=api.let(Role.ADMIN, "beta")).json["rows"]
    assert [one["tenant"] for one in own] == ["beta"]
    both = api.let(Role.MANAGER, "beta", "acme")
    assert [one["tenant"] for one in api.get(path, at, who=both).json["rows"]] == ["acme", "beta"]
    assert api.get(path, {**at, "tenant": "acme"}, who=api.let(Role.MANAGER, "beta")).status == 403
    assert api.get(path, at, who=api.let(Role.VIEWER, ALL)).status == 403
    assert api.get(path, {**at, "format": "csv"}, who=both).body.count(b"\n") == 3
    page = api.get(path, {**at, "limit": "1"}, who=both).json
    rest = api.get(path, {"cursor": page["next"], "limit": "1"}, who=both).json
    assert [one["tenant"] for one in page["rows"] + rest["rows"]] == ["acme", "beta"]


def test_days_answer_over_http(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    who, at = api.let(Role.ADMIN, ALL), {"as_of": AS_OF.isoformat()}
    paths = ("/v1/metrics/calls/values", "/v1/views/metric_values")
    before = [api.get(path, at, who=who).json["rows"] for path in paths]
    store = Store.connect(api.settings)
    assert list(adding.fill(store, adding.weeks(store, AS_OF)))
    monkeypatch.setattr(catalogue, "WORTH", 0)
    assert [api.get(path, at, who=who).json["rows"] for path in paths] == before
    # Were they not what is read, nobody would see that they are wrong.
    spoilt = "ALTER TABLE metric_days UPDATE events = events + 1000000 WHERE NOT head"
    store.command(f"{spoilt} SETTINGS mutations_sync = 2")
    for path, rows in zip(paths, before, strict=True):
        assert api.get(path, at, who=who).json["rows"] != rows
    store.command("TRUNCATE TABLE metric_days")
    assert [api.get(path, at, who=who).json["rows"] for path in paths] == before


def test_metrics_are_answered_whatever_kinds_are_in_force(api: Served) -> None:
    """The last here: a metric of requests comes, so that the plain case refuses."""
    who, at = api.let(Role.ADMIN, ALL), {"as_of": AS_OF.isoformat()}
    paths = ("/v1/metrics/calls/values", "/v1/views/metric_values", "/v1/views/metric_sparkline")
    before = [api.get(path, at, who=who).json["rows"] for path in paths]
    assert all(before)
    view = api.api.views.by_name()["metric_values"]
    assert view.plain
    assert len(view.plain) < 0.6 * len(view.select)
    assert view.asked_plainly({"as_of": AS_OF, "tenant": ""}, "calls").count("'calls'") > 1
    requests = {"name": "Requests", "interval_days": 7, "source": "requests"}
    define(Store.connect(api.settings), "requests", requests)
    after = [api.get(path, at, who=who).json["rows"] for path in paths]
    of_calls = [[row for row in rows if row["metric_id"] == "calls"] for rows in after]
    assert of_calls == before
    assert api.get("/v1/metrics/requests/values", at, who=who).status == 200
