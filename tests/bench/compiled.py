"""What the compiled reader costs by itself, in memory: CPU per event, the Python reader beside it.

    python -m tests.bench.compiled [--events 200000] [--rounds 5]

Batches are packed by lz4, as the recommended producers do, and opened by both. Prints the least CPU
time of some rounds, in microseconds per event; compare within one run.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.facts import Rules, reader
from pipeline.facts.compiled.library import Library, NativeChunk, find
from tests.bench import facts

WINDOW = 1_000_000
_LZ4 = 3
_HEADERS = [("content-type", b"application/cloudevents+json")]
_BATCH_BYTES = 64 << 10
_RULES = Rules(duplicate_window=WINDOW)
_MOST = (8192, 4 << 20)
_CHUNK_ROWS = 100_000
_TOGETHER = 100
_PYTHON_EVENTS = 50_000

Event = dict[str, Any]


class Log(NamedTuple):
    """A partition's batches, as a broker sends them."""

    topic: str
    data: bytes
    events: int
    records: int


def library() -> Library:
    """The compiled reader's. Exits where there is none."""
    found = find(_RULES.contract)
    if found.library is None:
        raise SystemExit(f"{found.why}; `make native` builds it.")
    return found.library


def product_event(seeded: random.Random, at: int) -> Event:
    """A product event of 12 properties."""
    made = facts.event(seeded, at, 2000)
    properties = {
        "plan": seeded.choice(["free", "pro", "team"]),
        "seats": seeded.randrange(500),
        "amount": round(seeded.random() * 100, 2),
        "is_trial": seeded.random() < 0.5,
        "country": seeded.choice(["DE", "NO", "US", "JP"]),
        "page": f"/reports/{seeded.randrange(300)}",
        "duration_ms": seeded.randrange(10_000),
        "browser": seeded.choice(["firefox", "chromium", "safari"]),
        "tags": ["export", seeded.choice(["csv", "xlsx"])],
        "file": {"kind": "csv", "bytes": seeded.randrange(1 << 24), "name": "usage.csv"},
    }
    data = {"name": "report_exported", "user_id": made["data"]["user_id"], "properties": properties}
    return {**made, "type": "usage.event.v1", "data": data}


def packed(topic: str, events: Iterator[Event], together: int = 1) -> Log:
    """The events, so many in each record."""
    now, done, batches, first = facts.NOW, 0, [], 0
    some = list(events)
    values = [
        json.dumps(some[n] if together == 1 else some[n : n + together], separators=(",", ":"))
        for n in range(0, len(some), together)
    ]
    while done < len(values):
        builder = DefaultRecordBatchBuilder(2, _LZ4, 0, -1, -1, 0, _BATCH_BYTES)
        while done < len(values):
            kind = [("content-type", b"application/cloudevents-batch+json")]
            headers = _HEADERS if together == 1 else kind
            octets = values[done].encode()
            if builder.append(done - first, now, None, octets, headers) is None:
                break
            done += 1
        batches.append(first.to_bytes(8, "big") + bytes(builder.build())[8:])
        first = done
    return Log(topic, b"".join(batches), len(some), len(values))


def requests(groups: int, count: int) -> Iterator[Event]:
    """So many requests of so many groups."""
    seeded = random.Random(groups)
    return (facts.event(seeded, n, groups) for n in range(count))


def compiled(log: Log, *, into_rows: bool = True) -> Callable[[], int]:
    """What reads the log with the compiled reader and makes its blocks; or only remembers ids."""
    native = library()
    one = native.Reader(
        log.topic,
        too_early_ms=_RULES.too_early_seconds * 1000,
        too_late_ms=_RULES.too_late_seconds * 1000,
        max_record_bytes=_RULES.max_record_bytes,
        max_depth=_RULES.max_depth,
        max_batch_elements=_RULES.max_batch_elements,
        task_rule_set=_RULES.task_rule_set,
        duplicate_window=WINDOW,
    )

    def read() -> int:
        fetch = native.Fetch(log.data, 0, [], True, True)
        chunk, rows = native.Chunk(log.topic), 0
        while (piece := fetch.slice(*_MOST)) is not None:
            one.begin(piece, piece.start, piece.end)
            if one.step(chunk if into_rows else None) is not None:
                raise RuntimeError("a record was not of the common form")
            if len(chunk) >= _CHUNK_ROWS:
                rows += _ended(chunk)
                chunk = native.Chunk(log.topic)
        return rows + _ended(chunk)

    return read


def _ended(chunk: NativeChunk) -> int:
    chunk.minutes()
    chunk.outcomes()
    chunk.block()
    return len(chunk)


def python(log: Log) -> Callable[[], int]:
    """What reads as much as may take a while with the Python reader, blocks aside."""
    records: list[Any] = []
    batches = MemoryRecords(log.data)
    most = _PYTHON_EVENTS * log.records // log.events
    while len(records) < most and (batch := batches.next_batch()) is not None:
        records.extend(batch)
    records = records[:most]
    one = reader(log.topic, _RULES)

    def read() -> int:
        into = one.facts()
        one.read(records, into)
        into.minutes()
        return into.received

    return read


def least(make: Callable[[], Callable[[], int]], rounds: int, events: int) -> float:
    """The least CPU time of some rounds, each of a fresh reader; µs per event."""
    best = float("inf")
    for _ in range(rounds):
        read = make()
        before = time.process_time()
        read()
        best = min(best, time.process_time() - before)
    return best / events * 1e6


def logs(count: int) -> Sequence[tuple[str, Log]]:
    """What is measured."""
    seeded = random.Random(1)
    events = (product_event(seeded, n) for n in range(count))
    return [
        ("requests, 2,000 groups", packed("usage.requests", requests(2000, count))),
        ("requests, 60,000 groups", packed("usage.requests", requests(60_000, count))),
        ("requests, all distinct", packed("usage.requests", requests(1 << 40, count))),
        ("requests, 100 a record", packed("usage.requests", requests(2000, count), _TOGETHER)),
        ("product events, 12 leaves", packed("usage.events", events)),
    ]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print("| µs per event | compiled | ids alone | Python | bytes |")
    print("| --- | --- | --- | --- | --- |")
    for name, log in logs(asked.events):
        rows = least(lambda log=log: compiled(log), asked.rounds, log.events)  # type: ignore[misc]
        ids = least(
            lambda log=log: compiled(log, into_rows=False),  # type: ignore[misc]
            asked.rounds,
            log.events,
        )
        slow = least(lambda log=log: python(log), 2, min(log.events, _PYTHON_EVENTS))  # type: ignore[misc]
        size = len(log.data) // log.events
        print(f"| {name} | {rows:.2f} | {ids:.2f} | {slow:.2f} | {size} |", flush=True)


if __name__ == "__main__":
    main()
