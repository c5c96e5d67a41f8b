"""The store, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


@contextmanager
def opened_store(settings: Settings, *, is_checked: bool = True) -> Iterator[Store]:
    """The store of these settings, for the block.

    Args:
        settings: where it is.
        is_checked: whether its tables must be those of this release, which only what makes them
            does not ask for.

    Raises:
        StoreError: it cannot be reached, or refuses us.
        MigrationError: its tables are another release's.
    """
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.schema.migrate import check

    store = Store.connect(settings)
    try:
        if is_checked:
            check(store)
        yield store
    finally:
        store.close()
