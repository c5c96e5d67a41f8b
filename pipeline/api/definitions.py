"""``/v1/metrics``: definitions of metrics, for admins of all organizations.

A change is an event in Kafka, and is answered when it is in force. The version is the ETag: who
changes one says by If-Match which, and is refused where somebody was faster.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from pipeline.access.decision import may_define
from pipeline.api import options
from pipeline.api.context import API, Api, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response
from pipeline.facts.definitions.definition import Definition
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.kafka.definitions import POLL_SECONDS, Outcome, Sent, Wanted, outcomes, send
from pipeline.meters import given, stored
from pipeline.meters.changes import Change, Kind, change, overtaken, refusal, retirement
from pipeline.meters.stored import Stored

T = TypeVar("T")

PATH = "/v1/metrics"
WAIT_SECONDS = 10.0
"""How long an answer waits for its change to be in force."""

_TAG = re.compile(r'"?(\d{1,9})"?')


async def listed(request: web.Request) -> web.Response:
    """The metrics that are in force; with ``retired=1`` those that are retired, too."""
    let_in(request)
    asked = options.once(request.query.items())
    options.only(asked, ("retired",), PATH)
    everything = options.flag(asked.get("retired", "0"), "retired")
    newest = await _newest(request)
    shown = newest if everything else stored.in_force(newest)
    return json_response({"metrics": [msgspec.Raw(one.as_json()) for one in shown.values()]})


async def one(request: web.Request) -> web.Response:
    """One metric: the version in force, or an older one by ``version=``."""
    let_in(request)
    asked = options.once(request.query.items())
    options.only(asked, ("version",), f"{PATH}/{{id}}")
    metric = request.match_info["id"]
    found = await _threaded(stored.versions, request.app[API].metrics.store, metric)
    if "version" in asked:
        for version in found:
            if str(version.version) == asked["version"]:
                return _answer(version)
        raise Problem(404, "there is no such version of that metric", parameter="version")
    newest = found[-1] if found else None
    if newest is None or newest.definition.retired:
        raise Problem(404, _absent(newest))
    tag = _tag(newest)
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers={"ETag": tag})
    return _answer(newest)


async def versions(request: web.Request) -> web.Response:
    """Every version of a metric, the newest last."""
    let_in(request)
    options.only(dict(request.query), (), f"{PATH}/{{id}}/versions")
    metric = request.match_info["id"]
    found = await _threaded(stored.versions, request.app[API].metrics.store, metric)
    if not found:
        raise Problem(404, _absent(None))
    return json_response({"versions": [msgspec.Raw(one.as_json()) for one in found]})


async def put(request: web.Request) -> web.Response:
    """Make a metric, or change one; answered when that is in force."""
    let_in(request)
    options.only(dict(request.query), (), f"{PATH}/{{id}}")
    definition = _definition(await body(request), request.match_info["id"])
    if definition.retired:
        raise Problem(400, "retired: DELETE retires a metric", parameter="retired")
    newest = await _newest(request)
    wanted = change(newest.get(definition.metric_id), definition)
    _require_version(request, wanted)
    refused = refusal(newest, [wanted])
    if refused:
        raise Problem(409, refused)
    if wanted.kind is Kind.UNCHANGED and wanted.before is not None:
        return _answer(wanted.before)
    is_new = wanted.kind is not Kind.CHANGED
    return await _carry_out(request, wanted, status=201 if is_new else 200)


async def retire(request: web.Request) -> web.Response:
    """End a metric; its versions stay."""
    let_in(request)
    options.only(dict(request.query), (), f"{PATH}/{{id}}")
    newest = (await _newest(request)).get(request.match_info["id"])
    if newest is None or newest.definition.retired:
        raise Problem(404, _absent(newest))
    wanted = retirement(newest)
    if "If-Match" in request.headers:
        _require_version(request, wanted)
    return await _carry_out(request, wanted, status=204)


async def body(request: web.Request) -> bytes:
    """The JSON that was sent.

    Raises:
        Problem: 415, it is none by its own word.
    """
    if request.content_type != "application/json":
        raise Problem(415, "the body is not application/json")
    return await request.read()


def invalid(error: InvalidDefinition) -> Problem:
    """What is wrong with a definition, and with which field of it."""
    return Problem(400, str(error), parameter=error.field)


def _definition(data: bytes, metric: str) -> Definition:
    try:
        return given.read(data, metric)
    except InvalidDefinition as error:
        raise invalid(error) from None


def let_in(request: web.Request) -> None:
    """Refuse who may not define metrics."""
    refused = may_define(caller(request))
    if refused is not None:
        raise Problem.of(refused)


async def _newest(request: web.Request) -> dict[str, Stored]:
    found = await _threaded(stored.versions, request.app[API].metrics.store)
    return stored.newest(found)


async def _threaded(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.to_thread(function, *arguments)


def _require_version(request: web.Request, wanted: Change) -> None:
    """Refuse who changes what they have not seen (RFC 9110, 13.1 and RFC 6585, 3)."""
    before = wanted.before
    exists = before is not None and not before.definition.retired
    expected = request.headers.get("If-Match")
    if "If-None-Match" in request.headers and exists:
        raise Problem(412, overtaken(before, 0))
    if expected is None:
        if exists and wanted.kind is not Kind.UNCHANGED:
            raise Problem(
                428,
                f'version {wanted.version} exists: say by If-Match: "{wanted.version}" that it '
                "is the one you change",
            )
        return
    if expected.strip() == "*":
        if not exists:
            raise Problem(412, _absent(before))
        return
    match = _TAG.fullmatch(expected.strip())
    if match is None:
        raise Problem(400, f'If-Match is {expected!r}, not a version as "4"', parameter="If-Match")
    if int(match[1]) != wanted.version:
        raise Problem(412, overtaken(before, int(match[1])) if before else _absent(None))


async def _carry_out(request: web.Request, wanted: Change, *, status: int) -> web.Response:
    """Send a change, and answer once it is known what became of it."""
    api = request.app[API]
    parts = api.metrics
    asked = Wanted(wanted.after, wanted.version)
    sent = await _threaded(send, parts.settings, parts.sending, [asked], api.clock())
    came = await _outcome(api, sent)
    metric = wanted.after.metric_id
    if came is None:
        answer = json_response(
            {
                "metric_id": metric,
                "detail": f"it is in Kafka, but no worker has counted it within "
                f"{WAIT_SECONDS:g} s; {PATH}/{metric} has it when it is in force",
            },
            status=202,
        )
        answer.headers["Location"] = f"{PATH}/{metric}"
        return answer
    if not came.won or came.newest is None:
        raise Problem(412, overtaken(came.newest, wanted.version))
    if status == 204:
        return web.Response(status=204, headers={"ETag": _tag(came.newest)})
    return _answer(came.newest, status)


async def _outcome(api: Api, sent: Sent) -> Outcome | None:
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_SECONDS
    while True:
        found = await _threaded(outcomes, api.metrics.store, sent)
        if found is not None:
            return found[0]
        if loop.time() > end:
            return None
        await asyncio.sleep(POLL_SECONDS)


def _answer(version: Stored, status: int = 200) -> web.Response:
    answer = json_response(msgspec.Raw(version.as_json()), status=status)
    answer.headers["ETag"] = _tag(version)
    if status == 201:
        answer.headers["Location"] = f"{PATH}/{version.definition.metric_id}"
    return answer


def _tag(version: Stored) -> str:
    return f'"{version.version}"'


def _absent(newest: Stored | None) -> str:
    if newest is None:
        return "there is no such metric"
    return f"that metric was retired by version {newest.version}; PUT brings it back"
