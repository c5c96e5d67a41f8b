"""A seeded world in a store of its own database, served by an API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pipeline.clickhouse.schema.migrate import migrate
from tests.support.harness.api import Served, served
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory

MANY = "1000000"


@contextmanager
def api_over_a_world(port: int, events: int = 2_000, **settings: str) -> Iterator[Served]:
    """Fill a new database of the store at a port, and serve it."""
    store = new_database(port)
    own = {
        "USAGE_KEEP_MINUTE_ROWS": "0",
        "USAGE_API_PORT": "0",
        "USAGE_API_REQUESTS_PER_MINUTE": MANY,
        **settings,
    }
    configured = settings_for(port, store.database, **own)
    migrate(store, configured)
    fill(store, rows_in_memory(ViewWorld(1, 2).messages(events)))
    try:
        with served(configured, store) as api:
            yield api
    finally:
        store.command(f"DROP DATABASE {store.database}")
        store.close()


def typed(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as a person types them."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
    }
