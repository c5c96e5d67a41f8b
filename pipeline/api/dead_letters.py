"""``/v1/dead-letters``: what was rejected, and the text of one, for operators.

They are in Kafka alone, whose topic is read for each question: for a list from not too far back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pipeline.access.decision import Reason, Refusal, role_in
from pipeline.access.roles import ALL, Role
from pipeline.api import options
from pipeline.api.context import API, ASKING, caller
from pipeline.api.problems import Problem
from pipeline.api.view_routes import json_response, wrong
from pipeline.errors import UsageError
from pipeline.facts.exact.reasons import REASONS
from pipeline.kafka.dead_letters import exchange, reading
from pipeline.kafka.dead_letters.letter import DeadLetter
from pipeline.kafka.dead_letters.selection import LetterSelection
from pipeline.process import times

if TYPE_CHECKING:
    from pipeline.settings import Settings

PATH = "/v1/dead-letters"
MOST = 1_000
DEFAULT = 100
NEWEST = 20_000
"""Records of each partition of the topic that a list is made from."""

PARAMETERS = ("reason", "tenant", "type", "topic", "since", "until", "limit")
_NAMED = ("tenant", "type", "topic")


async def listed(request: web.Request) -> web.Response:
    """The newest that were rejected, without their texts."""
    theirs = _theirs(request)
    given = options.once(request.query.items())
    options.only(given, PARAMETERS, PATH)
    limit = _limit(given)
    found = await _read(request, _selection(request, given, theirs), newest=NEWEST)
    shown = list(reversed(reading.newest(found.letters, limit)))
    return json_response(
        {
            "dead_letters": [exchange.summary(letter) for letter in shown],
            "more": len(found.letters) > limit or not found.whole,
        }
    )


async def one(request: web.Request) -> web.Response:
    """All that is kept of one: why it was rejected, its headers, its text."""
    theirs = _theirs(request)
    options.only(dict(request.query), (), "a dead letter")
    origin = request.match_info["origin"]
    selection = LetterSelection(origins=(origin,), tenants=() if theirs == (ALL,) else theirs)
    found = (await _read(request, selection)).letters
    if not found:
        raise Problem(404, "there is no such dead letter (any more), or it is not yours to see")
    return json_response(_whole(found[0]))


def _whole(letter: DeadLetter) -> dict[str, Any]:
    return {**exchange.document(letter), "cut": letter.is_cut}


def _theirs(request: web.Request) -> tuple[str, ...]:
    request[ASKING].view = "dead_letters"
    tenants = role_in(caller(request), Role.OPERATOR, "dead letters")
    if isinstance(tenants, Refusal):
        raise Problem.of(tenants)
    return tenants


def _selection(
    request: web.Request, given: dict[str, str], theirs: Sequence[str]
) -> LetterSelection:
    reason = given.get("reason")
    if reason is not None and reason not in REASONS:
        allowed = ", ".join(REASONS)
        raise Problem(400, f"reason {reason!r} is none; allowed: {allowed}", parameter="reason")
    named: dict[str, Sequence[str]] = {
        f"{name}s": (given[name],) for name in _NAMED if name in given
    }
    if theirs != (ALL,):
        wanted = given.get("tenant")
        named["tenants"] = [one for one in theirs if wanted in (None, one)]
        if not named["tenants"]:
            sentence = "that organization is not one of yours"
            raise Problem(403, sentence, reason=Reason.ORGANIZATION, parameter="tenant")
    settings = request.app[API].log.settings
    if "topic" in given:
        named["topics"] = (settings.topic(settings.topic_name(given["topic"])),)
    return LetterSelection(
        reasons=() if reason is None else (reason,),
        since=_instant(request, given, "since"),
        until=_instant(request, given, "until"),
        **named,
    )


def _instant(request: web.Request, given: dict[str, str], name: str) -> int | None:
    if name not in given:
        return None
    now = request.app[API].clock()
    try:
        return times.milliseconds(times.instant(given[name], name=f"--{name}", now=now))
    except UsageError as error:
        raise wrong(error) from None


def _limit(given: dict[str, str]) -> int:
    text = given.get("limit", str(DEFAULT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST:
        raise Problem(
            400, f"limit {text!r} is no whole number from 1 to {MOST:,}", parameter="limit"
        )
    return int(text)


async def _read(request: web.Request, selection: LetterSelection, newest: int = 0) -> reading.Found:
    """Read the topic; of a list without the values, from not too far back.

    Raises:
        Problem: 503, Kafka does not answer; 429, the caller asks for too much at once.
    """
    api = request.app[API]

    def question(settings: Settings) -> reading.Found:
        return reading.read(settings, selection, values=not newest, newest=newest)

    async with api.limits.query(caller(request).user):
        return await api.log.ask(question)
