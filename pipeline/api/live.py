"""``/v1/live``: server-sent events that say when a newer arrival can be seen."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from aiohttp import hdrs, web

from pipeline.access.decision import Reason, Refusal, nothing_granted
from pipeline.api import options
from pipeline.api.boundary import identify, presented
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.freshness import Fresh
from pipeline.api.problems import Problem
from pipeline.errors import StoreError

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
QUIET_SECONDS = 15.0
"""After so long without an event a comment is sent: whoever is gone is noticed."""

MOST_AT_ONCE = 8
"""Streams of one caller's."""

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Readers:
    """How many streams each caller reads."""

    def __init__(self) -> None:
        self.by_user: dict[str, int] = {}


READERS: web.AppKey[Readers] = web.AppKey("live_readers", Readers)


async def live(request: web.Request) -> web.StreamResponse:
    """An event ``as_of`` at first, then ``fresh`` whenever something newer was counted.

    The data is the answers' ``as_of``. Whoever comes back with ``Last-Event-ID`` is told at once
    where something was missed. Ends when the caller's key or last grant does.
    """
    options.only(dict(request.query), (), "/v1/live")
    api, user = request.app[API], caller(request).user
    refusal = nothing_granted(caller(request))
    if refusal is not None:
        raise Problem.of(refusal)
    request[ASKING].timed = False
    readers = request.app[READERS].by_user
    if readers.get(user, 0) >= MOST_AT_ONCE:
        raise Problem(
            429,
            f"{MOST_AT_ONCE} live streams of yours run already",
            reason=Reason.BUSY,
            headers={"Retry-After": "5"},
        )
    readers[user] = readers.get(user, 0) + 1
    try:
        with api.instruments.live.track_inprogress():
            return await _stream(request, api)
    except ConnectionResetError:
        request[ASKING].ending = "left"
        raise asyncio.CancelledError from None
    finally:
        readers[user] -= 1
        if not readers[user]:
            del readers[user]


async def _stream(request: web.Request, api: Api) -> web.StreamResponse:
    fresh = await api.freshness.now()
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    missed = request.headers.get("Last-Event-ID", fresh.version) != fresh.version
    await _write(request, response, _event("fresh" if missed else "as_of", fresh))
    quiet = 0.0
    while not api.draining and await _still_known(request, api):
        await asyncio.sleep(TICK_SECONDS)
        quiet += TICK_SECONDS
        try:
            newer = await api.freshness.now()
        except StoreError as error:
            log.info("live: %s", error.message)
            newer = fresh
        if newer.version != fresh.version:
            fresh, quiet = newer, 0.0
            await _write(request, response, _event("fresh", fresh))
        elif quiet >= QUIET_SECONDS:
            quiet = 0.0
            await _write(request, response, b": nothing new\n\n")
    await response.write_eof()
    return response


async def _still_known(request: web.Request, api: Api) -> bool:
    found = await identify(api.doors, presented(request))
    return not isinstance(found, Refusal) and nothing_granted(found) is None


async def _write(request: web.Request, response: web.StreamResponse, text: bytes) -> None:
    await response.write(text)
    request[ASKING].size += len(text)


def _event(name: str, fresh: Fresh) -> bytes:
    data = msgspec.json.encode(fresh.as_json("UTC"))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (fresh.version.encode(), name.encode(), data)
