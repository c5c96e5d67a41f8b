"""What the API costs: beside the view alone, for answers that are there already, and in memory."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from pipeline.access.keys import StoredKeys
from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import load
from tests.bench.bed import Bed
from tests.support.harness.clickhouse_parts import new_database
from tests.support.harness.process import Process, usage
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory

CALLERS = 50
FORMATS = ("csv", "ndjson", "parquet", "xlsx")
LARGE = (
    "CREATE VIEW large AS SELECT concat('tenant-', toString(number % 997)) AS tenant, "
    "concat('user-', toString(number % 65537)) AS user_id, number * 7 AS requests, "
    "toDecimal128(number, 9) / 1000 AS cost FROM numbers({k:UInt32} * 1000) "
    "COMMENT 'D3\nRows for measuring.\nrequests requests'"
)
SMALL = "large?k=1&limit=10"
"""A view that costs the store next to nothing: what is left is the API's."""
DIRECT = "SELECT * FROM large(k = 1) LIMIT 10 FORMAT JSONEachRow"
TICKS = os.sysconf("SC_CLK_TCK")


def api(bed: Bed) -> list[str]:
    """Start a store and an API, and ask."""
    folder = bed.folder / "api"
    folder.mkdir()
    store = EmbeddedStore(folder)
    store.start()
    tables = new_database(store.port)
    try:
        environment = {
            "USAGE_CLICKHOUSE": url_at(store.port, tables.database),
            "USAGE_API_REQUESTS_PER_MINUTE": "10000000",
            "USAGE_API_QUERIES_AT_ONCE": "1000",
            "USAGE_LOG_LEVEL": "warning",
        }
        migrate(tables, load({"USAGE_CLICKHOUSE": environment["USAGE_CLICKHOUSE"]}))
        fill(tables, rows_in_memory(ViewWorld(1, 2).messages(500)))
        tables.command(LARGE)
        _, key = StoredKeys(tables).create(Role.VIEWER, (ALL,), by="bench")
        return _measured(bed, store, tables, environment, key, folder)
    finally:
        tables.close()
        store.stop()


def _measured(
    bed: Bed,
    store: EmbeddedStore,
    tables: Store,
    environment: Mapping[str, str],
    key: str,
    folder: Path,
) -> list[str]:
    quick = bed.scale.quick
    process, port = _started("small", environment, folder)
    count = 200 if quick else 1_000 * bed.scale.runs
    lines = asyncio.run(_small(process, port, store.port, tables.database, key, count))
    process.terminate()
    rows = bed.scale.view_rows // 10
    lines += [
        "",
        f"{rows:,} rows of four columns, a fresh process each; memory is the process' peak.",
        "",
        "| format | seconds | MB | peak memory, MB | with a slow reader, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for form in FORMATS:
        process, port = _started(form, environment, folder)
        seconds, size = asyncio.run(_whole(port, key, form, rows))
        peak = _peak(process)
        process.terminate()
        process, port = _started(f"slow-{form}", environment, folder)
        asyncio.run(_slowly(port, key, form, rows))
        lines.append(
            f"| {form} | {seconds:.1f} | {size / 1e6:,.0f} | {peak:.0f} | {_peak(process):.0f} |"
        )
        process.terminate()
    return lines


def _started(name: str, environment: Mapping[str, str], folder: Path) -> tuple[Process, int]:
    process = usage(f"api-{name}", "api", "--port", "0", environment=environment, folder=folder)
    process.await_output("api ready: ", within=60)
    return process, int(process.output().rpartition(":")[2].split()[0])


async def _small(
    process: Process, port: int, store: int, database: str, key: str, count: int
) -> list[str]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{port}/v1/views/{SMALL}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def direct() -> None:
            where = f"http://127.0.0.1:{store}/?database={database}"
            async with session.post(where, data=DIRECT) as answer:
                assert answer.status == 200
                await answer.read()

        async def asked() -> None:
            async with session.get(url, headers=headers) as answer:
                assert answer.status == 200
                tag["ETag"] = answer.headers["ETag"]
                await answer.read()

        async def known() -> None:
            tagged = headers | {"If-None-Match": tag["ETag"]}
            async with session.get(url, headers=tagged) as answer:
                assert answer.status == 304

        tag: dict[str, str] = {}
        await asked()
        alone, through = [], []
        before = _cpu(process)
        for _ in range(3):  # in turns, so that both meet the same machine
            alone += await _timed(direct, count // 3)
            through += await _timed(asked, count // 3)
        each = (_cpu(process) - before) / len(through)
        before, began = _cpu(process), time.perf_counter()
        again = await _timed(known, count * 3)
        wall, cpu = time.perf_counter() - began, _cpu(process) - before
    return [
        (
            f"Ten rows of a view that costs next to nothing, {CALLERS} callers at once, "
            f"{len(alone):,} answers each."
        ),
        "",
        "| | p50, ms | p99, ms | CPU of the API, ms each |",
        "| --- | --- | --- | --- |",
        f"| the view alone | {_at(alone, 50)} | {_at(alone, 99)} | |",
        f"| through the API | {_at(through, 50)} | {_at(through, 99)} | {each * 1000:.2f} |",
        (
            f"| known by its tag (304) | {_at(again, 50)} | {_at(again, 99)} "
            f"| {cpu / len(again) * 1000:.2f} |"
        ),
        "",
        (
            f"Of those known: {len(again) / wall:,.0f} a second on this machine, "
            f"{len(again) / cpu:,.0f} for each second of the API's CPU."
        ),
    ]


async def _timed(ask: Callable[[], Awaitable[None]], count: int) -> list[float]:
    """Milliseconds of so many answers, `CALLERS` at once."""
    left, found = count, []

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await ask()
            found.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return found


def _at(found: list[float], percent: int) -> str:
    return f"{statistics.quantiles(found, n=100)[percent - 1]:.1f}"


def _url(port: int, form: str, rows: int) -> str:
    return f"http://127.0.0.1:{port}/v1/views/large?k={rows // 1000}&format={form}"


async def _whole(port: int, key: str, form: str, rows: int) -> tuple[float, int]:
    began, size = time.perf_counter(), 0
    timeout = aiohttp.ClientTimeout(total=None)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(_url(port, form, rows), headers=headers) as answer,
    ):
        async for piece in answer.content.iter_chunked(1 << 20):
            size += len(piece)
    return time.perf_counter() - began, size


async def _slowly(port: int, key: str, form: str, rows: int) -> None:
    """Read the beginning, 64 KB every tenth of a second, and leave."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 16) as session,
        session.get(_url(port, form, rows), headers=headers) as answer,
    ):
        for _ in range(100):
            if not await answer.content.read(1 << 16):
                break
            await asyncio.sleep(0.1)


def _cpu(process: Process) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _peak(process: Process) -> float:
    """The most memory that it had, in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
