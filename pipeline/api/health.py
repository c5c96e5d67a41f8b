"""``/healthz``, ``/readyz``, ``/metrics`` and ``/v1/openapi.json``."""

from __future__ import annotations

import msgspec
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pipeline.access.decision import Refusal, role_in
from pipeline.access.roles import ALL, Role
from pipeline.api import openapi, options
from pipeline.api.answering import FORMATS
from pipeline.api.context import API, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response
from pipeline.errors import StoreError


async def alive(_request: web.Request) -> web.Response:
    """The process answers."""
    return _verdict(200, "alive", "")


async def ready(request: web.Request) -> web.Response:
    """Whether it can answer questions: the store does, and it is not about to end."""
    api = request.app[API]
    if api.draining:
        return _verdict(503, "draining", "it is about to end")
    try:
        api.views.by_name()
        await api.freshness.now()
    except StoreError as error:
        # Its sentence names the store's address, which is nobody's business here.
        return _verdict(503, "store away", type(error).__name__)
    return _verdict(200, "ready", "")


async def metrics(request: web.Request) -> web.Response:
    """Metrics of this process; for operators, for they count what others ask."""
    options.only(dict(request.query), (), "/metrics")
    who = caller(request)
    if who.tenants(Role.ADMIN) != (ALL,):
        refusal = role_in(who, Role.OPERATOR, "/metrics")
        if isinstance(refusal, Refusal):
            raise Problem.of(refusal)
    body = generate_latest(request.app[API].instruments.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def document(request: web.Request) -> web.Response:
    """The OpenAPI document of the catalogue as it is now."""
    options.only(dict(request.query), (), "/v1/openapi.json")
    api = request.app[API]
    return json_response(openapi.document(api.views.by_name().values(), FORMATS, api.release))


def _verdict(status: int, state: str, why: str) -> web.Response:
    body = msgspec.json.encode({"state": state, "why": why}) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json")
