"""The floor: ClickHouse reads the same JSON itself, into the same tables, without any worker.

As its Kafka engine would: no ids are told apart, nothing is rejected or set aside, no ledger says
what is counted, and what is retried counts twice.
"""

from __future__ import annotations

import urllib.parse
import urllib.request
from contextlib import closing

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import load as load_settings
from tests.bench.bed import Bed
from tests.bench.measure import cpu_seconds
from tests.bench.workload import WORKLOADS, Stream
from tests.support.harness.store import EmbeddedStore, url_at

BLOCKS = (20_000, 100_000)
FIRST_MS = 1_780_000_000_000

INSERT = """
INSERT INTO usage.requests_in
(
    minute, tenant, team_id, agent_id, token_id, user_id, model, operation, failed, duration_us,
    input_tokens, output_tokens, unmetered, cost_nanos, currency
)
SELECT
    toStartOfMinute(time), subject, data.team_id, data.agent_id, data.token_id, data.user_id,
    data.model, data.operation, data.status_code >= 400, round(data.duration_ms * 1000),
    data.input_tokens, data.output_tokens, 0, round(data.cost * 1000000000), data.currency
FROM input('subject LowCardinality(String), time DateTime64(3, \\'UTC\\'), data Tuple(
    operation LowCardinality(String), model LowCardinality(String), status_code UInt16,
    duration_ms Float64, token_id LowCardinality(String), user_id LowCardinality(String),
    team_id LowCardinality(String), agent_id LowCardinality(String), input_tokens UInt64,
    output_tokens UInt64, cost Float64, currency LowCardinality(String))')
FORMAT JSONEachRow
"""
SETTINGS = {
    "input_format_skip_unknown_fields": "1",
    "date_time_input_format": "best_effort",
    "max_insert_block_size": "1000000",
    "min_insert_block_size_rows": "1000000",
    "input_format_parallel_parsing": "0",
}


def lines(bed: Bed) -> list[str]:
    """Measure it in blocks of each size; a line each."""
    found = {block: _measured(bed, block) for block in BLOCKS}
    said = ", ".join(f"{us:.1f} in blocks of {block:,}" for block, us in found.items())
    return [
        (
            "ClickHouse reading the same events' JSON itself into the same tables, without ids, "
            f"rejections or a ledger, µs of its CPU per event: {said}."
        )
    ]


def _measured(bed: Bed, block: int) -> float:
    """CPU µs per event, merges included as far as they keep up."""
    own = EmbeddedStore(bed.folder, f"floor-{block}")
    own.start()
    try:
        settings = load_settings({"USAGE_CLICKHOUSE": url_at(own.port, "usage")})
        with closing(Store.connect(settings)) as store:
            migrate(store, settings)
            blocks = max(1, bed.scale.events // 4 // block)
            events = [v for some in _events(blocks * block) for v in some]
            bodies = [b"\n".join(events[n : n + block]) for n in range(0, len(events), block)]
            before = cpu_seconds(own.process.pid)
            for body in bodies:
                _send(own.port, body)
            spent = cpu_seconds(own.process.pid) - before
            assert store.query("SELECT sum(requests) FROM requests_15m") == [(len(events),)]
        return spent / len(events) * 1e6
    finally:
        own.kill9()


def _events(count: int) -> list[list[bytes]]:
    stream = Stream(WORKLOADS[1])
    return [[value for _, value in some] for some in stream.blocks(count, FIRST_MS)]


def _send(port: int, body: bytes) -> None:
    query = urllib.parse.urlencode({"query": INSERT, **SETTINGS})
    address = f"http://127.0.0.1:{port}/?{query}"
    with urllib.request.urlopen(address, data=body, timeout=120) as answer:
        answer.read()
