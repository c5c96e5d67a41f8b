"""What quantiles cost to read, from each kind of histogram.

``python -m tests.bench.latency_queries`` asks 12 million requests of a week.
Which kind was taken, and why: ``docs/decisions/latency-histogram.md``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from pipeline.clickhouse.client import Store
from tests.support.harness.clickhouse_parts import new_database
from tests.support.harness.store import EmbeddedStore

REQUESTS, SLICE = 12_000_000, 3_000_000
KEYS = "tenant, quarter, kind, token_id"
MIDDLE = "if(bucket = 0, 0, pow(1.04, bucket - 0.5))"
LEVELS = "quantilesExactWeighted(0.5, 0.95, 0.99)"

SOURCE = """(
    SELECT concat('t', toString(number % 100)) AS tenant,
        toDateTime('2026-05-01 00:00:00', 'UTC') + 900 * (rand(1) % 672) AS quarter,
        if(rand(2) % 5 = 0, 'embedding', 'completion') AS kind,
        concat(tenant, '-', toString(rand(3) % 5)) AS token_id,
        toUInt64(exp(13 + 1.2 * randNormal(0, 1))) AS duration_us,
        if(duration_us = 0, 0, toUInt16(1 + floor(log(duration_us) / log(1.04)))) AS bucket
    FROM numbers({since}, {count}))"""

KINDS = {
    "rows": (
        "bucket UInt16, requests SimpleAggregateFunction(sum, UInt64)",
        ", bucket",
        "bucket, count()",
        f"SELECT kind, {LEVELS}({MIDDLE}, requests) FROM rows {{where}} GROUP BY kind",
    ),
    "arrays": (
        "h SimpleAggregateFunction(groupArrayArray, Array(UInt16)) CODEC(ZSTD(1))",
        "",
        "groupArray(toUInt16(bucket))",
        (
            f"SELECT kind, {LEVELS}({MIDDLE}, n) FROM "
            "(SELECT kind, bucket, count() AS n FROM arrays ARRAY JOIN h AS bucket {where} "
            "GROUP BY kind, bucket) GROUP BY kind"
        ),
    ),
    "maps": (
        "h SimpleAggregateFunction(sumMap, Map(UInt16, UInt64))",
        "",
        "sumMap(map(bucket, toUInt64(1)))",
        (
            f"SELECT kind, {LEVELS}({MIDDLE}, n) "
            "FROM (SELECT kind, sumMap(h) AS m FROM maps {where} GROUP BY kind) "
            "ARRAY JOIN mapKeys(m) AS bucket, mapValues(m) AS n GROUP BY kind"
        ),
    ),
    "sketches": (
        "h AggregateFunction(quantilesDD(0.02, 0.5, 0.95, 0.99), UInt64)",
        "",
        "quantilesDDState(0.02, 0.5, 0.95, 0.99)(duration_us)",
        (
            "SELECT kind, quantilesDDMerge(0.02, 0.5, 0.95, 0.99)(h) FROM sketches {where} "
            "GROUP BY kind"
        ),
    ),
}


def fill(store: Store) -> None:
    """Make and fill one table of each kind."""
    for table, (columns, key, values, _) in KINDS.items():
        store.command(
            f"CREATE TABLE {table} (tenant LowCardinality(String), quarter DateTime('UTC'), "
            f"kind LowCardinality(String), token_id LowCardinality(String), {columns}) "
            f"ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(quarter) ORDER BY ({KEYS}{key})"
        )
        for since in range(0, REQUESTS, SLICE):
            source = SOURCE.format(since=since, count=SLICE)
            store.command(f"INSERT INTO {table} SELECT {KEYS}, {values} FROM {source} GROUP BY ALL")
        store.command(f"OPTIMIZE TABLE {table} FINAL")


def milliseconds(store: Store, query: str) -> float:
    """Return the least time of five."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        store.query(query)
        times.append(time.monotonic() - began)
    return min(times) * 1e3


def main() -> None:
    """Print sizes and times."""
    with tempfile.TemporaryDirectory() as folder:
        own = EmbeddedStore(Path(folder))
        own.start()
        try:
            store = new_database(own.port)
            fill(store)
            sizes = store.query(
                "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
                "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
            )
            print(
                "\n".join(f"| {name} | {rows} rows | {size} bytes |" for name, rows, size in sizes)
            )
            for table, (_, _, _, query) in KINDS.items():
                one = milliseconds(store, query.format(where="WHERE tenant = 't7'"))
                everyone = milliseconds(store, query.format(where=""))
                print(f"| {table} | {one:.0f} ms | {everyone:.0f} ms |")
        finally:
            own.kill9()


if __name__ == "__main__":
    main()
