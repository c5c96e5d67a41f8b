"""What telling duplicates costs: CPU per event, bytes per id, and the speed of remembering.

Without a broker: the records are in memory. Compare within one run.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.facts import Reader, Rules, reader
from pipeline.facts.python_facts import PythonFacts
from pipeline.facts.repeats.window import Window
from tests.bench.bed import Bed
from tests.bench.workload import HEADERS, TOPIC, WORKLOADS, Stream

WINDOW = 1_000_000
FETCH = 4_000
"""Records handed over at a time."""
CHUNK_FETCHES = 25
"""A chunk begins after so many."""
FULL_READ, QUICK_READ = 400_000, 40_000


class Rec(NamedTuple):
    """A record in memory."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes


def dedupe(bed: Bed) -> list[str]:
    """Costs with a full window, with none, and how fast it fills; memory by number of ids."""
    window, count = (WINDOW // 10, QUICK_READ) if bed.scale.quick else (WINDOW, FULL_READ)
    now_ms = time.time_ns() // 1_000_000
    log = _fetches(Stream(WORKLOADS[1]), now_ms)
    with_it, without = _reader(window), _reader(0)
    remembered = _cpu_seconds(with_it.remember, log, window)
    taken: list[tuple[float, float]] = []
    for number, batch in enumerate(itertools.islice(log, count // FETCH)):
        if number % CHUNK_FETCHES == 0:
            chunk, other = PythonFacts(with_it.head), PythonFacts(without.head)
        taken.append(
            (
                _timed(lambda: with_it.read(batch, chunk)),  # noqa: B023 - called at once
                _timed(lambda: without.read(batch, other)),  # noqa: B023
            )
        )
    assert chunk.counted == other.counted
    assert not chunk.duplicate
    on, off = (
        statistics.quantiles(each, n=10)[0] / FETCH * 1e6 for each in zip(*taken, strict=True)
    )
    return [
        (
            f"Requests of some 400 bytes in memory, {FETCH:,} at a time; a window of {window:,} "
            f"offsets, filled by `remember`. CPU time; of {count // FETCH} fetches, read in turn "
            "by a reader with the window and by one without, the lower decile."
        ),
        "",
        "| | µs / event |",
        "| --- | --- |",
        f"| events to columns, duplicates dropped | **{on:.2f}** |",
        f"| events to columns, none looked for | {off:.2f} |",
        f"| telling duplicates | {on - off:.2f} |",
        (
            f"| remembering, as at a takeover ({window / remembered:,.0f} records/s a core) | "
            f"{remembered / window * 1e6:.2f} |"
        ),
        "",
        "| ids remembered | bytes each | most while they came |",
        "| --- | --- | --- |",
        *_memory(window),
    ]


def _reader(window: int) -> Reader:
    return reader(TOPIC, Rules(duplicate_window=window))


def _fetches(stream: Stream, now_ms: int) -> Iterator[list[Rec]]:
    """Yield fetches, one after the other."""
    headers = tuple((name, value) for name, value in HEADERS if isinstance(value, bytes))
    offset = 0
    for message in stream.blocks(10 * WINDOW, now_ms):
        for first in range(0, len(message), FETCH):
            values = [value for _, value in message[first : first + FETCH]]
            yield [Rec(offset + n, now_ms, headers, value) for n, value in enumerate(values)]
            offset += len(values)


def _cpu_seconds(
    work: Callable[[Sequence[Rec]], None], log: Iterator[list[Rec]], count: int
) -> float:
    """CPU seconds of handing over so many records, without making them."""
    return sum(_timed(lambda: work(batch)) for batch in itertools.islice(log, count // FETCH))  # noqa: B023


def _timed(work: Callable[[], None]) -> float:
    gc.collect(0)
    before = time.process_time()
    work()
    return time.process_time() - before


def _memory(window: int) -> Iterator[str]:
    """Yield lines of what a window's arrays take, by the ids in it."""
    drawn = np.random.default_rng(1)
    tracemalloc.start()
    try:
        one, offset = Window(window), 0
        for share in (0.05, 0.2, 0.4, 0.7, 1.0, 2.0):
            tracemalloc.reset_peak()
            for first in range(offset, int(window * share), FETCH):
                one.repeats(
                    drawn.integers(0, 2**64, FETCH, dtype=np.uint64),
                    drawn.integers(0, 2**32, FETCH, dtype=np.uint32),
                    np.arange(first, first + FETCH),
                )
            offset = int(window * share)
            ids = min(offset, window)
            name = f"{ids:,}" + (" (twice over)" if share > 1 else "")
            peak = tracemalloc.get_traced_memory()[1]
            yield f"| {name} | {one.size_bytes / ids:.1f} | {peak / ids:.1f} |"
    finally:
        tracemalloc.stop()
