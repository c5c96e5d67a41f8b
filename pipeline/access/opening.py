"""Everything by which callers are known, opened for one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.access.identity import Door, Key, Keys
from pipeline.access.roles import Role
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


@dataclass(frozen=True)
class Access:
    """The doors in the order in which they are asked, and the store of keys."""

    doors: tuple[Door, ...]
    keys: Keys


@asynccontextmanager
async def opened(settings: Settings, store: Store) -> AsyncIterator[Access]:  # noqa: ARG001
    """Open all doors that the settings name, for the block; what they know is kept fresh in it."""
    yield Access((), _NoKeys())


class _NoKeys:
    def create(
        self,
        role: Role,
        scope: Sequence[str],
        *,
        name: str = "",
        expires: datetime | None = None,
        by: str,
    ) -> tuple[Key, str]:
        raise UsageError(f"no key can be made yet: {role} {scope} {name} {expires} {by}")

    def all(self) -> list[Key]:
        return []

    def revoke(self, key: str) -> bool:  # noqa: ARG002
        return False
