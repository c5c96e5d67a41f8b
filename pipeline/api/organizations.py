"""``/v1/organizations``: the caller's own, and one with all that is known of it (row A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from pipeline.access.decision import TENANT, Refusal, decide, organization, role_in
from pipeline.access.roles import ALL, Role
from pipeline.api import options
from pipeline.api.answering import query, resolved
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response, values, wrong
from pipeline.clickhouse.reading import read_lines
from pipeline.errors import UsageError
from pipeline.views import parameters, projection
from pipeline.views.formats import NDJSON
from pipeline.views.projection import Shape, Source

VIEW = "organizations"
MOST = 100_000
"""Organizations in one answer."""

PARTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "tasks_by_month": ("tasks_by_month", {}),
    "connections_by_month": ("connections_by_month", {}),
    "connections_by_app": ("top_apps", {"k": "1000"}),
    "active_recipes_by_month": ("active_recipes_by_month", {}),
    "users": ("user_activity", {}),
    "metrics": ("metric_values", {}),
}
"""What is said of an organization: the part's name, its view, and what it is asked with."""


async def organizations(request: web.Request) -> web.Response:
    """The organizations that a caller may choose from."""
    given = options.once(request.query.items())
    options.only(given, ("as_of",), VIEW)
    api = request.app[API]
    tenants = _tenants(request)
    rows = await _rows(api, request, tenants, given)
    fresh = await api.freshness.now()
    return json_response({"as_of": fresh.as_json("UTC"), "organizations": rows})


async def one(request: web.Request) -> web.Response:
    """One organization, each part of it that is the caller's to see."""
    given = options.once(request.query.items())
    options.only(given, ("tz", "as_of", "since", "until", "months"), "an organization")
    api, who = request.app[API], caller(request)
    tenant = organization(_tenants(request), request.match_info["tenant"])
    if isinstance(tenant, Refusal):
        raise Problem.of(tenant)
    tz = _zone(given)
    fresh = await api.freshness.now()
    known = await _rows(api, request, (tenant,), {n: v for n, v in given.items() if n == "as_of"})
    if not known:
        raise Problem(404, "that organization is not known: nothing was ever received of it")
    document: dict[str, Any] = {**known[0], "as_of": fresh.as_json(tz)}
    views = api.views.by_name()
    for part, (name, asked) in PARTS.items():
        view = views.get(name)
        if view is None:
            continue
        has = {parameter.name for parameter in view.parameters}
        wanted = {**asked, **{n: v for n, v in given.items() if n in has}, TENANT: tenant}
        decided = decide(who, view, wanted)
        if not isinstance(decided, Refusal):
            source = projection.of_view(view, values(view, decided, api))
            rows = await _ask(api, request, source)
            document[part] = {"view": name, "parameters": resolved(source), "rows": rows}
    return json_response(document)


def _zone(given: Mapping[str, str]) -> str:
    try:
        return parameters.zone(given.get("tz", parameters.DEFAULTS["tz"]))
    except UsageError as error:
        raise wrong(error) from None


def _tenants(request: web.Request) -> tuple[str, ...]:
    request[ASKING].view = VIEW
    tenants = role_in(caller(request), Role.VIEWER, VIEW)
    if isinstance(tenants, Refusal):
        raise Problem.of(tenants)
    return tenants


async def _rows(
    api: Api, request: web.Request, tenants: Sequence[str], given: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The view's rows of each of these organizations, `ALL` alone for all, in its order."""
    view = api.views.by_name().get(VIEW)
    if view is None:
        raise Problem(404, f"there is no view {VIEW!r} in the store: `usage migrate` makes it")
    rows: list[dict[str, Any]] = []
    for tenant in ("",) if tuple(tenants) == (ALL,) else tenants:
        decided = decide(caller(request), view, {**given, TENANT: tenant})
        if isinstance(decided, Refusal):
            raise Problem.of(decided)
        source = projection.of_view(view, values(view, decided, api))
        rows += await _ask(api, request, source)
    return rows


async def _ask(api: Api, request: web.Request, source: Source) -> list[dict[str, Any]]:
    sql = projection.select(source, Shape(NDJSON, limit=MOST))
    user = caller(request).user
    async with query(api, user, sql, NDJSON.clickhouse, source) as answer:
        return await read_lines(answer)
