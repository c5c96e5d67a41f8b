"""The pipeline's own tables in the shared store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.clickhouse.client import Store
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.store import EmbeddedStore


@pytest.fixture(scope="module")
def tables(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views, whose rows are all kept for good."""
    kept = {"USAGE_KEEP_MINUTE_ROWS": "0", "USAGE_KEEP_PRODUCT_EVENTS_DAYS": "0"}
    with migrated_database(store.port, **kept) as connected:
        yield connected
