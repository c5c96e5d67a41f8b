"""What a scrape of ``/metrics`` costs with 10,000 tenants, and how long it stalls the worker."""

from __future__ import annotations

import statistics
import time
import urllib.request
from typing import NamedTuple

from tests.bench.bed import Bed, Run
from tests.bench.live import PARTITIONS, sending
from tests.bench.loop_probe import EVERY_SECONDS
from tests.bench.workload import TOPIC
from tests.support.harness.waiting import until

TENANTS = 10_000
RATE = 5_000
WARM_UP_SECONDS = 20.0
"""Until nearly all tenants were seen."""


class Scrape(NamedTuple):
    """One answer of ``/metrics``."""

    began: float
    seconds: float
    size: int


def scrape(bed: Bed) -> list[str]:
    """With the 500 labels of the default, and with a label for each tenant."""
    lines = [
        (
            f"{RATE:,} events/s of {TENANTS:,} tenants sent live to one worker, 8 partitions, and "
            "a scrape every second. A stall is how late the worker's event loop wakes from a sleep "
            f"of {EVERY_SECONDS * 1000:.0f} ms: while a scrape is answered, and between them "
            "(folding, inserts' encoding). In ms."
        ),
        "",
        (
            "| tenants with labels | size of the answer | duration, median | longest "
            "| stall beside it, median | longest | longest stall otherwise |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for labels in (500, TENANTS):
        lines.append(_scrape(bed, labels))
        print(lines[-1], flush=True)
    return lines


def _scrape(bed: Bed, labels: int) -> str:
    prefix, scrapes = f"scrape{labels}.", 5 if bed.scale.quick else 20
    bed.topics(prefix, PARTITIONS)
    stalls = bed.folder / f"stalls-{labels}"
    settings = {
        "USAGE_TENANT_LABELS": str(labels),
        "USAGE_HOOK": "tests.bench.loop_probe:hook",
        "BENCH_STALLS": str(stalls),
    }
    seconds = WARM_UP_SECONDS + scrapes * 3 + 10
    with (
        bed.run(prefix, **settings) as run,
        sending(bed, prefix, "1.0", RATE, seconds, TENANTS),
    ):
        run.await_reading(run.worker())
        since = time.time() + WARM_UP_SECONDS
        found = _scrapes(bed, run, prefix, scrapes)
    late = [_pair(line) for line in stalls.read_text().splitlines()]
    beside = [max((s for at, s in late if _touches(at, s, one)), default=0.0) for one in found]
    otherwise = [s for at, s in late if at > since and not any(_touches(at, s, o) for o in found)]
    took = [one.seconds * 1000 for one in found]
    return (
        f"| {labels:,} | {found[-1].size / 1e6:.2f} MB | {statistics.median(took):.0f} "
        f"| {max(took):.0f} | {statistics.median(beside) * 1000:.0f} | {max(beside) * 1000:.0f} "
        f"| {max(otherwise, default=0.0) * 1000:.0f} |"
    )


def _scrapes(bed: Bed, run: Run, prefix: str, scrapes: int) -> list[Scrape]:
    def warm() -> bool:
        return sum(run.committed(prefix + TOPIC, PARTITIONS).values()) > RATE * WARM_UP_SECONDS

    until(warm, within=120, what="tenants", explain=run.workers[0].tail, every=0.2)
    url, found = f"http://127.0.0.1:{run.ports[0]}/metrics", []
    for _ in range(scrapes):
        began = time.time()
        with urllib.request.urlopen(url, timeout=30) as answer:
            size = len(answer.read())
        found.append(Scrape(began, time.time() - began, size))
        time.sleep(1)
    return found


def _pair(line: str) -> tuple[float, float]:
    at, late = line.split()
    return float(at), float(late)


def _touches(at: float, late: float, scrape: Scrape) -> bool:
    return at + late > scrape.began and at < scrape.began + scrape.seconds
