"""``/v1/me``: who the caller is, and what is theirs."""

from __future__ import annotations

from aiohttp import web

from pipeline.access.roles import ALL
from pipeline.api import options
from pipeline.api.context import API, caller
from pipeline.api.view_routes import json_response


async def me(request: web.Request) -> web.Response:
    """User, role, scope, limits; where roles differ by organization, each of them too."""
    options.only(dict(request.query), (), "/v1/me")
    who, limits = caller(request), request.app[API].limits
    return json_response(
        {
            "user": who.user,
            "name": who.name,
            "key": who.key or None,
            "role": who.role,
            "scope": ALL if who.scope == (ALL,) else list(who.scope),
            "grants": [{"tenant": one.tenant, "role": str(one.role)} for one in who.grants],
            "limits": {
                "requests_per_minute": limits.requests_per_minute,
                "queries_at_once": limits.queries_at_once,
                "reports_at_once": 1,
                "rows": options.MOST_ROWS,
            },
        }
    )
