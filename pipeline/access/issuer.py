"""The public keys of an OpenID Connect issuer, fetched where it says that they are, and kept fresh.

What a token says has no part in where they are fetched from: the issuer's address is a setting, and
its own document names the rest (OpenID Connect Discovery 1.0, section 4). No redirect is followed,
no answer is read beyond `LONGEST_BYTES`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from pipeline.settings.kinds import is_safe_url

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""Keys are fetched again when one is needed and they are older: a removed key ends with that."""
KEPT_SECONDS = 600.0
"""How long keys hold while the issuer does not answer."""
FETCH_SECONDS = 3.0
LONGEST_BYTES = 1 << 20
MOST_KEYS = 100
_TYPES = frozenset({"RSA", "EC", "OKP"})
"""Never `oct`: whoever reads a shared secret here could sign with it."""


class Unavailable(Exception):
    """The issuer's keys are not known; the message says why."""


class Issuer:
    """The keys of one issuer. For one event loop."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = -math.inf
        self._fetching = asyncio.Lock()

    async def keys(self) -> KeySet:
        """The keys as they were at most some seconds ago, or while the issuer was last seen.

        Raises:
            Unavailable: it was not seen for long, or never.
        """
        if self._clock() - self._tried_at >= FRESH_SECONDS:
            async with self._fetching:
                if self._clock() - self._tried_at >= FRESH_SECONDS:
                    await self._fetch()
        if self._keys is None or self._clock() - self._fetched_at > KEPT_SECONDS:
            raise Unavailable(f"the issuer {self.url} does not tell its keys")
        return self._keys

    async def _fetch(self) -> None:
        began = self._clock()
        try:
            self._keys = await _fetch(self.url)
            self._fetched_at = began
        except (TimeoutError, aiohttp.ClientError, OSError, Unavailable) as error:
            why = str(error) or type(error).__name__
            log.warning("the keys of %s were not fetched: %s", self.url, why)
        finally:
            self._tried_at = self._clock()


async def _fetch(issuer: str) -> KeySet:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        document = await _json(
            session, f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        )
        if document.get("issuer") != issuer:
            raise Unavailable(f"its document names another issuer, {document.get('issuer')!r}")
        where = document.get("jwks_uri")
        if not isinstance(where, str) or not is_safe_url(where):
            raise Unavailable(f"its jwks_uri is {where!r}, not an https:// address")
        found = await _json(session, where)
    listed = found.get("keys")
    keys = [
        key
        for one in (listed if isinstance(listed, list) else [])[:MOST_KEYS]
        if (key := _key(one)) is not None
    ]
    if not keys:
        raise Unavailable(f"{where} has no key that can be used")
    return KeySet(keys)


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url, allow_redirects=False) as answer:
        body = await answer.content.read(LONGEST_BYTES)
        while len(body) < LONGEST_BYTES and (more := await answer.content.read(LONGEST_BYTES)):
            body += more
        if answer.status != 200 or len(body) >= LONGEST_BYTES:
            raise Unavailable(f"{url} answered {answer.status}, {len(body)} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unavailable(f"{url} answered no JSON object: {error}") from error


def _key(one: Any) -> Key | None:
    """A key that may sign; those of a kind not known here are left out (RFC 7517, section 5)."""
    if not isinstance(one, dict) or one.get("kty") not in _TYPES or one.get("use") == "enc":
        return None
    try:
        return JWKRegistry.import_key(one)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
