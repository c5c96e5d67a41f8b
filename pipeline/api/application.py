"""The API's routes, each with the name under which it is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from pipeline.api import (
    dead_letters,
    definitions,
    dry_runs,
    health,
    keys,
    lag,
    live,
    me,
    metric_values,
    monthly,
    organizations,
    panels,
    reports,
    view_routes,
)
from pipeline.api.boundary import ENTER, PAGE, begin, boundary
from pipeline.api.context import API, ENDPOINTS, Api
from pipeline.api.live import READERS, Readers
from pipeline.api.problems import Problem
from pipeline.api.sessions import COOKIE, Sessions

LARGEST_BODY = 1 << 16
SESSIONS: web.AppKey[Sessions] = web.AppKey("sessions", Sessions)


@dataclass(frozen=True)
class Route:
    """One way in; the endpoint is its name in metrics and logs."""

    method: str
    path: str
    endpoint: str
    handler: Handler


ROUTES = (
    Route("GET", "/healthz", "healthz", health.alive),
    Route("GET", "/readyz", "readyz", health.ready),
    Route("GET", "/metrics", "metrics", health.metrics),
    Route("GET", "/v1/openapi.json", "openapi", health.document),
    Route("GET", "/v1/me", "me", me.me),
    Route("GET", "/v1/views", "views", view_routes.views),
    Route("GET", "/v1/views/{view}", "view", view_routes.view),
    Route("GET", "/v1/organizations", "organizations", organizations.organizations),
    Route("GET", "/v1/organizations/{tenant}", "organization", organizations.one),
    Route("GET", monthly.PATH, "monthly", monthly.monthly),
    Route("GET", "/v1/panels", "panels", panels.panels),
    Route("GET", "/v1/reports", "reports", reports.listed),
    Route("POST", "/v1/reports", "reports", reports.create),
    Route("GET", "/v1/reports/{id}", "report", reports.one),
    Route("DELETE", "/v1/reports/{id}", "report", reports.remove),
    Route("GET", "/v1/reports/{id}/file", "report_file", reports.file),
    Route("GET", "/v1/keys", "keys", keys.listed),
    Route("POST", "/v1/keys", "keys", keys.create),
    Route("GET", "/v1/keys/{id}", "key", keys.one),
    Route("DELETE", "/v1/keys/{id}", "key", keys.revoke),
    Route("GET", definitions.PATH, "metric_definitions", definitions.listed),
    Route("POST", dry_runs.DRY_RUN, "metric_dry_run", dry_runs.run),
    Route("GET", dry_runs.EVENTS, "seen_events", dry_runs.events),
    Route("GET", dry_runs.PROPERTIES, "seen_properties", dry_runs.properties),
    Route("GET", f"{definitions.PATH}/{{id}}", "metric_definition", definitions.one),
    Route("PUT", f"{definitions.PATH}/{{id}}", "metric_definition", definitions.put),
    Route("DELETE", f"{definitions.PATH}/{{id}}", "metric_definition", definitions.retire),
    Route("GET", f"{definitions.PATH}/{{id}}/versions", "metric_versions", definitions.versions),
    Route("GET", f"{definitions.PATH}/{{id}}/values", "metric_values", metric_values.listed),
    Route("GET", dead_letters.PATH, "dead_letters", dead_letters.listed),
    Route("GET", f"{dead_letters.PATH}/{{origin}}", "dead_letter", dead_letters.one),
    Route("GET", lag.PATH, "lag", lag.lag),
    Route("GET", "/v1/live", "live", live.live),
)


def application(
    api: Api, sessions: Sessions | None = None, more: Iterable[Route] = ()
) -> web.Application:
    """The application, with the routes of other rooms besides."""
    app = web.Application(middlewares=[boundary], client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(begin)
    app[API] = api
    app[READERS] = Readers()
    routes = [*ROUTES, *more]
    if sessions is not None:
        app[SESSIONS] = sessions
        routes.append(Route("GET", "/enter/{link}", ENTER, enter))
    for route in routes:
        if route.method == "GET" and route.endpoint != ENTER:  # which would use the link up
            app.router.add_route("HEAD", route.path, route.handler)
        app.router.add_route(route.method, route.path, route.handler)
    app[ENDPOINTS] = {route.path: route.endpoint for route in routes}
    return app


async def enter(request: web.Request) -> web.Response:
    """Use a link up: sets the cookie, and goes on to the beginning."""
    session = request.app[SESSIONS].enter(request.match_info["link"])
    if session is None:
        raise Problem(404, "this link was used already, or is of an earlier start")
    has_page = PAGE in request.app[ENDPOINTS].values()
    headers = {"Location": "/" if has_page else "/v1/me", "Cache-Control": "no-store"}
    response = web.Response(status=303, headers=headers)
    response.set_cookie(COOKIE, session, path="/", httponly=True, samesite="Strict")
    return response
