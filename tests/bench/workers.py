"""Many workers over 64 partitions: what an event costs them all together."""

from __future__ import annotations

import itertools
import time

from tests.bench.bed import Bed, Clock, Run
from tests.bench.live import sending
from tests.bench.measure import Spread
from tests.bench.workload import EVENTS_PER_SECOND, TOPIC, WORKLOADS, Sender, Stream
from tests.support.harness.waiting import until

WORKERS = (1, 2, 4, 8)
PARTITIONS = 64
RATE = 4_000
"""Events per second for each worker, live: eight of them are about what two cores count."""
TRANSACTION_MS = 600_000
_numbers = itertools.count(1)


def workers(bed: Bed) -> list[str]:
    """Measure one worker and more, in turn: a backlog, and events as they come."""
    found: dict[int, tuple[list[float], list[float]]] = {count: ([], []) for count in WORKERS}
    for _ in range(bed.scale.runs):
        for count, (backlog, live) in found.items():
            backlog.append(_backlog_us(bed, count))
            live.append(_live_us(bed, count))
            print(f"{count} workers: {backlog[-1]:.2f} µs, live {live[-1]:.2f} µs", flush=True)
    alone = [Spread.of(costs).median for costs in found[1]]
    return [
        (
            f"Events of the 0.3 workload in {PARTITIONS} partitions; {bed.scale.runs} runs in "
            "turn; CPU µs per event of all workers together, best / median, and what that is of "
            f"one worker's. A backlog: {bed.scale.events:,} events, which become visible at once "
            f"when all workers have their share. Live: {RATE:,} events/s for each worker, for "
            f"{bed.scale.live_seconds} s. Workers, broker and store share the machine's cores."
        ),
        "",
        "| workers | backlog | ÷ one | live | ÷ one |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {count} | {_cells(costs[0], alone[0])} | {_cells(costs[1], alone[1])} |"
            for count, costs in found.items()
        ),
    ]


def _cells(costs: list[float], alone: float) -> str:
    spread = Spread.of(costs)
    return f"{spread.text()} | {spread.median / alone:.2f}"


def _backlog_us(bed: Bed, count: int) -> float:
    """CPU per event of so many workers, that wait for the events before there are any."""
    prefix = f"many{next(_numbers)}."
    bed.topics(prefix, PARTITIONS)
    with bed.run(prefix) as run:
        _start(run, count)
        _send_at_once(bed, prefix + TOPIC)
        clock = Clock.start(*(worker.pid for worker in run.workers))
        spent = _spent(bed, run, clock)
    bed.kafka.delete_topic(prefix + TOPIC)
    return spent / bed.scale.events * 1e6


def _live_us(bed: Bed, count: int) -> float:
    """CPU per event of so many workers, each of which has as much to do as one alone."""
    prefix, seconds = f"many{next(_numbers)}.", float(bed.scale.live_seconds)
    bed.topics(prefix, PARTITIONS)
    with bed.run(prefix) as run:
        _start(run, count)
        clock = Clock.start(*(worker.pid for worker in run.workers))
        rate = RATE * count
        with sending(bed, prefix, "0.3", rate, seconds, partitions=PARTITIONS) as sender:
            assert sender.wait(int(seconds) + 120) == 0, sender.tail()
        spent = _spent(bed, run, clock)
    events = sum(end for _, end in bed.kafka.bounds(prefix + TOPIC).values())
    bed.kafka.delete_topic(prefix + TOPIC)
    return spent / events * 1e6


def _start(run: Run, count: int) -> None:
    for _ in range(count):
        run.worker()
    run.await_shared(count)


def _spent(bed: Bed, run: Run, clock: Clock) -> float:
    """CPU seconds until everything in the topic is counted and committed."""
    topic = run.prefix + TOPIC
    ends = {n: end for n, (_, end) in bed.kafka.bounds(topic).items()}

    def is_counted() -> bool:
        # The marker of a transaction may come behind the ends that are known here.
        committed = run.committed(topic, PARTITIONS)
        return all(committed[n] >= end for n, end in ends.items())

    until(
        is_counted,
        within=300,
        what="the end of the topic",
        explain=run.workers[0].tail,
        every=0.1,
    )
    return sum(clock.cpu_since())


def _send_at_once(bed: Bed, topic: str) -> None:
    events = bed.scale.events
    config: dict[str, str | int] = {
        "transactional.id": topic,
        "transaction.timeout.ms": TRANSACTION_MS,
    }
    sender = Sender(bed.kafka.servers, topic, PARTITIONS, **config)
    first_ms = time.time_ns() // 1_000_000 - events * 1000 // EVENTS_PER_SECOND
    with sender.hidden():
        for block in Stream(WORKLOADS[1]).blocks(events, first_ms):
            sender.send(block)
