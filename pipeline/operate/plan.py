"""``usage plan``: how many workers, partitions and cores a stream needs, from measured costs. Pure.

The costs are those of ``docs/benchmarks.md``, which a test compares; the machine they were measured
on is named there. What follows is arithmetic: it says what to begin with, not what to rely on.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, exp

from pipeline.errors import UsageError
from pipeline.process.terminal import Cells, size

MICROSECONDS = 1_000_000

ROWS = (0.02, 0.35, 1.0)
"""Rows per event at which both costs were measured (*CPU per event*)."""
WORKER = (1.96, 1.90, 2.29)
"""CPU of a worker with the compiled reader, microseconds per event, at those."""
STORE = (1.58, 2.96, 5.17)
"""CPU of the store, microseconds per event in chunks of some 26,000 events, at those."""
LIVE = (5_000, 15.1)
"""Events/s that one worker counts live, and the store's microseconds for each (*The store*)."""
WORKER_MIB = 219
"""A worker's memory with a backlog, a million ids remembered in all."""
ID_BYTES = 27
"""What an id may take while its table grows (``docs/decisions/duplicates.md``)."""
ROW_BYTES = 33
"""What a request with a row of its own takes at rest, in all tables (*Views*)."""

BUSY = 0.6
"""Share of a core that a worker is planned to use: the rest catches up after an outage."""
REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is to be counted: events of one topic, at its busiest."""

    events_per_second: int
    tenants: int
    keys_per_tenant: int = 20
    """Users, tokens, models, outcomes together: keys that a tenant uses in one second."""
    record_bytes: int = 93
    """What an event takes in Kafka, compressed."""
    retention_hours: int = 168
    replication: int = 3
    duplicate_window: int = REMEMBERED


@dataclass(frozen=True, slots=True)
class Plan:
    """What to begin with; cores are of CPU time, sizes in bytes."""

    rows_per_event: float
    worker_cores: float
    workers: int
    partitions: int
    worker_memory: int
    store_cores: float
    store_bytes_a_day: int
    kafka_bytes: int
    catch_up_seconds: float
    """How long the workers need for an hour of events that waited, while new ones come."""


def plan(stream: Stream) -> Plan:
    """Reckon what a stream needs.

    Raises:
        UsageError: there are no events or no tenants in it.
    """
    if stream.events_per_second < 1 or stream.tenants < 1:
        raise UsageError("a plan needs at least one event a second and one tenant")
    rate = stream.events_per_second
    rows = rows_per_event(rate, stream.tenants * stream.keys_per_tenant)
    worker_cores = rate * between(rows, WORKER) / MICROSECONDS
    workers = max(2, ceil(worker_cores / BUSY))
    partitions = max(8, 2 * workers)
    each = ceil(partitions / workers)
    ids = each * stream.duplicate_window * ID_BYTES
    spare = workers - worker_cores
    return Plan(
        rows_per_event=rows,
        worker_cores=worker_cores,
        workers=workers,
        partitions=partitions,
        worker_memory=WORKER_MIB * 2**20 + ids,
        store_cores=rate * between(rows, STORE) / MICROSECONDS + workers * round_cores(),
        store_bytes_a_day=round(rate * 86_400 * rows * ROW_BYTES),
        kafka_bytes=rate
        * stream.record_bytes
        * stream.retention_hours
        * 3_600
        * stream.replication,
        catch_up_seconds=3_600 * worker_cores / spare,
    )


def rows_per_event(events: int, keys: int) -> float:
    """Rows of a second's events, each of which has one of so many keys, all as likely."""
    return keys * (1 - exp(-events / keys)) / events


def between(rows: float, costs: Sequence[float]) -> float:
    """The cost at so many rows per event: on the line between the two measured ones beside it."""
    if rows <= ROWS[0]:
        return costs[0]
    place = min(bisect(ROWS, rows), len(ROWS) - 1)
    share = (rows - ROWS[place - 1]) / (ROWS[place] - ROWS[place - 1])
    return costs[place - 1] + min(share, 1.0) * (costs[place] - costs[place - 1])


def round_cores() -> float:
    """Cores of the store that a worker's rounds take whatever they hold: inserts and parts."""
    rate, cost = LIVE
    return rate * max(0.0, cost - STORE[-1]) / MICROSECONDS


def as_table(found: Plan) -> Cells:
    """A line for each thing that is needed, and why so much."""
    table = Cells()
    for heading in ("what", "how much", "why"):
        table.add_column(heading)
    for line in _lines(found):
        table.add_row(*line)
    return table


def _lines(found: Plan) -> Iterator[tuple[str, str, str]]:
    yield (
        "workers",
        f"{found.workers}",
        f"{found.worker_cores:.2f} cores of CPU, each worker at most {BUSY:.0%} busy; two at least",
    )
    yield "partitions of a topic", f"{found.partitions}", "two for each worker, eight at least"
    yield (
        "memory of a worker",
        size(found.worker_memory),
        "a backlog, and the ids of the window in each of its partitions",
    )
    yield (
        "cores of ClickHouse",
        f"{found.store_cores:.2f}",
        f"inserts and merges, {found.rows_per_event:.2f} rows per event; queries come on top",
    )
    yield "ClickHouse's disk", f"{size(found.store_bytes_a_day)} a day", "if no key comes again"
    yield "Kafka's disk", size(found.kafka_bytes), "all copies, for as long as it keeps them"
    yield (
        "after an hour's outage",
        f"{found.catch_up_seconds / 60:.0f} minutes",
        "until the workers are up to date, if the store keeps up",
    )
