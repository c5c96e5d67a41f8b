"""``/v1/lag``: how far workers are behind the log, as Kafka has it, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from pipeline.access.decision import Reason, Refusal, role_in
from pipeline.access.roles import ALL, Role
from pipeline.api import options
from pipeline.api.context import API, ASKING, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response
from pipeline.kafka import group
from pipeline.kafka.topics import COUNTED

if TYPE_CHECKING:
    from pipeline.settings import Settings

PATH = "/v1/lag"


async def lag(request: web.Request) -> web.Response:
    """Every partition of the counted topics: its end, what is committed, and the records between.

    Commits come after rows, so that for a moment it is told too large, never too small.
    """
    request[ASKING].view = "lag"
    theirs = role_in(caller(request), Role.OPERATOR, "lag")
    if isinstance(theirs, Refusal):
        raise Problem.of(theirs)
    if theirs != (ALL,):
        sentence = f"lag is of all organizations, which needs the scope {ALL}"
        raise Problem(403, sentence, reason=Reason.COMPARES)
    options.only(dict(request.query), (), PATH)
    api = request.app[API]
    async with api.limits.query(caller(request).user):
        return json_response(await api.log.ask(_read))


def _read(settings: Settings) -> dict[str, Any]:
    bounds = group.bounds(settings, [settings.topic(spec.name) for spec in COUNTED])
    committed = group.committed(settings, bounds)
    partitions = []
    for source, at in bounds.items():
        offset = committed.get(source)
        counted = max(offset.offset, at.first) if offset else at.first
        partitions.append(
            {
                "topic": source.topic,
                "partition": source.partition,
                "committed": offset.offset if offset else None,
                "log_end": at.last,
                "lag": max(0, at.last - counted),
            }
        )
    return {
        "group": settings.group,
        "lag": sum(one["lag"] for one in partitions),
        "partitions": partitions,
    }
