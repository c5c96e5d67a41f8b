"""What every request goes through: who asks, how often, what went wrong, what is noted of it."""

from __future__ import annotations

import logging
import socket
import struct
import time
from collections.abc import Mapping, Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from pipeline.access.decision import Reason, Refusal
from pipeline.access.identity import Door, Presented
from pipeline.access.roles import Caller
from pipeline.api.context import API, ASKING, ENDPOINTS, Api, Asking
from pipeline.api.problems import Problem
from pipeline.errors import BrokerError, StoreError, StoreUnavailable, UsageError

log = logging.getLogger("usage.access")
_faults = logging.getLogger(__name__)

ENTER = "enter"
PAGE = "page"
OPEN = frozenset({"healthz", "readyz", ENTER, PAGE})
"""Endpoints served to anybody."""

_SAFE: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_RETRY_SECONDS = "5"


@web.middleware
async def boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request, or say why not; note what became of it."""
    api = request.app[API]
    resource = request.match_info.route.resource
    endpoint = request.app[ENDPOINTS].get(resource.canonical, "") if resource else ""
    asking = request[ASKING] = Asking(endpoint)
    began = time.perf_counter()
    status = "left"
    try:
        response = await _answer(request, handler, api, asking)
        status = asking.ending or str(response.status)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            asking.size = len(response.body)
        if request.method == hdrs.METH_HEAD:
            asking.size = 0
    finally:
        _note(request, api, asking, status, time.perf_counter() - began)
    return response


async def begin(request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer what every one has, whole or streamed, just before its first byte."""
    asking = request.get(ASKING)
    if asking is None:  # refused by the server itself, before `boundary`
        return
    asking.begun = response
    for name, value in (*_SAFE.items(), *asking.headers.items()):
        response.headers.setdefault(name, value)


async def _answer(
    request: web.Request, handler: Handler, api: Api, asking: Asking
) -> web.StreamResponse:
    try:
        if asking.endpoint not in OPEN:
            await _let_in(request, api, asking)
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - each becomes an answer; what nobody foresaw, 500
        if asking.begun is not None:
            return _break_off(request, asking.begun, error, api, asking)
        return _problem(error, api, asking).response()


def _break_off(
    request: web.Request,
    begun: web.StreamResponse,
    error: Exception,
    api: Api,
    asking: Asking,
) -> web.StreamResponse:
    """End an answer that fails after its first byte so that nobody takes it for whole."""
    if isinstance(error, StoreError):
        api.instruments.store_failed()
        _faults.warning("an answer broke off after %d bytes: %s", asking.size, error.message)
    else:
        _faults.error("an answer broke off after %d bytes", asking.size, exc_info=error)
    asking.ending = "broken"
    _cut(request)
    return begun


def _cut(request: web.Request) -> None:
    """End the connection so that nobody takes what came for whole.

    With a reset: to a reader of HTTP/1.0 an orderly end is the answer's end.
    """
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _let_in(request: web.Request, api: Api, asking: Asking) -> None:
    """Find out who asks, and count it.

    Raises:
        Problem: 401, nobody known; 429, too often.
    """
    found = await identify(api.doors, presented(request))
    if isinstance(found, Refusal):
        raise Problem.of(found)
    asking.caller = found
    rate = api.limits.hit(found.user)
    asking.headers = api.limits.headers(rate)
    if not rate.allowed:
        raise api.limits.refuse(rate)


async def identify(doors: Sequence[Door], given: Presented) -> Caller | Refusal:
    """Who it is, by the first door that recognizes something of its kind."""
    for door in doors:
        found = await door.identify(given)
        if found is not None:
            return found
    return Refusal(
        401,
        Reason.UNIDENTIFIED,
        "nothing says who you are: send the header `Authorization: Bearer usage_…` with an API "
        "key (`usage key create` makes one)",
    )


def presented(request: web.Request) -> Presented:
    """What a request brings that may tell who asks."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    headers = tuple((name.lower(), value) for name, value in request.headers.items())
    return Presented(headers, str(peer[0]) if peer else "")


def _problem(error: Exception, api: Api, asking: Asking) -> Problem:
    if isinstance(error, Problem):
        found = error
    elif isinstance(error, web.HTTPException):
        found = _of_router(error)
    elif isinstance(error, StoreUnavailable):
        api.instruments.store_failed()
        _faults.warning("%s", error.message)
        found = Problem(
            503,
            "the store does not answer at the moment; try again",
            headers={"Retry-After": _RETRY_SECONDS},
        )
    elif isinstance(error, BrokerError):
        _faults.warning("%s", error.message)
        found = Problem(
            503,
            "Kafka, which every change goes through, does not take it at the moment; look whether "
            "it came, and try again",
            headers={"Retry-After": _RETRY_SECONDS},
        )
    elif isinstance(error, UsageError) and not isinstance(error, StoreError):
        found = Problem(400, error.message)
    else:
        _faults.error("a request of %s failed", asking.endpoint, exc_info=error)
        found = Problem(500, "this could not be answered; the log of the API says why")
    if found.reason is not None:
        asking.reason = str(found.reason)
        api.instruments.refused(found.reason)
    found.headers = {**asking.headers, **found.headers}
    return found


def _of_router(error: web.HTTPException) -> Problem:
    sentences = {
        404: "there is no such path; /v1/openapi.json lists those there are",
        405: "this path does not take that method",
        413: "the body is too large",
    }
    allow = error.headers.get("Allow")
    return Problem(
        error.status,
        sentences.get(error.status, error.reason),
        headers={"Allow": allow} if allow else None,
    )


def _note(request: web.Request, api: Api, asking: Asking, status: str, seconds: float) -> None:
    api.instruments.answered(
        asking.endpoint, asking.form, status, seconds if asking.timed else None, asking.size
    )
    caller = asking.caller
    log.info(
        "%s %s %s in %.1f ms, %d bytes, %s",
        request.method,
        asking.view or asking.endpoint or "-",
        f"{status} ({asking.reason})" if asking.reason else status,
        seconds * 1000,
        asking.size,
        caller.user if caller else "nobody",
        extra={
            "fields": {
                "method": request.method,
                "endpoint": asking.endpoint,
                "view": asking.view,
                "format": asking.form,
                "status": status,
                "reason": asking.reason,
                "ms": round(seconds * 1000, 1),
                "bytes": asking.size,
                "user": caller.user if caller else "",
                "key": caller.key if caller else "",
                "role": caller.role if caller else "",
            }
        },
    )
