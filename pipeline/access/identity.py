"""How a caller is known: what a request presents, and the protocols of those who know it.

`Door` is implemented by keys, by tokens of an issuer, by a proxy's header and by the cookie of a
one-time link; `Keys` by the store of keys. The API asks the doors in turn: the first that
recognizes something of its kind answers, also where the answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipeline.access.decision import Refusal
from pipeline.access.roles import Caller, Role


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings with it that may tell who asks."""

    headers: tuple[tuple[str, str], ...]
    """Names in small letters; in order, repeated ones as often as they came."""
    peer: str
    """The address at the connection's other end, ``127.0.0.1``; empty where there is none."""

    def all(self, header: str) -> tuple[str, ...]:
        """Every value of a header; a door refuses its own where there are two."""
        return tuple(value for name, value in self.headers if name == header)


class Door(Protocol):
    """One way of being known."""

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """Who it is; a refusal (401) where it is not valid; None where nothing is of this kind.

        Called for each request: answers from memory, and does not wait for a store.
        """
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is listed: everything but its secret."""

    id: str
    name: str
    role: Role
    scope: tuple[str, ...]
    created: datetime
    created_by: str
    """`Caller.user` of whoever made it; ``command line`` where that did."""
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked: datetime | None = None


class Keys(Protocol):
    """The store of API keys. Its methods wait for the store: call them in a thread."""

    def create(
        self,
        role: Role,
        scope: Sequence[str],
        *,
        name: str = "",
        expires: datetime | None = None,
        by: str,
    ) -> tuple[Key, str]:
        """Make a key; returns it and the text to present, ``usage_<id>_<secret>``, told once."""
        ...

    def all(self) -> list[Key]:
        """Every key that was not revoked, the newest first."""
        ...

    def revoke(self, key: str) -> bool:
        """End a key by its id; whether there was one."""
        ...
