"""What the handlers work with, and what they know of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from pipeline.access.identity import Door, Keys
    from pipeline.access.roles import Caller
    from pipeline.api.catalogue import Views
    from pipeline.api.cursors import Signer
    from pipeline.api.freshness import Freshness
    from pipeline.api.instruments import Instruments
    from pipeline.api.limits import Limits
    from pipeline.api.log import Log
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.reading import Reader
    from pipeline.kafka.sending import Sending
    from pipeline.reports.jobs import Jobs
    from pipeline.reports.runner import Runner
    from pipeline.settings import Settings


@dataclass
class Reports:
    """The reports of one API process."""

    jobs: Jobs
    runner: Runner
    adding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is looked at what a caller has, and one is added."""


@dataclass(frozen=True)
class Metrics:
    """What changes the definitions of metrics: the store that has them, and the way to Kafka."""

    settings: Settings
    store: Store
    sending: Sending


@dataclass
class Api:
    """One API process: its parts, shared by all handlers."""

    reader: Reader
    views: Views
    freshness: Freshness
    doors: tuple[Door, ...]
    """Asked in turn who a caller is."""
    keys: Keys
    limits: Limits
    reports: Reports
    metrics: Metrics
    log: Log
    instruments: Instruments
    signer: Signer
    clock: Callable[[], datetime]
    release: str
    """Of this program; a part of every ETag."""
    draining: bool = False
    """It is about to end: live streams end now, and it is not ready for more."""


@dataclass
class Asking:
    """What becomes known of one request on its way, for its log line and its metrics."""

    endpoint: str = ""
    """Of the route: `view`, `organizations`; never what a caller wrote."""
    view: str = ""
    form: str = ""
    caller: Caller | None = None
    size: int = 0
    """Bytes of the answer's body."""
    ending: str = ""
    """`broken` or `left`, where the answer did not come to its end."""
    reason: str = ""
    """Why it was refused, where it was."""
    timed: bool = True
    begun: web.StreamResponse | None = None
    """The answer, once its first byte went out."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer to it: how the caller stands."""


API: web.AppKey[Api] = web.AppKey("api", Api)
ENDPOINTS: web.AppKey[dict[str, str]] = web.AppKey("endpoints", dict)
"""By the path of a route."""
ASKING: web.RequestKey[Asking] = web.RequestKey("asking", Asking)


def caller(request: web.Request) -> Caller:
    """Who asks; of a request that went through `boundary`."""
    found = request[ASKING].caller
    if found is None:
        raise LookupError("this endpoint is served without asking who it is")
    return found
