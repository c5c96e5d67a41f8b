"""The ClickHouse that is needed: the oldest version that counts exactly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.errors import MigrationError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

OLDEST_SERVER = (26, 2)
"""The first with `deduplicate_insert`, which decides whether a token in an insert is heeded."""


def check_server(store: Store) -> None:
    """Refuse a server that does not know the settings on which exactness rests."""
    numbers = re.findall(r"\d+", store.version)[:2]
    if tuple(int(number) for number in numbers) >= OLDEST_SERVER:
        return
    oldest = ".".join(str(number) for number in OLDEST_SERVER)
    raise MigrationError(
        f"ClickHouse at {store.where} is version {store.version}; version {oldest} or newer is "
        "needed, for the insert setting deduplicate_insert"
    )
