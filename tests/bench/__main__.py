"""``python -m tests.bench [--quick] [--only NAME]``: measure, and write ``docs/benchmarks.md``.

Needs Java 17 and Maven, Linux, and some minutes; ``--quick`` measures a little, and writes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    api,
    browser,
    dedupe,
    kept_events,
    live,
    metrics,
    page,
    rebalances,
    rebuild,
    rivals,
    scaling,
    scrape,
    store,
    tenants,
    throughput,
    views,
    workers,
)
from tests.bench.bed import FULL, QUICK, Bed

BENCHES: dict[str, Callable[[Bed], list[str]]] = {
    "cpu": throughput.cpu,
    "rivals": rivals.rivals,
    "partitions": throughput.partitions,
    "catch-up": scaling.catch_up,
    "workers": workers.workers,
    "rebalances": rebalances.rebalances,
    "rebuild": rebuild.rebuild,
    "dedupe": dedupe.dedupe,
    "freshness": live.freshness,
    "store": store.store,
    "scrape": scrape.scrape,
    "product-events": kept_events.kept_events,
    "metrics": metrics.metrics,
    "views": views.views,
    "tenants": tenants.tenants,
    "api": api.api,
    "page": browser.browser,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events, one run each")
    parser.add_argument("--only", choices=BENCHES, action="append", help="may be repeated")
    parser.add_argument("--events", type=int, help="preloaded events, instead of 4 million")
    parser.add_argument(
        "--rows",
        type=int,
        help="of the views' rollup, instead of 100 million; of metrics' events, of 20",
    )
    parser.add_argument("--runs", type=int, help="of each measurement, instead of 3")
    asked = parser.parse_args()
    scale = QUICK if asked.quick else FULL
    if asked.events:
        scale = dataclasses.replace(scale, events=asked.events)
    if asked.rows:
        scale = dataclasses.replace(scale, view_rows=asked.rows, metric_events=asked.rows)
    if asked.runs:
        scale = dataclasses.replace(scale, runs=asked.runs)
    with tempfile.TemporaryDirectory(prefix="usage-bench-") as folder:
        bed = Bed(Path(folder), scale)
        try:
            for name in asked.only or BENCHES:
                _run(name, bed, _options(asked))
        finally:
            bed.stop()
    if not asked.quick:
        page.write("machine", page.machine())


def _run(name: str, bed: Bed, options: str) -> None:
    before = page.load_average()
    lines = BENCHES[name](bed)
    lines += [
        "",
        (
            f"`python -m tests.bench --only {name}{options}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}. "
            f"Before it: {before}; after it: {page.load_average()}."
        ),
    ]
    print("\n".join([f"\n## {name}\n", *lines]), flush=True)
    if not bed.scale.quick:
        page.write(name, lines)


def _options(asked: argparse.Namespace) -> str:
    events = f" --events {asked.events}" if asked.events else ""
    events += f" --rows {asked.rows}" if asked.rows else ""
    return events + (f" --runs {asked.runs}" if asked.runs else "")


if __name__ == "__main__":
    main()
