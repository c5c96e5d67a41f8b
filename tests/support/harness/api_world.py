"""A seeded world in a store of its own database, served by an API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pipeline.api.application import Route
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import Settings
from tests.support.harness.api import Served, served
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory

MANY = "1000000"
NOBODYS = "127.0.0.1:1"
"""A Kafka that is not there: no test's change may reach a stranger's."""


@contextmanager
def filled(port: int, events: int = 2_000, **settings: str) -> Iterator[Settings]:
    """Fill a new database of the store at a port; gives settings that lead there."""
    store = new_database(port)
    configured = settings_for(port, store.database, USAGE_KEEP_MINUTE_ROWS="0", **settings)
    try:
        migrate(store, configured)
        fill(store, rows_in_memory(ViewWorld(1, 2).messages(events)))
        yield configured
    finally:
        store.command(f"DROP DATABASE {store.database}")
        store.close()


@contextmanager
def api_over_a_world(
    port: int, events: int = 2_000, more: Sequence[Route] = (), **settings: str
) -> Iterator[Served]:
    """Fill a new database of the store at a port, and serve it."""
    own = {
        "USAGE_API_PORT": "0",
        "USAGE_API_REQUESTS_PER_MINUTE": MANY,
        "USAGE_API_QUERIES_AT_ONCE": "1000",
        "USAGE_KAFKA": NOBODYS,
        **settings,
    }
    with filled(port, events, **own) as configured:
        store = Store.connect(configured)
        try:
            with served(configured, store, more) as api:
                yield api
        finally:
            store.close()


def address(settings: Settings) -> str:
    """The value of ``USAGE_CLICKHOUSE`` that leads there, for another process."""
    url = settings.clickhouse
    return f"{url.scheme}://{url.user}:@{url.host}:{url.port}/{url.database}"


def typed(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as a person types them."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
    }
