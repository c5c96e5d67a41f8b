"""``/v1/panels``: the panels that a caller may see, with what they need to be drawn."""

from __future__ import annotations

from aiohttp import web

from pipeline.access.decision import may_see
from pipeline.api import options
from pipeline.api.context import API, caller
from pipeline.api.view_routes import json_response
from pipeline.panels.described import described


async def panels(request: web.Request) -> web.Response:
    """The panels in the order of the screen; a parameter ``$since`` is the filter of that name."""
    options.only(dict(request.query), (), "panels")
    api, who = request.app[API], caller(request)
    found = described(api.views.by_name(), lambda view: may_see(who, view))
    return json_response({"panels": found})
