"""``/v1/usage/monthly``: tasks of each customer and month (row A3), for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from pipeline.access.decision import TENANT, Refusal, decide, role_in
from pipeline.access.roles import ALL, Caller, Role
from pipeline.api import options
from pipeline.api.answering import FORMATS, answer
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import values
from pipeline.views.call import Value, call, literal
from pipeline.views.catalogue import Column, View
from pipeline.views.projection import Source

PATH = "/v1/usage/monthly"
NAME = "monthly_usage"
BY_RECIPE = "monthly_usage_by_recipe"
PARAMETERS = ("from", "to", "tz", "external_id", "customer_id", "by")
MOST_TENANTS = 50
"""Named organizations in one answer: ClickHouse does not take any number of queries as one."""

_COLUMNS = ("tenant", "external_id", "name", "month", "tasks", "closed")
_COLUMNS_BY_RECIPE = ("tenant", "external_id", "recipe_id", "name", "month", "tasks", "closed")
_CALLED = {"since": "from", "until": "to"}
"""By the views' parameters, what they are called here."""
_FROM_CURSOR = tuple(_CALLED.values())


async def monthly(request: web.Request) -> web.StreamResponse:
    """Twelve months up to now, or those of a range; of each of the caller's organizations."""
    api, who = request.app[API], caller(request)
    request[ASKING].view = NAME
    given = options.once(request.query.items())
    wanted, rest = options.read(given, request.headers.getall("Accept", ()), FORMATS)
    options.only(rest, (*PARAMETERS, *options.OF_ANSWER), PATH)
    offset = 0
    if wanted.cursor:
        cursor = api.signer.read(wanted.cursor, PATH, who.user)
        held = cursor.values()
        rest = _continued(rest, {name: _text(value) for name, value in held.items()})
        offset = cursor.offset
        wanted = options.continued(wanted, cursor.columns)
    return await answer(request, _source(api, who, rest), wanted, offset, PATH)


def _continued(given: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if name not in _FROM_CURSOR and held.get(name, "") != value:
            raise Problem(
                400, f"cursor was given with another {name}; leave {name} out", parameter=name
            )
    return {name: value for name, value in held.items() if value}


def _text(value: Value) -> str:
    return (
        value
        if isinstance(value, str)
        else value.isoformat()
        if not isinstance(value, int)
        else str(value)
    )


def _source(api: Api, who: Caller, given: Mapping[str, str]) -> Source:
    by = given.get("by", "")
    if by not in ("", "recipe"):
        raise Problem(400, f"by {by!r} is not 'recipe', which is all there is", parameter="by")
    asked = _asked(given)
    calls = [
        (_call(api, NAME, one, who), _call(api, BY_RECIPE, one, who))
        for one in ({**asked, TENANT: tenant} for tenant in _tenants(who, given))
    ]
    external = given.get("external_id", "")
    where = f" WHERE external_id = {literal(external)}" if external else ""
    of_customers = " UNION ALL ".join(f"SELECT * FROM {first}" for (first, _), _ in calls)  # noqa: S608 - quoted
    resolved = calls[0][0][1]
    if by:
        of_recipes = " UNION ALL ".join(f"SELECT * FROM {second}" for _, (second, _) in calls)  # noqa: S608 - quoted
        sql = (
            f"(SELECT r.tenant AS tenant, m.external_id AS external_id, r.recipe_id AS recipe_id, "  # noqa: S608 - quoted
            f"r.name AS name, r.month AS month, r.tasks AS tasks, m.closed AS closed "
            f"FROM ({of_recipes}) AS r INNER JOIN ({of_customers}) AS m "
            f"ON r.tenant = m.tenant AND r.month = m.month{where} "
            f"ORDER BY month, tenant, recipe_id)"
        )
    else:
        sql = f"(SELECT * FROM ({of_customers}){where} ORDER BY month, tenant)"  # noqa: S608 - quoted
    return Source(NAME, sql, _columns(api, by), _parameters(resolved, given))


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    names = {**_CALLED, "tz": "tz"}
    return {view: given[ours] for view, ours in names.items() if ours in given}


def _tenants(who: Caller, given: Mapping[str, str]) -> Sequence[str]:
    """Which organizations it is about: the one asked for, or each of the caller's; '' is all."""
    if given.get("customer_id"):
        return (given["customer_id"],)
    tenants = role_in(who, Role.VIEWER, NAME)
    if isinstance(tenants, Refusal):
        raise Problem.of(tenants)
    if len(tenants) > MOST_TENANTS:
        raise Problem(
            400,
            f"{len(tenants)} organizations are yours, and at most {MOST_TENANTS} are answered for "
            "at once; name one with customer_id",
            parameter="customer_id",
        )
    return ("",) if tenants == (ALL,) else tenants


def _call(
    api: Api, name: str, asked: Mapping[str, str], who: Caller
) -> tuple[str, dict[str, Value]]:
    view = _view(api, name)
    decided = decide(who, view, asked)
    if isinstance(decided, Refusal):
        raise Problem.of(decided)
    found = values(view, decided, api, _CALLED)
    return call(name, found), found


def _view(api: Api, name: str) -> View:
    view = api.views.by_name().get(name)
    if view is None:
        raise Problem(404, f"there is no view {name!r} in the store: `usage migrate` makes it")
    return view


def _columns(api: Api, by: str) -> tuple[Column, ...]:
    known = {column.name: column for column in _view(api, NAME).columns}
    if by:
        known |= {column.name: column for column in _view(api, BY_RECIPE).columns}
        return tuple(known[name] for name in _COLUMNS_BY_RECIPE)
    return tuple(known[name] for name in _COLUMNS)


def _parameters(resolved: Mapping[str, Value], given: Mapping[str, str]) -> dict[str, Value]:
    return {
        "from": resolved["since"],
        "to": resolved["until"],
        "tz": resolved["tz"],
        "external_id": given.get("external_id", ""),
        "customer_id": given.get("customer_id", ""),
        "by": given.get("by", ""),
    }
