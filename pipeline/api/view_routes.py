"""``/v1/views``: what there is to ask, and every view's rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from pipeline.access.decision import TENANT, Reason, Refusal, decide, may_see
from pipeline.access.roles import Caller
from pipeline.api import options
from pipeline.api.answering import FORMATS, answer
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.problems import Problem
from pipeline.errors import UsageError
from pipeline.views import parameters, projection
from pipeline.views.call import Value
from pipeline.views.catalogue import View, find

_OPTION = re.compile(r"--([A-Za-z_]\w*(?:-\w+)*)")
_FROM_CURSOR = frozenset({"since", "until", "as_of", "months", "periods", "grain"})
"""Given beside a cursor, these may differ from what it holds: it holds them resolved."""


def json_response(document: Any, status: int = 200) -> web.Response:
    """A document of ours that nobody but the caller may keep."""
    return web.Response(
        body=msgspec.json.encode(document) + b"\n",
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "private, no-cache", "Vary": "Authorization"},
    )


async def views(request: web.Request) -> web.Response:
    """What this caller may ask."""
    options.only(dict(request.query), (), "views")
    who = caller(request)
    return json_response(
        {
            "views": [
                described(view)
                for view in request.app[API].views.by_name().values()
                if may_see(who, view)
            ]
        }
    )


def described(view: View) -> dict[str, Any]:
    """A view as programs read it, its parameters with their defaults."""
    document = view.as_json()
    for parameter in document["parameters"]:
        parameter["default"] = default(view, parameter["name"])
    return document


def default(view: View, parameter: str) -> str:
    """What holds for a parameter that is not given."""
    if parameter == "since" and any(column.name == "month" for column in view.columns):
        return "the first day of the month eleven months before until's"
    if parameter == "grain":
        return "by the range: minute up to 3 hours, hour up to 3 days, else day"
    return parameters.DEFAULTS.get(parameter, "")


async def view(request: web.Request) -> web.StreamResponse:
    """The rows of one view."""
    api, who = request.app[API], caller(request)
    given = options.once(request.query.items())
    found = _find(api, request.match_info["view"])
    request[ASKING].view = found.name
    wanted, rest = options.read(given, request.headers.getall("Accept", ()), FORMATS)
    if not wanted.cursor:
        values = _values(api, who, found, rest)
        return await answer(request, projection.of_view(found, values), wanted)
    cursor = api.signer.read(wanted.cursor, found.name, who.user)
    held = cursor.values()
    decided = _decided(who, found, _texts(held))
    if decided.get(TENANT) != held.get(TENANT):  # what is theirs changed since
        raise Problem(
            403, "cursor is of more than is yours", reason=Reason.CURSOR, parameter="cursor"
        )
    _same(held, _values(api, who, found, {**_texts(held), **rest}))
    wanted = options.continued(wanted, cursor.columns)
    return await answer(request, projection.of_view(found, held), wanted, cursor.offset)


def _find(api: Api, name: str) -> View:
    known = api.views.by_name()
    try:
        return find(known, name)
    except UsageError as error:
        raise Problem(404, error.message.replace("`usage views`", "/v1/views")) from None


def _values(api: Api, who: Caller, view: View, given: Mapping[str, str]) -> dict[str, Value]:
    """The values with which a view is asked for a caller; access is decided first."""
    return values(view, _decided(who, view, given), api)


def _decided(who: Caller, view: View, given: Mapping[str, str]) -> dict[str, str]:
    decided = decide(who, view, given)
    if isinstance(decided, Refusal):
        raise Problem.of(decided)
    return decided


def values(
    view: View, given: Mapping[str, str], api: Api, called: Mapping[str, str] | None = None
) -> dict[str, Value]:
    """The values of what was typed.

    ``called``: by the view's parameters, what an endpoint calls them that has other names.

    Raises:
        Problem: 400, a parameter is unknown or wrong.
    """
    known = [parameter.name for parameter in view.parameters]
    options.only(given, (*known, *options.OF_ANSWER), view.name)
    try:
        return parameters.values(view, given, api.clock())
    except UsageError as error:
        raise wrong(error, called) from None


def wrong(error: UsageError, called: Mapping[str, str] | None = None) -> Problem:
    """The command line's sentence about a parameter, in which options are parameters."""

    def parameter(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return (called or {}).get(name, name)

    sentence = _OPTION.sub(parameter, error.message)
    named = _OPTION.search(error.message)
    return Problem(400, sentence, parameter=parameter(named) if named else "")


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if isinstance(value, (str, int))}


def _same(held: Mapping[str, Value], asked: Mapping[str, Value]) -> None:
    """Refuse a cursor beside parameters that ask something else."""
    for name, value in asked.items():
        if name not in _FROM_CURSOR and held.get(name) != value:
            raise Problem(
                400, f"cursor was given with another {name}; leave {name} out", parameter=name
            )
