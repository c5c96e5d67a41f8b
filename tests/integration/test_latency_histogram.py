"""Quantiles from the stored histogram are within 5 % of the true ones, and zero is exact."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import engine_zones, files, old_latency, resources, views
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts.added_up import added_up
from pipeline.facts.columns import column
from pipeline.facts.heads import REQUESTS
from pipeline.operate.audit import sums
from tests.support.harness.clickhouse_parts import (
    MONTHS,
    migrated_database,
    new_database,
    settings_for,
)
from tests.support.harness.store import EmbeddedStore

LEVELS = (0.0, 0.5, 0.95, 0.99, 1.0)
LONGEST_US = 10**12  # 10^9 ms

QUANTILES = """
SELECT quantilesExactWeighted(0.0, 0.5, 0.95, 0.99, 1.0)(
    1000 * _middle_ms(entry), _requests_of(entry))
FROM {table} ARRAY JOIN latency AS entry WHERE tenant = {{tenant:String}}
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
    values = as_columns(tenant, operation, durations)
    store.insert(
        "requests_in", REQUESTS.columns, values, token=f"{tenant} {operation} {len(durations)}"
    )


def as_columns(tenant: str, operation: str, durations: list[int]) -> list[list[Any]]:
    """Make the columns of these requests."""
    values: dict[str, list[Any]] = {
        name: [0 if "Int" in kind else ""] * len(durations) for name, kind in REQUESTS.columns
    }
    values["minute"] = [MONTHS[0] + 60 * (i % 30) for i in range(len(durations))]
    values |= {
        "tenant": [tenant] * len(durations),
        "operation": [operation] * len(durations),
        "duration_us": list(durations),
    }
    return list(values.values())


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
    for table in ("requests_1m", "requests_15m"):
        sql = views.written_out(QUANTILES.format(table=table))
        found = migrated.query(sql, {"tenant": tenant})[0][0]
        for level, value in zip(LEVELS, found, strict=True):
            true = exact(durations, level)
            assert abs(value - true) <= 0.05 * true, (table, level, true)


def summary(store: Store, tenant: str, token: str = "") -> tuple[object, ...]:
    """What the view says of all time: by kind, averages and quantiles in ms."""
    [answer] = store.query(
        "SELECT requests, completion_ms_avg, completion_ms_p50, completion_ms_p95, "
        "completion_ms_p99, embedding_ms_avg, embedding_ms_p50, embedding_ms_p95, embedding_ms_p99 "
        "FROM request_summary(since = '2025-12-31 00:07:00', until = '2027-01-01 00:08:00', "
        "tenant = {tenant:String}, token = {token:String})",
        {"tenant": tenant, "token": token},
    )
    return answer


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("chat", "completions"),
        ("text_completion", "completions"),
        ("generate_content", "completions"),
        ("embeddings", "embeddings"),
        ("rerank", "nothing"),
    ],
)
def test_operations_are_of_a_kind(migrated: Store, operation: str, told: str) -> None:
    tenant = f"of-{operation}"
    insert(migrated, tenant, operation, [0, 0, 1, LONGEST_US])
    _, average, *completion = summary(migrated, tenant)[:5]
    _, *embedding = summary(migrated, tenant)[5:]
    shown = {"completions": completion, "embeddings": embedding}
    for kind, quantiles in shown.items():
        if kind == told:
            assert quantiles[:1] == [0]
            assert quantiles[1:] == [pytest.approx(LONGEST_US / 1000, rel=0.02)] * 2
        else:
            assert quantiles == [None] * 3
    assert (average is None) == (told != "completions")
    rows = migrated.query(
        "SELECT arraySort(groupArrayArray(latency)) FROM requests_15m WHERE tenant = {t:String}",
        {"t": tenant},
    )
    assert rows == [([0, 0, 1, 705],)]


def test_an_element_stands_for_many_requests(migrated: Store) -> None:
    """As rows have it that a worker has added up: 64 requests of a bucket at most."""
    migrated.command(
        "INSERT INTO requests_in (minute, tenant, operation, token_id, requests, duration_us, "
        "latency) VALUES ('2026-01-01 00:00:00', 'added-up', 'chat', 't', 67, 0, "
        "[0 + 1024 * 31, 1 + 1024 * 28, 100 + 1024 * 4, 100])"
    )
    for token in ("", "t"):
        said = summary(migrated, "added-up", token)
        assert said[:5] == (67, 0, 0.001 * 1.04**0.5, *[pytest.approx(1.04**99.5 / 1000)] * 2)
    assert summary(migrated, "added-up", "another")[0] == 0


