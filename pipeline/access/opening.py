"""Everything by which callers are known, opened for one process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.access.doors import KeyDoor, ProxyDoor
from pipeline.access.identity import Door, Keys
from pipeline.access.keys import StoredKeys
from pipeline.access.known import Known
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


@dataclass(frozen=True)
class Access:
    """The doors in the order in which they are asked, and the store of keys."""

    doors: tuple[Door, ...]
    keys: Keys


@asynccontextmanager
async def opened(settings: Settings, store: Store) -> AsyncIterator[Access]:
    """Open all doors that the settings name, for the block; what they know is kept fresh in it.

    Raises:
        StoreError: the store does not say who may see what.
    """
    known = Known(store)
    await asyncio.to_thread(known.read)
    keeping = asyncio.get_running_loop().create_task(known.keep())
    try:
        yield Access(tuple(_doors(settings, known)), StoredKeys(store))
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(known.write_uses)


def _doors(settings: Settings, known: Known) -> list[Door]:
    doors: list[Door] = [KeyDoor(known)]
    if settings.oidc_issuer:
        from pipeline.access.issuer import Issuer
        from pipeline.access.tokens import TokenDoor

        issuer = Issuer(settings.oidc_issuer)
        audience, claim = settings.oidc_audience, settings.oidc_user_claim
        doors.append(TokenDoor(known, issuer, audience, claim))
    if settings.proxy_addresses:
        doors.append(ProxyDoor(known, settings.proxy_user_header, settings.proxy_addresses))
    return doors
