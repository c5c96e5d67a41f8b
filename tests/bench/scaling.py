"""How fast a backlog is caught up with, by one worker and by two that share it."""

from __future__ import annotations

import time

from tests.bench.bed import Bed
from tests.bench.measure import Spread
from tests.bench.workload import WORKLOADS, Loaded

ENOUGH = 1_500_000
"""Events, so that many are left when two workers have joined."""


def catch_up(bed: Bed) -> list[str]:
    """One worker and two, in turn, over the same topic."""
    loaded = bed.loaded(WORKLOADS[1], at_least=ENOUGH)
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(bed.scale.runs):
        for workers, rates in found.items():
            rates.append(_rate(bed, loaded, workers))
            print(f"{workers} workers: {rates[-1]:,.0f} events/s", flush=True)
    lines = [
        (
            f"{loaded.events:,} events of the 0.3 workload in 8 partitions, {bed.scale.runs} runs "
            "in turn, wall time; from when all workers have their share until the last commit. "
            "Broker and store have no cores of their own."
        ),
        "",
        "| workers | events/s, best | median |",
        "| --- | --- | --- |",
    ]
    for workers, rates in found.items():
        lines.append(f"| {workers} | {max(rates):,.0f} | {Spread.of(rates).median:,.0f} |")
    return lines


def _rate(bed: Bed, loaded: Loaded, workers: int) -> float:
    with bed.run(loaded.prefix) as run:
        for _ in range(workers):
            run.worker()
        run.await_shared(workers)
        began = time.monotonic()
        behind = loaded.events - sum(run.committed(loaded.topic, loaded.partitions).values())
        assert behind > loaded.events / 5, "too few events: they were counted before all had joined"
        run.await_counted(loaded)
        return behind / (time.monotonic() - began)
