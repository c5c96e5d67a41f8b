"""Attacks on the API: every view, role, scope and foreign argument; no row, name or count leaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from pipeline.access import decision
from pipeline.access.roles import ALL, Role
from pipeline.api import options, view_routes
from pipeline.views.catalogue import View
from tests.support.harness.api import Served
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_world import TENANTS

OWN, FOREIGN = "acme", "beta"
RANGE = {"since": "2024-01-01", "until": "2025-04-01", "as_of": "2025-04-01", "k": "1000"}
RANGE |= {"property": "plan"}

FOREIGN_TENANTS = (
    *(one for one in TENANTS if one not in ("acme", "gamma")),
    "nobody",
    "ACME",
    "Acme",
    " acme",
    "acme ",
    "acme\0",
    "acme\0beta",
    "acme,beta",
    "acme;tenant=beta",
    "acme' OR tenant = 'beta",
    "\\', tenant = \\'beta",
    "' OR 1=1 --",
    "%62eta",
    "ｂｅｔａ",
    "*",
    "%",
    "beta\r\nX-User: admin",
)
REPEATED = (
    "tenant=acme&tenant=beta",
    "tenant=beta&tenant=acme",
    "tenant=acme&tenant=",
    "tenant=&tenant=beta",
    "%74enant=acme&tenant=beta",
)
MISSPELT = ("Tenant=beta", "TENANT=beta", "tenant[]=beta", "tenant%00=beta", "tenant%20=beta")
INJECTIONS = (
    "' OR 1=1 --",
    "\\', tenant = \\'beta",
    "x') UNION ALL SELECT * FROM requests_1m --",
    "{tenant:String}",
    "beta\\",
    "`",
    "\0",
    "${jndi:x}",
    "🦝" * 50,
)
CLAIMS = {
    "X-Forwarded-User": "admin",
    "X-User": "admin",
    "X-Role": "admin",
    "X-Tenant": FOREIGN,
    "X-Original-URL": "/v1/views/top_tenants",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "for=127.0.0.1",
    "X-Forwarded-For": "127.0.0.1",
}


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over a seeded world of several tenants."""
    with api_over_a_world(store.port, events=600) as served:
        yield served


def views(api: Served) -> list[View]:
    return list(api.api.views.by_name().values())


def has(view: View, parameter: str) -> bool:
    return parameter in {one.name for one in view.parameters}


def given(view: View, **more: str) -> dict[str, str]:
    return {name: text for name, text in (RANGE | more).items() if has(view, name)}