def test_rows_that_were_added_up_are_told_as_single_ones(migrated: Store) -> None:
    """By the worker's buckets, from whole numbers, and by the head's, from a logarithm."""
    bounds = {min(LONGEST_US, max(0, round(1.04**b) + by)) for b in range(706) for by in (-1, 0, 1)}
    rows = [*sorted(bounds), *[5, 77_000] * 300]
    insert(migrated, "single", "chat", rows)
    columns = [column(kind) for _, kind in REQUESTS.columns]
    for one, values in zip(columns, as_columns("summed", "chat", rows), strict=True):
        one.extend(values)
    named, made = added_up(REQUESTS, columns)
    assert len(made[0]) == 30 < len(rows)
    migrated.insert("requests_in", named, made, token="summed")
    for table in ("requests_1m", "requests_15m"):
        told = views.written_out(
            "SELECT _bucket_of(entry) AS bucket, sum(_requests_of(entry)), "
            f"sum(_timed(latency)) > 0 FROM {table} ARRAY JOIN latency AS entry "
            "WHERE tenant = {t:String} GROUP BY bucket ORDER BY bucket"
        )
        single, summed = (migrated.query(told, {"t": tenant}) for tenant in ("single", "summed"))
        assert single == summed
    for table in ("requests_1m", "requests_15m", "totals_15m", "users_1d", "users_1mo"):
        left_out = "tenant, latency" if table.startswith("requests") else "tenant"
        rows_of = (
            f"SELECT * EXCEPT ({left_out}) FROM {table} FINAL "
            "WHERE tenant = {t:String} ORDER BY ALL"
        )
        assert migrated.query(rows_of, {"t": "single"}) == migrated.query(rows_of, {"t": "summed"})


def test_a_store_of_before_answers_the_same(store: EmbeddedStore) -> None:
    """What was counted before rows had latencies stays counted, once, beside what comes after."""
    known = files.read(resources.migrations())
    before = next(n for n, one in enumerate(known) if one.name == "thin")
    durations = [17 * n * n for n in range(500)]
    settings = {"USAGE_KEEP_MINUTE_ROWS": "0"}
    with migrated_database(store.port, **settings) as fresh:
        old = new_database(store.port)
        own = settings_for(store.port, old.database, **settings)
        migrate(old, own, migrations=known[:before], views=())
        for place in (fresh, old):
            insert(place, "acme", "chat", durations)
            insert(place, "acme", "embeddings", durations[::2])
        migrate(old, own)
        assert old.query("SELECT sum(length(latency)) FROM requests_15m") == [(0,)]
        for place, has_old in ((fresh, False), (old, True)):
            assert old_latency.may_be_there(place) == has_old
            made = "SELECT create_table_query FROM system.tables WHERE name = 'request_summary'"
            [(text,)] = place.query(f"{made} AND database = currentDatabase()")
            assert ("latency_15m" in text) == has_old
            shifts = engine_zones.compare(place).shifts
            for told, outdated in ((has_old, []), (not has_old, ["request_summary"])):
                shipped = views.shipped(shifts, old_latency=told)
                assert views.outdated(place, shipped) == outdated
        assert summary(old, "acme") == summary(fresh, "acme")
        for place in (fresh, old):  # into the same rows
            insert(place, "acme", "chat", durations[:99])
            place.command("OPTIMIZE TABLE requests_15m FINAL")
        for tenant in ("acme", ""):
            assert summary(old, tenant) == summary(fresh, tenant)
        assert summary(old, "acme")[0] == 849
        for place in (fresh, old):
            cells = sums.read(place, sums.kept(place)).cells["usage.requests"]
            assert {cell for cell in cells if "partitions_1m" not in cell} == set()
        assert old.query("SELECT sum(requests) FROM latency_15m") == [(750,)]
        old.command(f"DROP DATABASE {old.database}")
        old.close()
