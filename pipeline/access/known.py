"""What every request is judged by, kept in memory: grants and keys as they were a moment ago.

Each process reads them again every second where they changed, so that a grant, a key and their end
are in force within two seconds in all of them, and no request waits for the store.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.access import keys
from pipeline.access.decision import Reason, Refusal
from pipeline.access.grants import Grants
from pipeline.access.roles import Caller, Grant
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

log = logging.getLogger(__name__)

READ_SECONDS = 1.0
STALE_SECONDS = 15.0
"""Known for longer than this, nothing is known: a revocation in between would not be."""
USES_SECONDS = 60.0
"""How often it is written down which keys were used."""

_DIGEST = """
SELECT count(), groupBitXor(cityHash64(user, tenant, role, changed_at, revoked)) FROM _access
UNION ALL
SELECT count(), groupBitXor(cityHash64(id, secret_sha256, revoked)) FROM _keys
"""


class Known:
    """Grants and keys of a store, no older than they may be."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._grants = Grants(store)
        self._keys = keys.StoredKeys(store)
        self._clock = clock
        self._read_at = -math.inf
        self._digest: object = None
        self._of_user: Mapping[str, tuple[Grant, ...]] = {}
        self._by_id: Mapping[str, keys.Stored] = {}
        self._uses: dict[str, datetime] = {}
        self._uses_at = clock()

    def read(self) -> None:
        """Read them, if anything has changed. Waits for the store.

        Raises:
            StoreError: its own reasons.
        """
        began = self._clock()
        digest = sorted(self._store.query(_DIGEST, consistent=True))
        if digest != self._digest:
            of_user: dict[str, tuple[Grant, ...]] = {}
            for held in self._grants.all():
                of_user[held.user] = (*of_user.get(held.user, ()), held.grant)
            by_id = {one.key.id: one for one in keys.read(self._store)}
            self._of_user, self._by_id, self._digest = of_user, by_id, digest
        self._read_at = began

    async def keep(self) -> None:
        """Read them again and again, and write down which keys were used; until cancelled."""
        failing = False
        while True:
            try:
                await asyncio.to_thread(self._once)
                failing = False
            except StoreError as error:
                if not failing:
                    log.warning("who may see what cannot be read: %s", error.message)
                failing = True
            except Exception:
                # Whatever it is: without this loop everybody would be refused, for good.
                if not failing:
                    log.exception("who may see what cannot be read")
                failing = True
            await asyncio.sleep(READ_SECONDS)

    def person(self, user: str) -> Caller | Refusal:
        """A person by their name, with what is granted to them, if anything is."""
        return self._stale() or Caller(user, self._of_user.get(user, ()))

    def key(self, id_: str) -> keys.Stored | Refusal | None:
        """A key by its id."""
        return self._stale() or self._by_id.get(id_)

    def used(self, id_: str) -> None:
        """Remember that a key was used."""
        self._uses[id_] = datetime.now(UTC)

    def write_uses(self) -> None:
        """Write down which keys were used since. Waits for the store.

        Raises:
            StoreError: its own reasons; they are written the next time.
        """
        self._uses_at = self._clock()
        uses, self._uses = self._uses, {}
        try:
            if uses:
                self._keys.used(uses)
        except Exception:
            self._uses = uses | self._uses
            raise

    def _once(self) -> None:
        self.read()
        if self._clock() - self._uses_at >= USES_SECONDS:
            self.write_uses()

    def _stale(self) -> Refusal | None:
        if self._clock() - self._read_at < STALE_SECONDS:
            return None
        sentence = "the store does not say who may see what at the moment; try again"
        return Refusal(503, Reason.STALE, sentence)
