"""What the store's process costs: how parts lie on the disk, how often chunks are sealed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.clickhouse.schema import retention, table_settings
from tests.bench import floor, run_cost
from tests.bench.bed import Bed, Clock, Run
from tests.bench.live import PARTITIONS, sending
from tests.bench.measure import Spread
from tests.bench.workload import TOPIC, WORKLOADS
from tests.support.harness.waiting import until

RATES = (100, 5_000, 50_000)
COUNTED_SECONDS = 120.0
_numbers = itertools.count(1)


class Variant(NamedTuple):
    """One way to run the store and its worker."""

    name: str
    is_plain: bool
    """Whether the tables are as ClickHouse's defaults have them."""
    settings: Mapping[str, str]


EACH_SECOND = {"USAGE_QUIET_EVENTS": "0"}
VARIANTS = (
    Variant("ClickHouse's defaults, sealed each second", True, EACH_SECOND),
    Variant("as migrated, sealed each second", False, EACH_SECOND),
    Variant("as migrated, settings as they come", False, {}),
)
MANY_PARTITIONS, LIVE_RATE = 64, 5_000
LARGE_CHUNKS = Variant("as migrated, large chunks", False, {"USAGE_BUFFER_EVENTS": "800000"})

Measure = Callable[[Variant], float]


def store(bed: Bed) -> list[str]:
    """Measure each variant in turn: live at each rate, catching up; then `usage run`."""
    cells: dict[str, list[str]] = {variant.name: [] for variant in VARIANTS}
    for rate in RATES:
        for name, us in _in_turn(bed, f"{rate}/s", _live(bed, rate)).items():
            cells[name].append(f"{us * rate / 1e4:.1f} %, {us:,.1f} µs")
    for name, us in _in_turn(bed, "catching up", _catching_up(bed)).items():
        cells[name].append(f"{us:.2f} µs")
    return [
        (
            f"One worker, {PARTITIONS} partitions, events of the 0.3 workload: sent for "
            f"{bed.scale.live_seconds} s at each rate, and {bed.scale.events:,} that wait. "
            f"{bed.scale.runs} runs in turn, medians. CPU of the store's process from the first "
            "event until all are counted: % of a core, and µs per event."
        ),
        "",
        f"| tables, chunks | {' | '.join(f'{rate:,} events/s' for rate in RATES)} | catching up |",
        f"| --- | {' | '.join('---' for _ in RATES)} | --- |",
        *(f"| {name} | {' | '.join(row)} |" for name, row in cells.items()),
        "",
        *_shapes(bed),
        "",
        *floor.lines(bed),
        "",
        *run_cost.lines(bed),
    ]


def _shapes(bed: Bed) -> list[str]:
    """The same worker with more partitions, and with chunks as large as they may become."""
    few, many = (_live(bed, LIVE_RATE, partitions) for partitions in (PARTITIONS, MANY_PARTITIONS))
    as_they_come = VARIANTS[-1]
    sizes: list[float] = []
    eight, of_many = few(as_they_come), many(as_they_come)
    catching_up = _catching_up(bed, sizes)
    small, large = catching_up(as_they_come), catching_up(LARGE_CHUNKS)
    lines = [
        (
            f"Settings as they come, {LIVE_RATE:,} events/s: {eight:.1f} µs in {PARTITIONS} "
            f"partitions, {of_many:.1f} in {MANY_PARTITIONS}."
        ),
        "",
        (
            f"Catching up: {small:.2f} µs in chunks of {sizes[0]:,.0f} events on average; with "
            f"`USAGE_BUFFER_EVENTS=800000` {large:.2f} in chunks of {sizes[1]:,.0f}."
        ),
    ]
    print("\n".join(lines), flush=True)
    return lines


def _in_turn(bed: Bed, what: str, measure: Measure) -> dict[str, float]:
    """Median CPU µs per event of each variant."""
    found: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(bed.scale.runs):
        for variant in VARIANTS:
            found[variant.name].append(measure(variant))
            print(f"{what}, {variant.name}: {found[variant.name][-1]:.2f} µs", flush=True)
    return {name: Spread.of(values).median for name, values in found.items()}


def _live(bed: Bed, rate: int, partitions: int = PARTITIONS) -> Measure:
    def measure(variant: Variant) -> float:
        prefix, seconds = f"store{next(_numbers)}.", float(bed.scale.live_seconds)
        bed.topics(prefix, partitions)
        with bed.run(prefix, **variant.settings) as run:
            _set(run, variant)
            worker = run.worker()
            run.await_reading(worker)
            clock = Clock.start(run.store.process.pid)
            many = {"partitions": partitions}
            with sending(bed, prefix, "0.3", rate, seconds, **many) as sender:
                assert sender.wait(int(seconds) + 120) == 0, sender.tail()
            topic = prefix + TOPIC
            ends = {n: end for n, (_, end) in bed.kafka.bounds(topic).items()}
            until(
                lambda: run.committed(topic, partitions) == ends,
                within=COUNTED_SECONDS,
                what="all that was sent committed",
                explain=worker.tail,
            )
            [spent] = clock.cpu_since()
        return spent / sum(ends.values()) * 1e6

    return measure


def _catching_up(bed: Bed, sizes: list[float] | None = None) -> Measure:
    loaded = bed.loaded(WORKLOADS[1], PARTITIONS)

    def measure(variant: Variant) -> float:
        with bed.run(loaded.prefix, **variant.settings) as run:
            _set(run, variant)
            run.await_reading(run.worker())
            clock = Clock.start(run.store.process.pid)
            run.await_counted(loaded)
            [spent] = clock.cpu_since()
            if sizes is not None:
                with run.connect() as store:
                    [(size,)] = store.query("SELECT avg(received) FROM chunks WHERE received > 0")
                sizes.append(size)
        return spent / loaded.events * 1e6

    return measure


def _set(run: Run, variant: Variant) -> None:
    """Take our settings off the tables, where the variant is without them."""
    if not variant.is_plain:
        return
    names = ", ".join(table_settings.SETTINGS)
    with run.connect() as store:
        for table in retention.tables(store):
            store.command(f"ALTER TABLE `{table}` RESET SETTING {names}")
