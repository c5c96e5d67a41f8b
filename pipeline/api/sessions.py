"""The link that works once, and the cookie that it sets: how one person on this machine is known.

For `usage run`: whoever reads its terminal has everything on this machine anyway. The link and the
cookie are 256 random bits each, and live in this process only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from pipeline.access.decision import Reason, Refusal
from pipeline.access.doors import bearer
from pipeline.access.identity import Presented
from pipeline.access.roles import Caller

COOKIE = "usage_session"
_MOST = 64
"""Sessions; the oldest goes."""


class Sessions:
    """One-time links, and the sessions that they began; a `Door`."""

    def __init__(self) -> None:
        self._links: dict[bytes, Caller] = {}
        self._sessions: dict[bytes, Caller] = {}

    def link(self, caller: Caller) -> str:
        """The secret of a link with which somebody becomes this caller, once."""
        secret = secrets.token_urlsafe(32)
        self._links[_digest(secret)] = caller
        return secret

    def enter(self, secret: str) -> str | None:
        """Use a link up; returns what the cookie holds. None: there is no such link any more."""
        caller = self._links.pop(_digest(secret), None)
        if caller is None:
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = caller
        while len(self._sessions) > _MOST:
            del self._sessions[next(iter(self._sessions))]
        return session

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """Who holds the cookie; nothing to say where there is none.

        A page of another origin cannot bring it (SameSite=Strict); where a browser names the
        origin, it must be ours all the same.
        """
        held = _cookie(presented)
        if held is None:
            return None
        if bearer(presented) is not None:
            # Whoever presents a key wants to be who it says, not whoever else they are.
            return Refusal(
                401, Reason.IDENTITY, "what stands in Authorization is no key or token known here"
            )
        if not _same_origin(presented):
            return Refusal(401, Reason.IDENTITY, "the session is not for pages of other origins")
        caller = self._sessions.get(_digest(held))
        if caller is None:
            return Refusal(
                401, Reason.IDENTITY, "the session has ended; open the link that was printed last"
            )
        return caller


def _digest(secret: str) -> bytes:
    # Looked up by digest, so that the time it takes says nothing of the secret.
    return hashlib.sha256(secret.encode()).digest()


def _cookie(presented: Presented) -> str | None:
    try:
        found = [SimpleCookie(value).get(COOKIE) for value in presented.all("cookie")]
    except CookieError:
        return None
    return next((one.value for one in found if one is not None), None)


def _same_origin(presented: Presented) -> bool:
    site = presented.all("sec-fetch-site")
    if any(value not in ("same-origin", "none") for value in site):
        return False
    hosts = presented.all("host")
    origins = [origin.partition("://")[2] for origin in presented.all("origin")]
    return all(len(hosts) == 1 and hmac.compare_digest(one, hosts[0]) for one in origins)
