"""The pipeline's own tables in the shared store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.store import EmbeddedStore


@pytest.fixture(scope="module")
def tables(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views, whose minutes are kept for good."""
    connected = new_database(store.port)
    migrate(connected, settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0"))
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()
