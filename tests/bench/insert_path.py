"""What an insert costs, in CPU per row: encoding, the store, each of the choices that were made.

``python -m tests.bench.insert_path`` prints tables like those of ``docs/decisions/insert-path.md``.
Linux only: it reads the store's CPU time from /proc.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.native import encode
from pipeline.clickhouse.schema import files, resources
from pipeline.facts.added_up import added_up
from pipeline.facts.columns import Arrays, Column, column
from pipeline.facts.heads import REQUESTS
from tests.support.harness.clickhouse_parts import new_database
from tests.support.harness.store import EmbeddedStore

ROWS = 100_000
INSERTS = 8
MINUTE = 1_767_225_600
SHAPES = {"1.0": (100_000, 2), "0.2": (20_000, 1), "0.02": (2_000, 1)}
"""Rolled-up rows per event: how many users, and over how many minutes."""

OTHER_SUMS = {"first_minute": "min", "last_minute": "max", "latency": "groupArrayArray"}
ALL = "requests|totals|users"
LATENCY_TABLES = ("requests_1m", "requests_15m")

_MEASURE = re.compile(
    r"^(?P<indent> {4})(?P<value>1|requests|minute|failed|duration_us|unmetered|\w+_tokens|latency"
    r"|toDecimal128.*?)"
    r"(?: AS (?P<name>requests|first_minute|last_minute|cost))?(?P<end>,?)$",
    re.MULTILINE,
)

Columns = Sequence[tuple[str, str]]
Sent = tuple[Columns, Sequence[Column | Arrays]]


def data(users: int, minutes: int) -> list[list[Any]]:
    """Make the columns of one chunk."""
    chosen = random.Random(7)
    people = []
    for number in range(users):
        tenant = f"tenant-{chosen.randrange(300):05d}"
        operation = chosen.choice(("chat", "chat", "embeddings", "text_completion"))
        people.append((
            tenant, f"team-{chosen.randrange(1000):05d}", f"{tenant}-agent-{chosen.randrange(9)}",
            f"token-{number // 3:06d}", f"user-{number:06d}", f"model-{chosen.randrange(20)}",
            operation,
        ))  # fmt: skip
    who = [list(column) for column in zip(*chosen.choices(people, k=ROWS), strict=True)]
    tokens = [[chosen.randrange(10_000) for _ in range(ROWS)] for _ in range(5)]
    return [
        [MINUTE + 60 * chosen.randrange(minutes) for _ in range(ROWS)],
        *who,
        [int(chosen.random() < 0.05) for _ in range(ROWS)],
        [int(chosen.lognormvariate(13, 1.2)) for _ in range(ROWS)],
        *tokens,
        [0] * ROWS,
        [chosen.randrange(10_000_000) for _ in range(ROWS)],
        ["USD"] * ROWS,
    ]


def as_strings(columns: Columns) -> Columns:
    """Return the columns sent as plain strings."""
    return tuple((n, "String" if "LowCardinality" in kind else kind) for n, kind in columns)


def as_dictionaries(columns: Columns) -> Columns:
    """Return the columns with their strings sent as dictionaries."""
    return tuple((n, "LowCardinality(String)" if k == "String" else k) for n, k in columns)


def encoding() -> None:
    """Print the cost of encoding, in this process."""
    print("\nencoding, µs of CPU per row and bytes per row\n")
    chunk = data(*SHAPES["0.2"])
    for label, columns in (
        ("String", as_strings(REQUESTS.columns)),
        ("LowCardinality(String)", as_dictionaries(REQUESTS.columns)),
    ):
        for compression in (None, "lz4", "zstd"):
            body = encode("t", columns, chunk, compression)
            cost = least(partial(encode, "x", columns, chunk, compression), time.process_time)
            print(f"| {label} | {compression} | {cost:.2f} | {len(body) / ROWS:.0f} |")


def least(act: Callable[[], object], clock: Callable[[], float], times: int = 7) -> float:
    """Return the least cost of several runs, in µs per row."""
    costs = []
    for _ in range(times):
        before = clock()
        act()
        costs.append(clock() - before)
    return min(costs) / ROWS * 1e6


def statements(
    change: Callable[[str], str] = str, only: str = "requests", before: str = ""
) -> list[str]:
    """Return the migrations' statements on requests, changed; up to a migration, if it is named."""
    found = []
    for migration in files.read(resources.migrations()):
        if migration.name == before:
            break
        for statement in migration.statements():
            name = re.match(
                r"(?:CREATE|ALTER) (?:MATERIALIZED )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(\w+)",
                statement,
            )
            if name and (name[1] == "requests_in" or re.match(only, name[1])):
                found.append(change(statement))
    return found


