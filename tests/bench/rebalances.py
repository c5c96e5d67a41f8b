"""What comings and goings of workers cost those who count: events wait, and how long."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from typing import NamedTuple

from pipeline.clickhouse.client import Store
from tests.bench.bed import Bed, Run
from tests.bench.live import sending
from tests.bench.workload import TOPIC, WORKLOADS, load
from tests.support.harness.waiting import until

SHORT_ROUNDS = {
    "USAGE_FLUSH_SECONDS": "0.25",
    "USAGE_QUIET_EVENTS": "0",
    "USAGE_INSERTS_PER_SECOND": "1000",
}
"""So that an event's age tells of rebalances, and not of when the next round is."""
PARTITIONS, RATE = 64, 5_000
WARM_SECONDS, CALM_SECONDS, LONGEST_SECONDS = 6.0, 6.0, 25.0
WINDOW = 1_000_000
KILLED_PARTITIONS = 4
"""Two for each of two workers: what a survivor takes up when one of eight over 64 is killed."""
KILLED_RATE = 2_000
SESSION_SECONDS = 6
_numbers = itertools.count(1)


class Ages(NamedTuple):
    """The longest time in seconds from an event's arrival to its row in the ledger."""

    calm: float
    joined: float
    """While a worker joined."""
    left: float
    """While one ended in order."""


class Replaced(NamedTuple):
    """How a killed worker's partitions went on."""

    partitions: int
    seconds: float
    """After the session timeout."""


def rebalances(bed: Bed) -> list[str]:
    """Measure a worker that joins, one that ends and one that is killed."""
    ages = _ages(bed)
    killed = _killed(bed)
    return [
        (
            f"{RATE:,} events/s in {PARTITIONS} partitions, rounds of 0.25 s: how old "
            "events were when they were in the ledger, the oldest of all, in seconds."
        ),
        "",
        "| | oldest | more than in calm |",
        "| --- | --- | --- |",
        f"| two workers, nobody comes or goes | {ages.calm:.2f} | |",
        f"| a third joins | {ages.joined:.2f} | {ages.joined - ages.calm:.2f} |",
        f"| one of three ends in order | {ages.left:.2f} | {ages.left - ages.calm:.2f} |",
        "",
        (
            f"Of two workers over {KILLED_PARTITIONS} partitions, of which each has {WINDOW:,} ids "
            f"to remember, the one with {killed.partitions} of them is killed (SIGKILL) while "
            f"{KILLED_RATE:,} events/s come in. What comes later is in the ledger, of all "
            f"partitions, {killed.seconds:.1f} s after the session timeout, {SESSION_SECONDS} s."
        ),
    ]


def _ages(bed: Bed) -> Ages:
    prefix = f"moved{next(_numbers)}."
    bed.topics(prefix, PARTITIONS)
    seconds = WARM_SECONDS + CALM_SECONDS + 2 * LONGEST_SECONDS
    with bed.run(prefix, **SHORT_ROUNDS) as run:
        first = run.worker()
        run.worker()
        run.await_shared(2)
        with sending(bed, prefix, "0.3", RATE, seconds, partitions=PARTITIONS):
            _await_rows(run)
            time.sleep(WARM_SECONDS)  # the sender and the workers have begun, which is not calm
            calm = _oldest(run, CALM_SECONDS)
            run.worker()
            joined = _oldest(run, LONGEST_SECONDS / 2)
            run.await_shared(3)
            ended = time.time()
            assert first.terminate() == 0, first.tail()
            run.workers.remove(first)
            left = _oldest(run, LONGEST_SECONDS / 2, since=ended)
        ages = Ages(calm, joined, left)
    print(f"oldest events: {ages}", flush=True)
    return ages


def _await_rows(run: Run) -> None:
    with run.connect() as store:
        until(
            lambda: bool(store.query("SELECT 1 FROM chunks LIMIT 1")),
            within=60,
            what="a row in the ledger",
        )


def _oldest(run: Run, seconds: float, since: float | None = None) -> float:
    """Return the oldest event of the chunks that came into the ledger within so many seconds."""
    since = time.time() if since is None else since
    time.sleep(since + seconds - time.time())  # it is the time itself that is measured
    with run.connect() as store:
        [(oldest,)] = store.query(
            "SELECT max(recorded_at - first_arrival) FROM chunks WHERE received > 0 "
            "AND recorded_at BETWEEN fromUnixTimestamp64Milli({since:Int64}, 'UTC') "
            "AND fromUnixTimestamp64Milli({until:Int64}, 'UTC')",
            {"since": round(since * 1000), "until": round((since + seconds) * 1000)},
        )
    return float(oldest)


def _killed(bed: Bed) -> Replaced:
    """Kill the worker that counts most of the partitions."""
    prefix, count = f"killed{next(_numbers)}.", KILLED_PARTITIONS
    bed.topics(prefix, count)
    events = count * (50_000 if bed.scale.quick else WINDOW)
    loaded = load(bed.kafka.servers, prefix, WORKLOADS[1], events, count)
    with bed.run(prefix, USAGE_SESSION_TIMEOUT_SECONDS=str(SESSION_SECONDS)) as run:
        for _ in range(2):
            run.worker()
        run.await_shared(2)
        run.await_counted(loaded)
        with sending(bed, prefix, "0.3", KILLED_RATE, 90, partitions=count), run.connect() as store:
            until(lambda: _counting(store, events), within=60, what="new events in all partitions")
            replaced = _replaced(bed, run, store, _counting(store, events))
    print(f"replaced: {replaced}", flush=True)
    return replaced


def _counting(store: Store, since: int) -> dict[int, str]:
    """Return which worker counts each partition, once all have gone on behind what was loaded."""
    rows = store.query(
        "SELECT partition, argMax(worker, to_offset), max(to_offset) FROM chunks "
        "WHERE endsWith(topic, {topic:String}) GROUP BY partition",
        {"topic": TOPIC},
    )
    counted = sum(to for _, _, to in rows)
    is_on = len(rows) == KILLED_PARTITIONS and counted > since + KILLED_RATE
    return {partition: worker for partition, worker, _ in rows} if is_on else {}


def _replaced(bed: Bed, run: Run, store: Store, counting: dict[int, str]) -> Replaced:
    [(name, lost)] = Counter(counting.values()).most_common(1)
    [victim] = [one for one in run.workers if one.pid == int(name.rpartition(":")[2])]
    victim.kill9()
    run.workers.remove(victim)
    killed = time.time()
    topic = run.prefix + TOPIC
    ends = {n: end for n, (_, end) in bed.kafka.bounds(topic).items()}

    def all_on() -> bool:
        rows = store.query(
            "SELECT partition, max(to_offset) FROM chunks WHERE topic = {topic:String} "
            "GROUP BY partition",
            {"topic": topic},
        )
        reached = dict(rows)
        return all(reached.get(n, 0) > end for n, end in ends.items())

    until(all_on, within=300, what="all partitions that go on", every=0.1)
    return Replaced(lost, time.time() - killed - SESSION_SECONDS)
