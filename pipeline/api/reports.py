"""``/v1/reports``: chosen views and a period as one file (row C6), made by a job."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from pipeline.access.decision import Reason, Refusal, role_in, theirs
from pipeline.access.roles import Role
from pipeline.api import options
from pipeline.api.context import API, Api, caller
from pipeline.api.posted import posted
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response, wrong
from pipeline.errors import UsageError
from pipeline.reports.jobs import Job, State, Status
from pipeline.reports.plan import Refused, Wanted, resolve
from pipeline.views import parameters

RETRY_SECONDS = 5


async def create(request: web.Request) -> web.Response:
    """Take a report on; it is made in the background."""
    api, who = request.app[API], caller(request)
    options.only(dict(request.query), (), "/v1/reports")
    _may(request)
    wanted = await posted(request, Wanted, "report")
    now = api.clock()
    try:
        report = resolve(
            wanted,
            who,
            api.views.by_name(),
            lambda view, given: parameters.values(view, given, now),
        )
    except UsageError as error:
        raise wrong(error) from None
    except Refused as refused:
        raise Problem.of(refused.refusal) from None
    async with api.reports.adding:
        mine = await asyncio.to_thread(api.reports.jobs.of, who.user)
        if any(not state.status.is_over for _, state in mine):
            raise Problem(
                429,
                "a report of yours is being made; one at a time",
                reason=Reason.BUSY,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        job = await asyncio.to_thread(api.reports.jobs.create, who.user, report, now)
    api.reports.runner.wake()
    answer = json_response(described(api, job, State()), status=202)
    answer.headers["Location"] = f"/v1/reports/{job.id}"
    return answer


async def listed(request: web.Request) -> web.Response:
    """The caller's reports, the newest first."""
    api, who = request.app[API], caller(request)
    options.only(dict(request.query), (), "/v1/reports")
    _may(request)
    mine = await asyncio.to_thread(api.reports.jobs.of, who.user)
    return json_response({"reports": [described(api, job, state) for job, state in mine]})


async def one(request: web.Request) -> web.Response:
    """Answer with how one report's job stands."""
    options.only(dict(request.query), (), "/v1/reports")
    job, state = await _mine(request)
    return json_response(described(request.app[API], job, state))


async def remove(request: web.Request) -> web.Response:
    """Remove one of them, with its file; one that is being made is given up."""
    options.only(dict(request.query), (), "/v1/reports")
    job, _ = await _mine(request)
    await asyncio.to_thread(request.app[API].reports.jobs.remove, job.id)
    return web.Response(status=204)


async def file(request: web.Request) -> web.StreamResponse:
    """The file of one that is done; `Range` goes on where a download broke off."""
    options.only(dict(request.query), (), "/v1/reports")
    job, state = await _mine(request)
    if state.status is Status.FAILED:
        raise Problem(409, f"the report failed: {state.error}")
    if state.status is not Status.DONE:
        raise Problem(
            409,
            f"the report is {state.status}; it has no file yet",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    digest = base64.b64encode(bytes.fromhex(state.sha256)).decode()
    return web.FileResponse(
        request.app[API].reports.jobs.file(job),
        headers={
            "Content-Type": job.media_type,
            "Content-Disposition": f'attachment; filename="{job.file_name}"',
            "Repr-Digest": f"sha-256=:{digest}:",  # RFC 9530
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
        },
    )


def described(api: Api, job: Job, state: State) -> dict[str, Any]:
    """A report for programs."""
    is_done = state.status is Status.DONE
    return {
        "id": job.id,
        "status": str(state.status),
        "format": job.report.format,
        "organizations": job.report.organizations,
        "views": [
            {
                "view": part.view,
                "parameters": part.parameters,
                "columns": [column["name"] for column in part.columns],
            }
            for part in job.report.parts
        ],
        "created": _instant(job.created),
        "ended": _instant(state.ended),
        "expires": _instant(api.reports.jobs.expires(job)),
        "rows": state.rows,
        "bytes": state.bytes if is_done else None,
        "sha256": state.sha256 if is_done else None,
        "file": f"/v1/reports/{job.id}/file" if is_done else None,
        "file_name": job.file_name,
        "error": state.error or None,
    }


def _may(request: web.Request) -> None:
    found = role_in(caller(request), Role.MANAGER, "reports")
    if isinstance(found, Refusal):
        raise Problem.of(found)


async def _mine(request: web.Request) -> tuple[Job, State]:
    """The caller's job of that id, while its organizations are still theirs."""
    _may(request)
    who = caller(request)
    found = await asyncio.to_thread(request.app[API].reports.jobs.find, request.match_info["id"])
    if found is None or found[0].user != who.user:
        raise Problem(404, "there is no such report", reason=Reason.NOT_THEIRS)
    if not theirs(who, Role.MANAGER, found[0].report.organizations):
        raise Problem(404, "there is no such report", reason=Reason.NOT_THEIRS)
    return found


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at is not None else None
