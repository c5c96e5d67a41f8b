"""Taking up partitions whose windows are full: reading ids again, and what a window takes."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.bench.bed import Bed, Clock, Run
from tests.bench.measure import Spread, peak_mib
from tests.bench.workload import WORKLOADS

BEGINS = "before the start of"
ENDED = re.compile(r"read (\d+) records again in ([\d.]+) s")
NO_WINDOW = {"USAGE_DUPLICATE_WINDOW": "0"}


class Rebuilt(NamedTuple):
    """What one takeover took."""

    records: int
    seconds: float
    cpu_us: float
    """Per record."""
    peak_mib: int


def _take_up(run: Run) -> Rebuilt:
    worker = run.worker()
    worker.await_output(BEGINS, within=60)
    clock = Clock.start(worker.pid)
    worker.await_output("records again in", within=300)
    [cpu] = clock.cpu_since()
    found = ENDED.search(worker.output())
    assert found is not None, worker.tail()
    peak = peak_mib(worker.pid)
    assert worker.terminate() == 0, worker.tail()
    records, seconds = int(found[1]), float(found[2])
    return Rebuilt(records, seconds, cpu / records * 1e6, peak)


def rebuild(bed: Bed) -> list[str]:
    """Count a topic, then let one worker after another take it up."""
    loaded = bed.loaded(WORKLOADS[1], 8)
    with bed.run(loaded.prefix) as run:
        first = run.worker()
        run.await_reading(first)
        run.await_counted(loaded)
        assert first.terminate() == 0, first.tail()
        run.workers.clear()
        found = [_take_up(run) for _ in range(bed.scale.runs)]
        idle = _without_window(run)
    seconds = Spread.of([one.seconds for one in found])
    return [
        (
            f"{found[0].records:,} events of the 0.3 workload before the starts of 8 partitions, "
            f"one worker, {bed.scale.runs} takeovers, best / median."
        ),
        "",
        "| seconds | records/s (best) | CPU µs per record | peak memory | without a window |",
        "| --- | --- | --- | --- | --- |",
        (
            f"| {seconds.text(1)} | {found[0].records / min(one.seconds for one in found):,.0f} "
            f"| {Spread.of([one.cpu_us for one in found]).text()} "
            f"| {max(one.peak_mib for one in found)} MiB | {idle} MiB |"
        ),
    ]


def _without_window(run: Run) -> int:
    """Return the peak memory (MiB) of a worker that has the partitions and remembers nothing."""
    run.settings = {**run.settings, **NO_WINDOW}
    worker = run.worker()
    run.await_reading(worker)
    return peak_mib(worker.pid)
