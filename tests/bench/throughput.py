"""CPU per event: of the worker, of what else could be done, of the store; and peak memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.bench.bed import Bed, Clock, script
from tests.bench.measure import Spread, peak_mib
from tests.bench.workload import FORMS, WORKLOADS, Loaded
from tests.support.harness.process import Process
from tests.support.harness.readers import SETTINGS


class Counted(NamedTuple):
    """One run of the worker over a topic."""

    worker_us: float
    """CPU per event."""
    store_us: float
    peak_mib: int
    events_per_second: float
    chunk_events: float


@dataclass
class Measured:
    """Several runs over one topic."""

    loaded: Loaded
    counted: list[Counted] = field(default_factory=list)
    """With the reader that is the last of `SETTINGS`."""
    python: list[Counted] = field(default_factory=list)
    """With the Python reader, where there is another."""
    bare_us: list[float] = field(default_factory=list)
    faust_us: list[float] = field(default_factory=list)


def worker(bed: Bed, loaded: Loaded, reader: str = SETTINGS[-1]) -> Counted:
    """Count a whole topic with one worker."""
    with bed.run(loaded.prefix, USAGE_READER=reader) as run:
        process = run.worker()
        run.await_reading(process)
        clock = Clock.start(process.pid, run.store.process.pid)
        run.await_counted(loaded)
        of_worker, of_store = clock.cpu_since()
        seconds, peak = clock.wall_since(), peak_mib(process.pid)
        with run.connect() as store:
            [(events, chunks)] = store.query("SELECT sum(counted), count() FROM chunks FINAL")
        assert events == loaded.events, f"{events} of {loaded.events} counted"
    per_event = 1e6 / loaded.events
    speed, size = loaded.events / seconds, events / chunks
    return Counted(of_worker * per_event, of_store * per_event, peak, speed, size)


def contender(bed: Bed, loaded: Loaded, name: str, events: int, *more: str) -> float:
    """Return the CPU µs per event that a script of `tests.bench` says it took."""
    arguments = (bed.kafka.servers, loaded.topic, str(loaded.partitions), str(events), *more)
    return said_cpu(script(name, *arguments, folder=bed.folder), events)


def said_cpu(process: Process, events: int) -> float:
    """Wait for a contender's end and return the CPU µs per event that it says it took."""
    try:
        assert process.wait(300) == 0, process.tail()
        said = re.search(r"\bcpu ([\d.]+)", process.output())
        assert said is not None, process.tail()
    finally:
        if process.is_running:
            process.kill9()
    return float(said[1]) / events * 1e6


def cpu(bed: Bed) -> list[str]:
    """The worker by each reader, bare aiokafka and documented Faust, in turn, on each workload."""
    found = []
    for kind in WORKLOADS:
        measured = Measured(bed.loaded(kind))
        for number in range(bed.scale.runs):
            loaded = measured.loaded
            measured.counted.append(worker(bed, loaded))
            if len(SETTINGS) > 1:
                measured.python.append(worker(bed, loaded, "python"))
            measured.bare_us.append(contender(bed, loaded, "bare", loaded.events))
            name = f"documented-{loaded.prefix}{number}"
            events = bed.scale.faust_events
            measured.faust_us.append(contender(bed, loaded, "documented", events, name))
            print(f"{kind.name}: {measured.counted[-1]}", flush=True)
        found.append(measured)
        bed.forget(measured.loaded)
    return [*_cpu_table(bed, found), "", *_forms_table(bed)]


