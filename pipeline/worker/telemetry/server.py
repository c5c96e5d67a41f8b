"""The worker's web server: ``/metrics``, ``/healthz``, ``/readyz``, in a thread of its own.

It answers when the event loop does not, and says so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import orjson
from prometheus_client import (
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import ThreadingWSGIServer

from pipeline.errors import SettingsError
from pipeline.worker.telemetry import health
from pipeline.worker.telemetry.collector import families
from pipeline.worker.telemetry.exposition import Environ, Exposition, StartResponse

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from pipeline.worker.telemetry.health import Health
    from pipeline.worker.telemetry.state import State

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nothing here reads

ANSWER_SECONDS = 2.0
"""A loop that does not give its state within this is blocked."""


class Server:
    """Serves one worker's telemetry on all interfaces."""

    def __init__(
        self,
        port: int,
        registry: CollectorRegistry,
        state: Callable[[bool], Coroutine[Any, Any, State]],
        buffer_limit: int,
        loop: asyncio.AbstractEventLoop,
        reader: str = "python",
    ) -> None:
        self._loop = loop
        self._of_loop = state
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._metrics = Exposition(
            registry,
            partial(self._state, with_tenants=True),
            partial(families, buffer_limit=buffer_limit, reader=reader),
        )
        try:
            self._server = make_server(
                "", port, self._answer, ThreadingWSGIServer, handler_class=_Quiet
            )
        except OSError as error:
            raise SettingsError(
                f"USAGE_WEB_PORT is {port}, which cannot be used: {error}"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            name="web",
            daemon=True,
            kwargs={"poll_interval": 0.2},
        )

    def start(self) -> None:
        """Serve until the process ends."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", "/"), environ["REQUEST_METHOD"]
        if path == "/metrics" and method != "GET":
            what = {"error": f"{method} is not answered, only GET"}
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, what, start)
        if path == "/metrics":
            return self._metrics(environ, start)
        if path == "/healthz":
            return _judged(health.alive(self._state()), start)
        if path == "/readyz":
            return _judged(health.ready(self._state()), start)
        what = {"error": f"there is no {path}; there are /metrics, /healthz and /readyz"}
        return _json(HTTPStatus.NOT_FOUND, what, start)

    def _state(self, with_tenants: bool = False) -> State | None:
        waiting = asyncio.run_coroutine_threadsafe(self._of_loop(with_tenants), self._loop)
        try:
            return waiting.result(ANSWER_SECONDS)
        except TimeoutError:
            waiting.cancel()
            return None


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Say nothing of each request."""


def _judged(found: Health, start: StartResponse) -> Iterable[bytes]:
    status = HTTPStatus.OK if found.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return _json(status, {"state": found.state, "why": found.why}, start)


def _json(status: HTTPStatus, body: dict[str, str], start: StartResponse) -> Iterable[bytes]:
    start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [orjson.dumps(body) + b"\n"]
