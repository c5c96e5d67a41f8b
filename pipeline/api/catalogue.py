"""The catalogue as the API holds it: read once, and again when the views are other ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.errors import StoreError, StoreUnavailable
from pipeline.views import catalogue
from pipeline.views.catalogue import View

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
FIRST_SECONDS = 1.0
"""As long as they could not be read yet."""


class Views:
    """The views by name, in the order of the list of numbers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state: tuple[int, int] | None = None
        self._seen: dict[str, View] = {}
        self._described: dict[str, View] = {}
        self.generation = 0
        """Another one whenever the views changed."""

    def by_name(self) -> Mapping[str, View]:
        """All of them, with their columns.

        Raises:
            StoreUnavailable: they could not be read yet.
        """
        if not self._described:
            raise StoreUnavailable("the catalogue of views could not be read yet")
        return self._described

    def read(self) -> None:
        """Read them if they are other than they were. Waits for the store: call it in a thread."""
        state = catalogue.state(self._store)  # before them: what changes meanwhile is read again
        if state is not None and state == self._state:
            return
        seen = catalogue.names(self._store)
        if seen != self._seen:
            described = {view.name: view for view in catalogue.read(self._store)}
            self._seen, self._described = seen, described
            self.generation += 1
        self._state = state

    async def refresh(self) -> None:
        """Go on reading them until cancelled; what cannot be read now stays as it was."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS if self._described else FIRST_SECONDS)
            try:
                await asyncio.to_thread(self.read)
            except StoreError as error:
                log.warning("the catalogue could not be read again: %s", error.message)
            except Exception:
                log.exception("the catalogue could not be read again")
