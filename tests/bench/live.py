"""Freshness: from a record's timestamp until its chunk is in the ledger, for events sent live."""

from __future__ import annotations

import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from confluent_kafka import TopicPartition

from tests.bench.bed import Bed, Clock, Run, script
from tests.bench.measure import peak_mib, quantile
from tests.bench.workload import TOPIC, WORKLOADS, Sender, Stream, Workload
from tests.support.harness.process import Process
from tests.support.harness.waiting import until

PARTITIONS = 8
CASES = ((5_000, PARTITIONS), (50_000, PARTITIONS), (5_000, 64))
"""Events per second, and over how many partitions."""
LOOK_SECONDS = 0.2
"""How often the ledger is asked; freshness reads up to so much too long, and the store has to
answer."""

_TICK_SECONDS = 0.02


def send(
    servers: str, topic: str, name: str, rate: int, seconds: float, tenants: int, partitions: int
) -> None:
    """Send events at a rate; the rest of a tick that was missed is made up for."""
    keys = next(w for w in WORKLOADS if w.name == name).keys
    stream = Stream(Workload(name, keys, tenants))
    sender = Sender(servers, topic, partitions)
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate) - sent
        if due:
            sender.send(stream.at_once(due))
            sent += due
        time.sleep(_TICK_SECONDS)
    sender.flush()
    print(f"sent {sent}", flush=True)


@contextmanager
def sending(
    bed: Bed,
    prefix: str,
    name: str,
    rate: int,
    seconds: float,
    tenants: int = 200,
    partitions: int = PARTITIONS,
) -> Iterator[Process]:
    """Send beside the block, from a process of its own."""
    numbers = (rate, seconds, tenants, partitions)
    arguments = (bed.kafka.servers, prefix + TOPIC, name, *map(str, numbers))
    process = script("live", *arguments, folder=bed.folder)
    try:
        yield process
    finally:
        if process.is_running:
            process.kill9()


@dataclass
class Looks:
    """When each partition's ledger was seen to reach which offset."""

    at_ms: dict[int, list[float]] = field(default_factory=dict)
    reached: dict[int, list[int]] = field(default_factory=dict)

    def look(self, found: list[tuple[int, int]]) -> None:
        now = time.time() * 1000
        for partition, end in found:
            ends = self.reached.setdefault(partition, [0])
            if end > ends[-1]:
                ends.append(end)
                self.at_ms.setdefault(partition, []).append(now)

    def seen_ms(self, partition: int, offset: int) -> float:
        """Return when the record at an offset could first be queried."""
        return self.at_ms[partition][bisect_right(self.reached[partition], offset) - 1]


@contextmanager
def looking(run: Run) -> Iterator[Looks]:
    """Ask the ledger again and again during the block."""
    looks, ended = Looks(), threading.Event()

    def look() -> None:
        with run.connect() as store:
            while not ended.wait(LOOK_SECONDS):
                sql = "SELECT partition, max(to_offset) FROM chunks GROUP BY partition"
                looks.look([(p, o) for p, o in store.query(sql)])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        ended.set()
        thread.join()


def ages(bed: Bed, topic: str, looks: Looks) -> list[tuple[float, int]]:
    """Return how old events were, in ms, when they could be queried: (age, events), in order."""
    consumer = bed.kafka.consumer(**{"enable.partition.eof": False})
    bounds = bed.kafka.bounds(topic)
    found: Counter[float] = Counter()
    for partition, (first, end) in bounds.items():
        consumer.assign([TopicPartition(topic, partition, first)])
        position = first
        while position < end:
            for message in consumer.consume(20_000, 1.0):
                offset, stamp = message.offset(), message.timestamp()[1]
                assert offset is not None
                found[round(looks.seen_ms(partition, offset) - stamp)] += 1
                position = offset + 1
    consumer.close()
    return sorted(found.items())


def freshness(bed: Bed) -> list[str]:
    """Send at each rate to one worker and see how old events are when they can be queried."""
    lines = [
        (
            f"Events of the 0.3 workload sent for {bed.scale.live_seconds} s to one worker, "
            "settings as they come. From a record's timestamp to its chunk in the "
            f"ledger, in seconds (asked every {LOOK_SECONDS * 1000:.0f} ms); the producer, broker "
            "and store share the machine. CPU in µs per event."
        ),
        "",
        (
            "| events/s asked | partitions | sent | p50 | p99 | longest | worker CPU | store CPU "
            "| worker's peak memory |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for rate, partitions in CASES:
        lines.append(_freshness(bed, rate, partitions))
        print(lines[-1], flush=True)
    return lines


def _freshness(bed: Bed, rate: int, partitions: int) -> str:
    prefix, seconds = f"live{rate}x{partitions}.", float(bed.scale.live_seconds)
    topic = prefix + TOPIC
    bed.topics(prefix, partitions)
    with bed.run(prefix) as run:
        worker = run.worker()
        run.await_reading(worker)
        clock = Clock.start(worker.pid, run.store.process.pid)
        with looking(run) as looks:
            with sending(bed, prefix, "0.3", rate, seconds, 200, partitions) as sender:
                assert sender.wait(int(seconds) + 120) == 0, sender.tail()
            ends = {n: end for n, (_, end) in bed.kafka.bounds(topic).items()}
            until(
                lambda: all(looks.reached.get(n, [0])[-1] >= end for n, end in ends.items()),
                within=120,
                what="all that was sent in the ledger",
                explain=worker.tail,
            )
        of_worker, of_store = clock.cpu_since()
        peak, events = peak_mib(worker.pid), sum(ends.values())
    found = ages(bed, topic, looks)
    p50, p99, longest = (quantile(found, q) / 1000 for q in (0.5, 0.99, 1.0))
    return (
        f"| {rate:,} | {partitions} | {events / seconds:,.0f}/s "
        f"| {p50:.2f} | {p99:.2f} | {longest:.2f} "
        f"| {of_worker / events * 1e6:.2f} | {of_store / events * 1e6:.2f} | {peak} MiB |"
    )


if __name__ == "__main__":
    _, _servers, _topic, _name, _rate, _seconds, *_counts = sys.argv
    send(_servers, _topic, _name, int(_rate), float(_seconds), *map(int, _counts))
