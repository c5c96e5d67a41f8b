"""``/v1/keys``: keys of an admin's organizations, made, listed and ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from pipeline.access.decision import Reason, Refusal, may_grant, role_in, theirs
from pipeline.access.expiry import expiry
from pipeline.access.grants import LONGEST
from pipeline.access.identity import Key
from pipeline.access.keys import LONGEST_NAME
from pipeline.access.roles import ALL, Role, named
from pipeline.api import options
from pipeline.api.context import API, caller
from pipeline.api.posted import posted
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response
from pipeline.errors import UsageError

MOST_TENANTS = 1000


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made."""

    role: str
    scope: str | list[str]
    name: str = ""
    expires: str | None = None


async def create(request: web.Request) -> web.Response:
    """Make a key; the answer is the only one that ever has its secret."""
    api, who = request.app[API], caller(request)
    options.only(dict(request.query), (), "/v1/keys")
    _admins(request)
    wanted = await posted(request, Wanted, "key to be made")
    role, scope, expires = _role(wanted.role), _scope(wanted.scope), _expires(wanted, api.clock())
    refusal = may_grant(who, role, scope)
    if refusal is not None:
        raise Problem.of(refusal)
    key, text = await asyncio.to_thread(
        api.keys.create, role, scope, name=wanted.name, expires=expires, by=who.user
    )
    answer = json_response({**described(key), "key": text}, status=201)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Location"] = f"/v1/keys/{key.id}"
    return answer


async def listed(request: web.Request) -> web.Response:
    """The keys of the caller's organizations, without their secrets."""
    options.only(dict(request.query), (), "/v1/keys")
    return json_response({"keys": [described(key) for key in await _theirs(request)]})


async def one(request: web.Request) -> web.Response:
    """Answer with one key that the caller may see."""
    options.only(dict(request.query), (), "/v1/keys")
    return json_response(described(await _one(request)))


async def revoke(request: web.Request) -> web.Response:
    """End one of them; within seconds it opens nothing, at any API process."""
    options.only(dict(request.query), (), "/v1/keys")
    key = await _one(request)
    await asyncio.to_thread(request.app[API].keys.revoke, key.id)
    return web.Response(status=204)


def described(key: Key) -> dict[str, Any]:
    """A key for programs."""
    return {
        "id": key.id,
        "name": key.name,
        "role": str(key.role),
        "scope": ALL if key.scope == (ALL,) else list(key.scope),
        "created": _instant(key.created),
        "created_by": key.created_by,
        "expires": _instant(key.expires),
        "last_used": _instant(key.last_used),
    }


def _admins(request: web.Request) -> None:
    """Refuse whoever is nowhere an admin, before anything else is looked at."""
    tenants = role_in(caller(request), Role.ADMIN, "keys")
    if isinstance(tenants, Refusal):
        raise Problem.of(tenants)


async def _theirs(request: web.Request) -> list[Key]:
    _admins(request)
    keys = await asyncio.to_thread(request.app[API].keys.all)
    return [key for key in keys if theirs(caller(request), Role.ADMIN, key.scope)]


async def _one(request: web.Request) -> Key:
    for key in await _theirs(request):
        if key.id == request.match_info["id"]:
            return key
    raise Problem(404, "there is no such key", reason=Reason.NOT_THEIRS)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise Problem(
            400, f"role {text!r} is none of {', '.join(Role)}", parameter="role"
        ) from None


def _scope(given: str | list[str]) -> tuple[str, ...]:
    scope = named(given) if isinstance(given, str) else tuple(sorted(set(given)))
    if not scope or len(scope) > MOST_TENANTS or (ALL in scope and scope != (ALL,)):
        raise Problem(
            400, f"scope is not 1 to {MOST_TENANTS} organizations, nor {ALL!r}", parameter="scope"
        )
    if not all(one.isprintable() and 0 < len(one) <= LONGEST for one in scope):
        raise Problem(400, "scope has what is no organization's id", parameter="scope")
    return scope


def _expires(wanted: Wanted, now: datetime) -> datetime | None:
    text = wanted.expires
    if len(wanted.name) > LONGEST_NAME or not wanted.name.isprintable():
        raise Problem(400, f"name is not up to {LONGEST_NAME} letters", parameter="name")
    if text is None:
        return None
    try:
        return expiry(text, now)
    except UsageError as error:
        raise Problem(400, error.message, parameter="expires") from None


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at is not None else None