def rows(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return answer.json["rows"]


def leaks(api: Served, view: View) -> Iterator[str]:
    """What a caller of one organization could come by who asks a view in foreign ways."""
    callers = [api.let(role, OWN) for role in Role]
    callers.append(api.let(Role.MANAGER, OWN, "gamma"))
    for who in callers:
        yield from _by_value(api, view, who)
        yield from _by_spelling(api, view, who)


def _by_value(api: Served, view: View, who: str) -> Iterator[str]:
    if not has(view, "tenant"):
        answer = api.view(view.name, given(view), who=who)
        if answer.status != 403 and view.name != "as_of":
            yield f"{view.name} for {bytes.fromhex(who)!r}: {answer.status}"
        return
    for tenant in FOREIGN_TENANTS:
        for more in ({}, {"If-None-Match": "*"}, CLAIMS) if tenant == FOREIGN else ({},):
            asked = given(view, tenant=tenant)
            answer = api.view(view.name, asked, who=who, headers=dict(more))
            if answer.status != 403:
                yield f"{view.name} with {tenant!r} for {bytes.fromhex(who)!r}: {answer.status}"


def _by_spelling(api: Served, view: View, who: str) -> Iterator[str]:
    for query in (*REPEATED, *MISSPELT):
        answer = api.get(f"/v1/views/{view.name}?{query}", who=who)
        if answer.status not in (400, 403):
            yield f"{view.name} with {query} for {bytes.fromhex(who)!r}: {answer.status}"


def test_no_view_answers_for_another_organization(api: Served) -> None:
    found = [line for view in views(api) for line in leaks(api, view)]
    assert not found, "\n".join(found[:20])


def test_the_attacks_find_what_a_missing_guard_lets_through(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = api.api.views.by_name()["request_summary"]
    guards: Sequence[tuple[Any, str, Callable[..., Any]]] = (
        (decision, "organization", lambda _tenants, asked: asked),
        (view_routes, "decide", lambda _caller, _view, asked: dict(asked)),
        (options, "once", dict),
    )
    for module, name, broken in guards:
        with monkeypatch.context() as patched:
            patched.setattr(module, name, broken)
            assert next(leaks(api, view), None), name
    compared = api.api.views.by_name()["top_tenants"]
    with monkeypatch.context() as patched:
        patched.setattr(view_routes, "decide", lambda _caller, _view, asked: dict(asked))
        assert next(leaks(api, compared), None)


def test_what_is_answered_is_what_all_of_it_says_of_the_own_organization(api: Served) -> None:
    everything = api.let(Role.ADMIN, ALL)
    for view in views(api):
        if not has(view, "tenant"):
            continue
        of_own = rows(api.view(view.name, given(view, tenant=OWN), who=everything))
        who = api.let(Role.MANAGER, OWN)
        assert rows(api.view(view.name, given(view), who=who)) == of_own
        assert {row.get("tenant", OWN) for row in of_own} <= {OWN}
        several = api.view(view.name, given(view), who=api.let(Role.MANAGER, OWN, "gamma"))
        assert (several.status, several.json["reason"]) == (400, "choice")


def test_sql_in_a_string_is_a_string(api: Served) -> None:
    viewer, everything = api.let(Role.VIEWER, OWN), api.let(Role.ADMIN, ALL)
    for view in views(api):
        if not has(view, "token") or not has(view, "tenant"):
            continue
        for text in INJECTIONS:
            asked = given(view, token=text)
            found = rows(api.view(view.name, asked, who=viewer))
            assert found == rows(api.view(view.name, {**asked, "tenant": OWN}, who=everything))
            assert OWN in {row.get("tenant", OWN) for row in found} or not found
        for name in ("tz", "grain", "since", "columns", "limit", "cursor", "format"):
            for text in INJECTIONS:
                answer = api.view(view.name, given(view) | {name: text}, who=viewer)
                assert answer.status == 400, (name, text, answer.body)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..%2f",
        "requests_1m",
        "_access",
        "_keys",
        "system.tables",
        "request_summary; DROP TABLE x",
        "request_summary(since = 1)",
        "REQUEST_SUMMARY",
        "\0",
        "{view}",
        "%00",
    ],
)
def test_what_is_no_view_is_not_there(api: Served, name: str) -> None:
    assert api.view(name, who=api.let(Role.ADMIN, ALL)).status == 404


def test_nothing_is_served_to_nobody(api: Served) -> None:
    key = api.let(Role.ADMIN, ALL)
    paths = [
        "/v1/views",
        "/v1/views/as_of",
        "/v1/me",
        "/v1/organizations",
        "/v1/organizations/acme",
        "/v1/usage/monthly",
        "/v1/keys",
        "/v1/metrics",
        "/v1/metrics/calls",
        "/v1/metrics/calls/values",
        "/v1/events",
        "/v1/live",
        "/v1/openapi.json",
        "/metrics",
        "/nothing",
        f"/v1/me?key={key}",
        f"/v1/me?authorization=Bearer%20{key}",
        f"/v1/me?access_token={key}",
    ]
    for path in paths:
        for headers in ({}, CLAIMS, {"Cookie": f"usage_session={key}"}, {"X-Api-Key": key}):
            answer = api.get(path, headers=headers)
            assert answer.status == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert key not in answer.body.decode()
    for path in ("/healthz", "/readyz"):
        assert api.get(path).status == 200


