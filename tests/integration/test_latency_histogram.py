"""Quantiles from the stored histogram are within 5 % of the true ones, and zero is exact."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts.heads import REQUESTS
from tests.support.harness.clickhouse_parts import MONTHS, new_database, settings_for
from tests.support.harness.store import EmbeddedStore

LEVELS = (0.0, 0.5, 0.95, 0.99, 1.0)
LONGEST_US = 10**12  # 10^9 ms

QUANTILES = """
SELECT quantilesExactWeighted(0.0, 0.5, 0.95, 0.99, 1.0)(
    if(bucket = 0, 0, pow(1.04, bucket - 0.5)), requests)
FROM {table} WHERE tenant = {{tenant:String}} AND kind = {{kind:String}}
"""

DURATIONS = st.one_of(
    st.just(0),
    st.integers(1, LONGEST_US),
    st.floats(0, math.log(LONGEST_US)).map(lambda x: min(LONGEST_US, round(math.exp(x)))),
    st.integers(0, 705).flatmap(  # on and beside the buckets' bounds
        lambda b: st.integers(-1, 1).map(lambda d: min(LONGEST_US, max(0, round(1.04**b) + d)))
    ),
)


@pytest.fixture(scope="module")
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables."""
    connected = new_database(store.port)
    migrate(connected, settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0"))
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


def insert(store: Store, tenant: str, operation: str, durations: list[int]) -> None:
    """Insert one request for each duration, spread over two quarter hours."""
    values: dict[str, list[object]] = {
        name: [0 if "Int" in kind else ""] * len(durations) for name, kind in REQUESTS.columns
    }
    values["minute"] = [MONTHS[0] + 60 * (i % 30) for i in range(len(durations))]
    values |= {
        "tenant": [tenant] * len(durations),
        "operation": [operation] * len(durations),
        "duration_us": list(durations),
    }
    store.insert("requests_in", REQUESTS.columns, list(values.values()), token=tenant + operation)


def exact(durations: list[int], level: float) -> int:
    """Return the smallest value that at least this share of all does not exceed."""
    return sorted(durations)[max(0, math.ceil(level * len(durations)) - 1)]


_tenants = itertools.count(1)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(DURATIONS, min_size=1, max_size=300))
def test_quantiles_are_within_five_percent(migrated: Store, durations: list[int]) -> None:
    tenant = f"tenant-{next(_tenants)}"
    insert(migrated, tenant, "chat", durations)
    for table in ("latency_1m", "latency_15m"):
        sql = QUANTILES.format(table=table)
        found = migrated.query(sql, {"tenant": tenant, "kind": "completion"})[0][0]
        for level, value in zip(LEVELS, found, strict=True):
            true = exact(durations, level)
            assert abs(value - true) <= 0.05 * true, (table, level, true)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat", "completion"),
        ("text_completion", "completion"),
        ("generate_content", "completion"),
        ("embeddings", "embedding"),
        ("rerank", "other"),
    ],
)
def test_operations_are_of_a_kind(migrated: Store, operation: str, kind: str) -> None:
    insert(migrated, f"of-{operation}", operation, [0, 1, LONGEST_US])
    found = migrated.query(
        "SELECT kind, bucket, sum(requests) FROM latency_15m WHERE tenant = {t:String} "
        "GROUP BY kind, bucket ORDER BY bucket",
        {"t": f"of-{operation}"},
    )
    assert found == [(kind, 0, 1), (kind, 1, 1), (kind, 705, 1)]
