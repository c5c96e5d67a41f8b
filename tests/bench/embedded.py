"""What the embedded store and broker cost: ``python -m tests.bench.embedded``.

Starts both, takes half a minute, prints one line for each number; medians, wall time.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clickhouse_connect
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from clickhouse_connect.driver.client import Client

from pipeline.embedded.store.native import Rewriter
from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.store import EmbeddedStore

ROWS = 100_000
RECORDS = 80_000  # 28 MB over 8 partitions, of which each keeps 5 MiB
RECORD_BYTES = 356
ANSWERS = {
    "numbers": "number, number * 2 AS b, toDateTime(number, 'Asia/Tokyo') AS t",
    "mixed columns": "toString(number) AS a, number, toDecimal128(number, 9) AS d, [number] AS e,"
    " toLowCardinality(toString(number % 100)) AS l",
    "strings": "toString(number) AS a, concat('tenant-', toString(number % 100)) AS b",
}


def median_ms(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def memory_mib(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def store_numbers(folder: Path) -> None:
    store = EmbeddedStore(folder)
    began = time.perf_counter()
    store.start()
    print(f"store: ready after {time.perf_counter() - began:.1f} s")
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, autogenerate_session_id=False
    )
    client.command(
        "CREATE TABLE t (k UInt64, s String) ENGINE = MergeTree ORDER BY k "
        "SETTINGS non_replicated_deduplication_window = 1000000"
    )
    print(f"store: SELECT 1 {median_ms(lambda: client.query('SELECT 1'), 200):.1f} ms")
    inserts(client)
    sql = b"SELECT repeat('x', 92), number + 1000000 FROM numbers(7000000)"
    began, size = time.perf_counter(), 0
    url = f"http://127.0.0.1:{store.port}/"
    with urllib.request.urlopen(url, sql) as answer:
        while piece := answer.read(1 << 20):
            size += len(piece)
    print(f"store: streams {size / (time.perf_counter() - began) / 1e6:.0f} MB/s")
    natives(url)
    print(f"store: {memory_mib(store.process)} MiB resident")
    began = time.perf_counter()
    store.stop()
    print(f"store: ended after {time.perf_counter() - began:.1f} s")


def natives(url: str) -> None:
    """What it costs to rewrite Native of no revision as that of clickhouse-connect."""
    for name, columns in ANSWERS.items():
        sql = f"SELECT {columns} FROM numbers(1000000) FORMAT Native"
        asked = f"{url}?output_format_native_encode_types_in_binary_format=1"
        with urllib.request.urlopen(asked, sql.encode()) as answer:
            data = answer.read()
        rewriter, began = Rewriter(54405), time.process_time()
        for at in range(0, len(data), 1 << 20):
            rewriter.add(data[at : at + (1 << 20)])
        rate = len(data) / (time.process_time() - began) / 1e6
        print(f"store: Native rewritten, {name}: {rate:.0f} MB/s of CPU time")


def inserts(client: Client) -> None:
    columns: list[list[Any]] = [list(range(ROWS)), [f"name-{n % 1000}" for n in range(ROWS)]]
    tokens = iter(range(1000))

    def insert() -> None:
        client.insert(
            "t",
            columns,
            column_names=["k", "s"],
            column_oriented=True,
            settings={"insert_deduplication_token": str(next(tokens))},
        )

    print(f"store: insert of {ROWS} rows {median_ms(insert, 9):.0f} ms, the client's part in it")


async def broker_numbers(folder: Path) -> None:
    port = free_port()
    began = time.perf_counter()
    process = usage("broker", "broker", "--port", str(port), environment={}, folder=folder)
    process.await_output("broker ready")
    print(f"broker: ready after {time.perf_counter() - began:.1f} s")
    before = memory_mib(process)
    producer = AIOKafkaProducer(
        bootstrap_servers=f"127.0.0.1:{port}", linger_ms=5, max_batch_size=1 << 18
    )
    consumer = AIOKafkaConsumer(
        "usage.requests", bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    read = 0
    value = os.urandom(RECORD_BYTES)
    began = time.perf_counter()

    async def produce() -> None:
        for n in range(RECORDS):
            await producer.send("usage.requests", value, partition=n % 8)
        await producer.flush()

    producing = asyncio.ensure_future(produce())
    while read < RECORDS:
        read += sum(map(len, (await consumer.getmany(timeout_ms=100)).values()))
    await producing
    rate = read / (time.perf_counter() - began)
    print(f"broker: {rate:.0f} records/s of {RECORD_BYTES} bytes in and out")
    print(f"broker: {before} MiB resident empty, {memory_mib(process)} with {RECORDS} records")
    await producer.stop()
    await consumer.stop()
    process.terminate()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        store_numbers(Path(name))
        asyncio.run(broker_numbers(Path(name)))
