"""``usage plan``: arithmetic over costs that are those of the benchmarks."""

from __future__ import annotations

import json
import re
from math import isclose

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.plan import plan as command
from pipeline.errors import UsageError
from pipeline.operate import plan as reckoned
from pipeline.operate.plan import ROWS, STORE, WORKER, Stream, between, plan, rows_per_event
from tests.bench.page import PAGE

STREAMS = st.builds(
    Stream,
    events_per_second=st.integers(1, 10_000_000),
    tenants=st.integers(1, 1_000_000),
    keys_per_tenant=st.integers(1, 1_000),
)


def benchmark(name: str) -> list[list[str]]:
    """The cells of a benchmark's first table."""
    [found] = re.findall(
        rf"<!-- begin {name} -->(.*?)<!-- end {name} -->", PAGE.read_text(), re.DOTALL
    )
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_costs_are_the_benchmarks() -> None:
    heading, _, *lines = benchmark("cpu")
    lines = [line for line in lines if len(line) == len(heading)]
    costs = [heading.index(name) for name in COSTS]
    medians = [[float(line[at].split("/")[-1].split()[0]) for at in costs] for line in lines]
    assert tuple(zip(*medians, strict=True)) == (ROWS, WORKER, STORE)
    peak = heading.index("worker's peak memory")
    assert any(str(reckoned.WORKER_MIB) in line[peak] for line in lines)


def test_the_price_of_a_live_chunk_is_the_benchmarks() -> None:
    heading, _, *lines = [line for line in benchmark("store") if len(line) == len(HEADING)]
    rate, cost = reckoned.LIVE
    assert heading == HEADING
    assert HEADING[2] == f"{rate:,} events/s"
    [found] = (line[2] for line in lines if line[0].endswith("settings as they come"))
    assert float(found.split()[-2]) == cost


COSTS = ["rows per event", "worker, everything on, compiled reader", "store beside it"]
HEADING = ["tables, chunks", "100 events/s", "5,000 events/s", "50,000 events/s", "catching up"]


@given(STREAMS)
def test_workers_can_do_it_and_share_the_partitions(stream: Stream) -> None:
    found = plan(stream)
    assert found.workers * reckoned.BUSY >= found.worker_cores
    assert found.partitions >= 2 * found.workers
    assert found.catch_up_seconds >= 0
    assert found.worker_memory > found.partitions / found.workers * stream.duplicate_window


@given(STREAMS)
def test_more_events_never_need_less(stream: Stream) -> None:
    one, two = plan(stream), plan(_twice(stream))
    assert two.workers >= one.workers
    assert two.store_cores >= one.store_cores
    assert two.kafka_bytes == 2 * one.kafka_bytes


def _twice(stream: Stream) -> Stream:
    return Stream(
        events_per_second=2 * stream.events_per_second,
        tenants=2 * stream.tenants,
        keys_per_tenant=stream.keys_per_tenant,
    )


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_rows_are_never_more_than_events_or_keys(events: int, keys: int) -> None:
    rows = rows_per_event(events, keys) * events
    assert 0 < rows <= min(events, keys) * (1 + 1e-9)


@pytest.mark.parametrize("costs", [WORKER, STORE])
def test_costs_meet_the_measured_ones(costs: tuple[float, ...]) -> None:
    assert all(isclose(between(rows, costs), cost) for rows, cost in zip(ROWS, costs, strict=True))
    assert between(0.0001, costs) == costs[0]
    assert between(5, costs) == costs[-1]


def test_nothing_needs_no_plan() -> None:
    with pytest.raises(UsageError, match="at least one event"):
        plan(Stream(events_per_second=0, tenants=1))


def test_the_command_says_it_in_words_and_for_programs() -> None:
    words = ["--events-per-second", "200000", "--tenants", "5000"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    due = plan(Stream(events_per_second=200_000, tenants=5_000))
    assert re.search(rf"^workers +{due.workers} ", done.output, re.MULTILINE)
    found = json.loads(CliRunner().invoke(command, [*words, "--json"]).output)
    assert found["partitions"] == due.partitions