def test_a_cursor_is_of_its_caller_and_of_what_is_theirs(api: Served) -> None:
    who, other = api.let(Role.ADMIN, ALL), api.let(Role.MANAGER, OWN)
    asked = RANGE | {"limit": "1"}
    asked = {name: text for name, text in asked.items() if name in ("since", "until", "limit")}
    cursor = api.view("user_activity", asked, who=who).json["next"]
    refused = api.view("user_activity", {"cursor": cursor}, who=other)
    assert (refused.status, refused.json["reason"]) == (403, "cursor")
    changed = cursor[:30] + ("A" if cursor[30] != "A" else "B") + cursor[31:]
    assert api.view("user_activity", {"cursor": changed}, who=who).status in (400, 403)
    assert api.view("top_users", {"cursor": cursor}, who=who).status == 400
    again = api.view("user_activity", {"cursor": cursor, "tenant": OWN}, who=who)
    assert again.status == 400
    # The same caller, to whom less belongs by now.
    api.named.add(who, Role.MANAGER, OWN)
    try:
        assert api.view("user_activity", {"cursor": cursor}, who=who).status == 403
    finally:
        api.named.add(who, Role.ADMIN, ALL)


def test_organizations_of_others_are_403_whether_they_exist_or_not(api: Served) -> None:
    who = api.let(Role.ADMIN, OWN)
    answers = [
        api.get(f"/v1/organizations/{tenant}", who=who) for tenant in (FOREIGN, "nobody", "%2A")
    ]
    assert {answer.status for answer in answers} == {403}
    assert len({answer.body for answer in answers}) == 1
    for tenant in (FOREIGN, "nobody"):
        refused = api.get("/v1/usage/monthly", {"customer_id": tenant}, who=who)
        assert refused.status == 403
    external = api.get("/v1/usage/monthly", RANGE_OF_MONTHS, who=api.let(Role.VIEWER, ALL)).json
    ids = {row["external_id"] for row in external["rows"] if row["tenant"] != OWN}
    for one in sorted(
        ids - {""} - {row["external_id"] for row in external["rows"] if row["tenant"] == OWN}
    ):
        found = api.get("/v1/usage/monthly", {**RANGE_OF_MONTHS, "external_id": one}, who=who)
        assert found.json["rows"] == []


@pytest.mark.parametrize("tenant", FOREIGN_TENANTS)
def test_values_of_a_metric_are_of_nobody_elses_customers(api: Served, tenant: str) -> None:
    for role in (Role.MANAGER, Role.ADMIN):
        answer = api.get("/v1/metrics/calls/values", {"tenant": tenant}, who=api.let(role, OWN))
        assert (answer.status, answer.json["reason"]) == (403, "organization")


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_metrics_id_is_a_string(api: Served, text: str) -> None:
    path = f"/v1/metrics/{quote(text, safe='')}"
    admin = api.let(Role.ADMIN, ALL)
    values = api.get(f"{path}/values", who=admin)
    if "{" in text:  # no path of the API's has one
        assert values.status == 404
    else:
        assert rows(values) == []
    assert api.get(path, who=admin).status == 404
    names = api.get("/v1/events/properties", {"name": text}, who=admin)
    assert (names.status, names.json) == (200, {"properties": []})
    filters = [
        {"property": "plan", "operator": operator, "value": text}
        for operator in ("exact", "contains", "is_set")
    ]
    definition = {"interval_days": 7, "match": [text], "filters": filters}
    tried = api.get(
        "/v1/metrics/dry-run",
        who=admin,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(definition).encode(),
    )
    assert tried.status == 200, tried.body
    assert [step["events"] for step in tried.json["funnel"]] == [0, 0, 0, 0]


RANGE_OF_MONTHS = {"from": "2024-01-01", "to": "2025-04-01"}


