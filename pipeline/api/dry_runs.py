"""``POST /v1/metrics/dry-run`` and what a definition is completed from, for who may define."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from pipeline.api import options
from pipeline.api.context import API, ASKING, caller
from pipeline.api.definitions import PATH, body, invalid, let_in
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response, wrong
from pipeline.errors import UsageError
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.meters import given, seen, stored
from pipeline.meters.dry_run import TOP, dry_run
from pipeline.process import times

DRY_RUN = f"{PATH}/dry-run"
EVENTS = "/v1/events"
PROPERTIES = f"{EVENTS}/properties"
MOST_DAYS, MOST_TOP = 90, 1000
_UNNAMED = {"metric_id": "dry-run", "name": "dry run"}
"""What a definition need not have yet."""


async def run(request: web.Request) -> web.Response:
    """Answer what a definition comes to."""
    let_in(request)
    api, who = request.app[API], caller(request)
    asked = options.once(request.query.items())
    options.only(asked, ("as_of", "k"), DRY_RUN)
    as_of, top = _instant(request, asked), _number(asked, "k", TOP, MOST_TOP)
    request[ASKING].view = "dry_run"
    try:
        definition = given.read(await body(request), defaults=_UNNAMED)
        known = await asyncio.to_thread(stored.versions, api.metrics.store, definition.metric_id)
        newest = stored.in_force(stored.newest(known)).get(definition.metric_id)
        async with api.limits.query(who.user):
            found = await dry_run(api.reader, definition, newest, as_of, top)
    except InvalidDefinition as error:
        raise invalid(error) from None
    return json_response(found.as_json())


async def events(request: web.Request) -> web.Response:
    """The names of the product events that were seen lately, the most frequent first."""
    let_in(request)
    asked = options.once(request.query.items())
    options.only(asked, ("as_of", "days"), EVENTS)
    as_of, days = _instant(request, asked), _number(asked, "days", seen.DAYS, MOST_DAYS)
    api = request.app[API]
    async with api.limits.query(caller(request).user):
        return json_response({"events": await seen.events(api.reader, as_of, days)})


async def properties(request: web.Request) -> web.Response:
    """The properties of the events of a name: paths, kinds and examples."""
    let_in(request)
    asked = options.once(request.query.items())
    options.only(asked, ("name", "as_of", "days"), PROPERTIES)
    if "name" not in asked:
        raise Problem(400, "name is missing: of which events?", parameter="name")
    as_of, days = _instant(request, asked), _number(asked, "days", seen.PROPERTY_DAYS, MOST_DAYS)
    api = request.app[API]
    async with api.limits.query(caller(request).user):
        found = await seen.properties(api.reader, [asked["name"]], as_of, days)
    return json_response({"properties": [one.as_json() for one in found]})


def _instant(request: web.Request, asked: dict[str, str]) -> datetime:
    now = request.app[API].clock()
    try:
        return times.instant(
            asked.get("as_of", "now"), name="--as-of", now=now, zone=ZoneInfo("UTC")
        )
    except UsageError as error:
        raise wrong(error) from None


def _number(asked: dict[str, str], name: str, default: int, most: int) -> int:
    text = asked.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise Problem(400, f"{name} {text!r} is no whole number from 1 to {most}", parameter=name)
    return int(text)