def _forms_table(bed: Bed) -> list[str]:
    """The worker over other forms of events, by each reader in turn."""
    lines = [
        f"Other forms, as many events of each, by tenant as well, {bed.scale.runs} runs in turn.",
        "",
        (
            f"| form | bytes per event | worker, everything on, {SETTINGS[-1]} reader "
            "| Python reader, ÷ that one | its peak memory | store beside it "
            "| worker's peak memory | events per chunk |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in FORMS:
        one = Measured(bed.loaded(kind))
        for _ in range(bed.scale.runs):
            one.counted.append(worker(bed, one.loaded))
            if len(SETTINGS) > 1:
                one.python.append(worker(bed, one.loaded, "python"))
            print(f"{kind.name}: {one.counted[-1]}", flush=True)
        bed.forget(one.loaded)
        worker_us = Spread.of([c.worker_us for c in one.counted])
        lines.append(
            f"| {kind.name} | {one.loaded.bytes_per_event:.0f} | {worker_us.text()} "
            f"| {_python(one, worker_us)} | {Spread.of([c.store_us for c in one.counted]).text()} "
            f"| {max(c.peak_mib for c in one.counted)} MiB "
            f"| {sum(c.chunk_events for c in one.counted) / len(one.counted):,.0f} |"
        )
    return lines


def _cpu_table(bed: Bed, found: Sequence[Measured]) -> list[str]:
    size = found[0].loaded.bytes_per_event
    lines = [
        (
            f"{bed.scale.events:,} preloaded lz4 events of {size:.0f} bytes, 200 tenants (Zipf), 8 "
            f"partitions keyed by tenant, {bed.scale.runs} runs in turn; Faust as documented reads "
            f"{bed.scale.faust_events:,} of them. CPU µs per event, all threads, best / median."
        ),
        "",
        (
            f"| rows per event | worker, everything on, {SETTINGS[-1]} reader "
            "| Python reader, ÷ that one | its peak memory | store beside it "
            "| bare aiokafka, msgspec, dict | Faust as documented "
            "| Faust ÷ worker | worker's peak memory | events per chunk |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in found:
        worker_us = Spread.of([c.worker_us for c in one.counted])
        store_us = Spread.of([c.store_us for c in one.counted])
        faust_us = Spread.of(one.faust_us)
        lines.append(
            f"| {one.loaded.rows_per_event:.2f} | {worker_us.text()} | {_python(one, worker_us)} "
            f"| {store_us.text()} "
            f"| {Spread.of(one.bare_us).text()} | {faust_us.text(0)} "
            f"| {faust_us.median / worker_us.median:.0f} "
            f"| {max(c.peak_mib for c in one.counted)} MiB "
            f"| {sum(c.chunk_events for c in one.counted) / len(one.counted):,.0f} |"
        )
    return lines


def _python(one: Measured, compiled_us: Spread) -> str:
    """Two cells: what the Python reader takes, and how many times as much; its peak memory."""
    if not one.python:
        return "| "
    python_us = Spread.of([counted.worker_us for counted in one.python])
    ratio = python_us.median / compiled_us.median
    peak = max(counted.peak_mib for counted in one.python)
    return f"{python_us.text()}, ÷ {ratio:.1f} | {peak} MiB"


def partitions(bed: Bed) -> list[str]:
    """The worker over 8 and over 64 partitions, in turn."""
    measured = [Measured(bed.loaded(WORKLOADS[1], number)) for number in (8, 64)]
    for _ in range(bed.scale.runs):
        for one in measured:
            one.counted.append(worker(bed, one.loaded))
            print(f"{one.loaded.partitions} partitions: {one.counted[-1]}", flush=True)
    lines = [
        (
            f"{bed.scale.events:,} events of the 0.3 workload, one worker, {bed.scale.runs} runs "
            "in turn. CPU µs per event, best / median."
        ),
        "",
        "| partitions | worker | store | worker's peak memory | events per chunk |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in measured:
        counted = one.counted
        lines.append(
            f"| {one.loaded.partitions} | {Spread.of([c.worker_us for c in counted]).text()} "
            f"| {Spread.of([c.store_us for c in counted]).text()} "
            f"| {max(c.peak_mib for c in counted)} MiB "
            f"| {sum(c.chunk_events for c in counted) / len(counted):,.0f} |"
        )
    return lines
