"""The doors that need no library: API keys, and the header of a proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pipeline.access import keys
from pipeline.access.decision import Reason, Refusal
from pipeline.access.grants import OF_KEYS, check_user
from pipeline.access.identity import Presented
from pipeline.access.known import Known
from pipeline.access.roles import Caller, grants
from pipeline.errors import UsageError

_SCHEME = "bearer"


def bearer(presented: Presented) -> str | Refusal | None:
    """What stands in ``Authorization: Bearer``; None where there is none."""
    values = presented.all("authorization")
    if not values:
        return None
    if len(values) > 1:
        return refused("the header Authorization was sent twice")
    scheme, _, text = values[0].partition(" ")
    return text.strip() if scheme.lower() == _SCHEME else None


def refused(sentence: str) -> Refusal:
    """What was presented is not valid."""
    return Refusal(401, Reason.IDENTITY, sentence)


def _now() -> datetime:
    return datetime.now(UTC)


class KeyDoor:
    """API keys, in ``Authorization: Bearer usage_…`` and nowhere else."""

    def __init__(self, known: Known, clock: Callable[[], datetime] = _now) -> None:
        self._known = known
        self._clock = clock

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """Who holds the key; whoever does not have its secret is not told whether it exists."""
        text = bearer(presented)
        if not isinstance(text, str) or not text.startswith(keys.PREFIX):
            return text if isinstance(text, Refusal) else None
        parts = keys.parse(text)
        found = self._known.key(parts[0] if parts else "")
        if isinstance(found, Refusal):
            return found
        if not keys.matches(parts[1] if parts else "", found) or found is None:
            return refused("there is no such API key; `usage key create` makes one")
        key = found.key
        if key.revoked is not None:
            return refused(f"the API key {key.id} was revoked")
        if key.expires is not None and key.expires <= self._clock():
            return refused(f"the API key {key.id} has expired; make a new one")
        self._known.used(key.id)
        return Caller(f"{OF_KEYS}{key.id}", grants(key.role, key.scope), key.id, key.name)


class ProxyDoor:
    """The name in a header that a proxy sets, which is believed of listed addresses alone."""

    def __init__(self, known: Known, header: str, addresses: Sequence[str]) -> None:
        self._known = known
        self._header = header.lower()
        self._networks = [ipaddress.ip_network(one) for one in addresses]

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """Who the proxy says it is; a refusal where somebody else says it."""
        users = presented.all(self._header)
        if not users:
            return None
        if not self._listed(presented.peer):
            return refused("your address is not one of USAGE_PROXY_ADDRESSES: send no user's name")
        if len(users) > 1:
            return refused("the proxy's header with the user's name was sent twice")
        return person(self._known, users[0])

    def _listed(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def person(known: Known, user: str) -> Caller | Refusal:
    """The person of a name that somebody vouches for."""
    try:
        check_user(user)
    except UsageError:
        return refused("the user's name cannot be one")
    return known.person(user)