def test_keys_are_made_listed_and_ended_by_admins_of_their_scope(api: Served) -> None:
    admin, stranger = api.let(Role.ADMIN, OWN), api.let(Role.ADMIN, FOREIGN)
    body = json.dumps({"role": "viewer", "scope": [OWN], "name": "dashboards", "expires": "90d"})
    headers = {"Content-Type": "application/json"}
    made = api.get("/v1/keys", who=admin, method="POST", body=body, headers=headers)
    assert made.status == 201
    key = made.json
    assert made.headers["Cache-Control"] == "no-store"
    assert api.get("/v1/me", who=key["key"]).json["scope"] == [OWN]
    listed = api.get("/v1/keys", who=admin).json["keys"]
    assert [one["id"] for one in listed] == [key["id"]]
    assert "key" not in listed[0]
    assert api.get("/v1/keys", who=stranger).json["keys"] == []
    for method in ("GET", "DELETE"):
        theirs = api.get(f"/v1/keys/{key['id']}", who=stranger, method=method)
        nobodys = api.get("/v1/keys/nothing", who=stranger, method=method)
        assert (theirs.status, theirs.body) == (404, nobodys.body)
    for role in (Role.VIEWER, Role.MANAGER, Role.OPERATOR):
        who = api.let(role, OWN)
        assert api.get("/v1/keys", who=who).status == 403
        refused = api.get("/v1/keys", who=who, method="POST", body=body, headers=headers)
        assert refused.status == 403
    for wanted in (
        {"role": "viewer", "scope": [FOREIGN]},
        {"role": "viewer", "scope": [OWN, FOREIGN]},
        {"role": "viewer", "scope": "*"},
        {"role": "viewer", "scope": f"{OWN},{FOREIGN}"},
        {"role": "operator", "scope": [OWN]},
    ):
        refused = api.get(
            "/v1/keys", who=admin, method="POST", body=json.dumps(wanted), headers=headers
        )
        assert refused.status == 403, wanted
    wrongs: tuple[dict[str, Any], ...] = (
        {},
        {"role": "owner", "scope": [OWN]},
        {"role": "viewer", "scope": []},
        {"role": "viewer", "scope": ""},
        {"role": "viewer", "scope": ["*", OWN]},
        {"role": "viewer", "scope": [OWN], "expires": "yesterday"},
        {"role": "viewer", "scope": [OWN], "expires": "2001-01-01"},
        {"role": "viewer", "scope": [OWN], "more": 1},
    )
    for body_of_key in wrongs:
        text = json.dumps(body_of_key)
        wrong = api.get("/v1/keys", who=admin, method="POST", body=text, headers=headers)
        assert wrong.status == 400, body_of_key
    assert api.get(f"/v1/keys/{key['id']}", who=admin, method="DELETE").status == 204
    assert api.get("/v1/me", who=key["key"]).status == 401


def test_a_refusal_is_counted_and_logged(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    who = api.let(Role.VIEWER, OWN)
    before = api.metric("usage_api_refusals_total", reason="role")
    with caplog.at_level("INFO", "usage.access"):
        assert api.view("telemetry_summary", who=who).status == 403
    assert api.metric("usage_api_refusals_total", reason="role") == before + 1
    [line] = [record for record in caplog.records if record.name == "usage.access"]
    fields = getattr(line, "fields")  # noqa: B009 - not an attribute that typing knows
    assert (fields["user"], fields["role"], fields["view"]) == (
        f"key:{who}",
        "viewer",
        "telemetry_summary",
    )
    assert (fields["status"], fields["reason"]) == ("403", "role")


def test_metrics_are_for_operators(api: Served) -> None:
    assert api.get("/metrics", who=api.let(Role.OPERATOR, ALL)).status == 200
    assert api.get("/metrics", who=api.let(Role.ADMIN, ALL)).status == 200
    for who in (api.let(Role.ADMIN, OWN), api.let(Role.VIEWER, ALL), api.let(Role.VIEWER, OWN)):
        assert api.get("/metrics", who=who).status == 403
