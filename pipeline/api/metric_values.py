"""``/v1/metrics/{id}/values``: one metric's values, of the caller's organizations (rows B2, B6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from aiohttp import web

from pipeline.access.decision import TENANT, Refusal, decide, role_in
from pipeline.access.roles import ALL, Caller, Role
from pipeline.api import options
from pipeline.api.answering import FORMATS, answer
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import values
from pipeline.views.call import Value, call, literal
from pipeline.views.catalogue import View
from pipeline.views.projection import Source

NAME = "metric_values"
PARAMETERS = ("as_of", TENANT)
MOST_TENANTS = 50
"""Named organizations in one answer: ClickHouse does not take any number of queries as one."""


async def listed(request: web.Request) -> web.StreamResponse:
    """The values of one metric, the largest first; of each of the caller's organizations."""
    api, who = request.app[API], caller(request)
    request[ASKING].view = NAME
    given = options.once(request.query.items())
    wanted, rest = options.read(given, request.headers.getall("Accept", ()), FORMATS)
    options.only(rest, (*PARAMETERS, *options.OF_ANSWER), NAME)
    metric, offset = request.match_info["id"], 0
    whose = f"{NAME} {metric}"
    if wanted.cursor:
        cursor = api.signer.read(wanted.cursor, whose, who.user)
        rest = {name: _text(value) for name, value in cursor.values().items()} | rest
        offset = cursor.offset
        wanted = options.continued(wanted, cursor.columns)
    return await answer(request, _source(api, who, metric, rest), wanted, offset, whose)


def _source(api: Api, who: Caller, metric: str, given: Mapping[str, str]) -> Source:
    view = api.views.by_name().get(NAME)
    if view is None:
        raise Problem(404, f"there is no view {NAME!r} in the store: `usage migrate` makes it")
    asked = [_asked(api, who, view, {**given, TENANT: one}) for one in _tenants(who, given)]
    first = asked[0]
    # Of several, the views' texts would be longer than ClickHouse reads.
    calls = [view.asked(first)] if len(asked) == 1 else [call(NAME, one) for one in asked]
    plain = view.asked_plainly(first, metric) if len(asked) == 1 else ""
    by_day = view.asked_by_day(first, metric) if len(asked) == 1 else None
    return Source(
        NAME,
        _largest_first(metric, calls),
        view.columns,
        {**first, TENANT: given.get(TENANT, "")},
        _largest_first(metric, [plain]) if plain else "",
        by_day and replace(by_day, around=lambda rows: _largest_first(metric, [rows])),
    )


def _largest_first(metric: str, calls: Sequence[str]) -> str:
    rows = " UNION ALL ".join(
        f"SELECT * FROM {one} WHERE metric_id = {literal(metric)}"  # noqa: S608 - quoted
        for one in calls
    )
    return f"(SELECT * FROM ({rows}) ORDER BY value DESC NULLS LAST, tenant)"  # noqa: S608 - quoted


def _asked(api: Api, who: Caller, view: View, given: Mapping[str, str]) -> dict[str, Value]:
    decided = decide(who, view, given)
    if isinstance(decided, Refusal):
        raise Problem.of(decided)
    return values(view, decided, api)


def _tenants(who: Caller, given: Mapping[str, str]) -> tuple[str, ...]:
    """Which organizations it is about: the one asked for, or each of the caller's; '' is all."""
    if given.get(TENANT):
        return (given[TENANT],)
    tenants = role_in(who, Role.MANAGER, NAME)
    if isinstance(tenants, Refusal):
        raise Problem.of(tenants)
    if len(tenants) > MOST_TENANTS:
        raise Problem(
            400,
            f"{len(tenants)} organizations are yours, and at most {MOST_TENANTS} are answered for "
            "at once; name one with tenant",
            parameter=TENANT,
        )
    return ("",) if tenants == (ALL,) else tenants


def _text(value: Value) -> str:
    return value if isinstance(value, str) else str(value)