def grouped(statement: str) -> str:
    """Return a view that groups before its target does."""
    if not re.search("MATERIALIZED VIEW|MODIFY QUERY", statement):
        return statement

    def added_up(line: re.Match[str]) -> str:
        value, name = line["value"], line["name"] or line["value"]
        function = OTHER_SUMS.get(name, "sum")
        if value == name:  # else the sum's name would hide the column's
            value = f"requests_in.{value}"
        return f"    {function}({value}) AS {name}{line['end']}"

    return _MEASURE.sub(added_up, statement) + " GROUP BY ALL"


def without_latency() -> list[str]:
    """Return the tables without how long requests took."""
    dropped = [f"ALTER TABLE {table} DROP COLUMN latency" for table in LATENCY_TABLES]
    views = (re.sub(r",\s+latency(?=\s+FROM)", "", statement) for statement in statements())
    return [*views, *dropped]


def unsynced(statement: str) -> str:
    """Return a table that leaves writing to the disk to the system."""
    return statement.replace(", fsync_after_insert = 1, fsync_part_directory = 1", "")


def strings(statement: str) -> str:
    """Return a table with plain strings."""
    return statement.replace("LowCardinality(String)", "String")


def as_read(columns: Columns, chunk: Sequence[Column]) -> Sent:
    """Return what is sent of a chunk: each request as a row."""
    return columns, chunk


def summed(_: Columns, chunk: Sequence[Column]) -> Sent:
    """Return what a worker sends: requests of one key as one row."""
    return added_up(REQUESTS, chunk)


def measure(
    own: EmbeddedStore,
    label: str,
    tables: list[str],
    columns: Columns,
    send: Callable[[Columns, Sequence[Column]], Sent] = as_read,
) -> None:
    """Print what inserts into these tables cost: the worker's CPU, the store's, the time."""
    cells = []
    for shape in SHAPES.values():
        store = new_database(own.port)
        for statement in tables:
            store.command(statement)
        chunk = [column(kind) for _, kind in columns]
        for one, values in zip(chunk, data(*shape), strict=True):
            one.extend(values)
        worker, engine, began = time.process_time(), cpu_seconds(own.process.pid), time.monotonic()
        for number in range(INSERTS):
            store.insert("requests_in", *send(columns, chunk), token=f"token-{number}")
        scale = 1e6 / ROWS / INSERTS
        spent = time.process_time() - worker, cpu_seconds(own.process.pid) - engine
        wall = (time.monotonic() - began) / INSERTS * 1e3
        cells.append(f"{spent[0] * scale:.2f} + {spent[1] * scale:.2f}, {wall:.0f} ms")
        _drop(store)
    print(f"| {label} | {' | '.join(cells)} |", flush=True)


def small(own: EmbeddedStore, label: str, tables: list[str]) -> None:
    """Print what an insert of 100 rows costs, where files weigh more than rows."""
    store = new_database(own.port)
    for statement in tables:
        store.command(statement)
    chunk = [column[:100] for column in data(2_000, 1)]
    engine, began, count = cpu_seconds(own.process.pid), time.monotonic(), 100
    for number in range(count):
        store.insert("requests_in", REQUESTS.columns, chunk, token=f"token-{number}")
    wall = (time.monotonic() - began) / count * 1e3
    spent = (cpu_seconds(own.process.pid) - engine) / count * 1e3
    print(f"| {label} | {spent:.1f} ms | {wall:.1f} ms |", flush=True)
    _drop(store)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _drop(store: Store) -> None:
    store.command(f"DROP DATABASE {store.database} SYNC")
    store.close()


def main() -> None:
    """Print everything."""
    encoding()
    dictionaries = as_dictionaries(REQUESTS.columns)
    with tempfile.TemporaryDirectory() as folder:
        own = EmbeddedStore(Path(folder))
        own.start()
        try:
            print("\nworker + store, µs of CPU per row; time of an insert, by rows per event\n")
            measure(own, "as migrated", statements(), dictionaries)
            measure(own, "sent as String", statements(), as_strings(REQUESTS.columns))
            measure(own, "stored as String", statements(strings), as_strings(REQUESTS.columns))
            measure(own, "no fsync", statements(unsynced), dictionaries)
            measure(own, "views group", statements(grouped), dictionaries)
            measure(own, "no latency", without_latency(), dictionaries)
            print("\nthe same, all tables of requests\n")
            old = statements(only=f"{ALL}|latency", before="thin")
            measure(own, "with tables of latency", old, dictionaries)
            measure(own, "as migrated", statements(only=ALL), dictionaries)
            measure(own, "as migrated, added up", statements(only=ALL), dictionaries, summed)
            print("\none insert of 100 rows, store CPU and time\n")
            small(own, "as migrated", statements())
            small(own, "no fsync", statements(unsynced))
        finally:
            own.kill9()


if __name__ == "__main__":
    main()
