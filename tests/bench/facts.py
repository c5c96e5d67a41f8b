"""What events-to-columns costs: CPU per event, and what grouping in Python would add.

    python -m tests.bench.facts [--events 100000] [--rounds 7]

Prints the least CPU time of some rounds, in microseconds per event; compare within one run.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipeline.facts import REQUESTS, Facts, Rules, reader
from pipeline.facts.bulk.decode import CommonRequest, decoders
from pipeline.facts.python_facts import PythonFacts

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
FETCH = 4000  # records handed over at a time
NAMES = [name for name, _ in REQUESTS.columns]
KEYS = (*range(NAMES.index("failed")), NAMES.index("currency"))
SUMS = range(NAMES.index("failed"), NAMES.index("currency"))


class Rec(NamedTuple):
    """A record in memory."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes


def event(seeded: random.Random, at: int, groups: int) -> dict[str, Any]:
    """A request of one of so many groups, about 400 bytes of JSON."""
    group = seeded.randrange(groups)
    return {
        "specversion": "1.0",
        "id": f"req-{seeded.getrandbits(48):012x}",
        "source": "/gateway/eu-1",
        "type": "usage.request.v1",
        "subject": f"tenant-{group % 200:03d}",
        "time": f"2026-03-01T12:34:{at // 1000 % 60:02d}.{at % 1000:03d}Z",
        "data": {
            "operation": "chat",
            "model": "gpt-4o-mini",
            "status_code": 200,
            "duration_ms": round(seeded.random() * 3000, 3),
            "token_id": f"tok-{group // 7 % 1000:04d}",
            "user_id": f"user-{group:06d}",
            "team_id": f"team-{group % 31}",
            "agent_id": f"agent-{group % 50}",
            "input_tokens": seeded.randrange(5000),
            "output_tokens": seeded.randrange(2000),
            "cost": round(seeded.random() / 10, 6),
            "currency": "USD",
        },
    }


def records(count: int, groups: int, change: Callable[[dict[str, Any]], Any]) -> list[Rec]:
    """So many records; ``change`` makes them less common."""
    seeded = random.Random(1)
    made = []
    for at in range(count):
        one = event(seeded, at, groups)
        if at % 100 == 0 or change is not unusual:
            change(one)
        value = json.dumps(one, separators=(",", ":")).encode()
        made.append(Rec(at, NOW + at // 10, (), value))
    return made


def unchanged(_: dict[str, Any]) -> None:
    """Events in the common form."""


def unusual(one: dict[str, Any]) -> None:
    """Takes the slow path (one in a hundred)."""
    one["datacontenttype"] = "application/json; charset=utf-8"


def extended(one: dict[str, Any]) -> None:
    """Events with attributes that the contract does not know."""
    one["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    one["data"]["region"] = {"name": "eu-1", "zones": ["a", "b"]}


def finer(one: dict[str, Any]) -> None:
    """Microseconds with an offset, costs of a float's length, as Python producers write them."""
    one["time"] = one["time"].replace("Z", "123+00:00")
    one["data"]["cost"] = one["data"]["input_tokens"] * 1.5e-7


def read(batch: list[Rec]) -> Facts:
    """All the records into facts."""
    facts = PythonFacts(REQUESTS)
    one = reader("usage.requests", Rules(duplicate_window=0))  # tests.bench.dedupe measures it
    for first in range(0, len(batch), FETCH):
        one.read(batch[first : first + FETCH], facts)
    return facts


def grouped(facts: Facts) -> dict[tuple[Any, ...], list[int]]:
    """The columns' rows summed in a dict of groups."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    keys = zip(*[facts.columns[column] for column in KEYS], strict=True)
    values = zip(*[facts.columns[column] for column in SUMS], strict=True)
    for key, (failed, took, read_, written, cached, created, reasoned, without, nanos) in zip(
        keys, values, strict=True
    ):
        group = sums.get(key)
        if group is None:
            sums[key] = [1, failed, took, read_, written, cached, created, reasoned, without, nanos]
            continue
        group[0] += 1
        group[1] += failed
        group[2] += took
        group[3] += read_
        group[4] += written
        group[5] += cached
        group[6] += created
        group[7] += reasoned
        group[8] += without
        group[9] += nanos
    return sums


def least(rounds: int, work: Callable[[], object]) -> float:
    """Least CPU seconds of some rounds."""
    taken = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken)


def show(name: str, seconds: float, events: int) -> None:
    """One line of the report."""
    print(f"{name:58} {seconds / events * 1e6:6.2f} µs")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    count, rounds = options.events, options.rounds
    batch = records(count, 10_000, unchanged)
    event, data = decoders("usage.request.v1", CommonRequest)
    decode = least(rounds, lambda: [data.decode(event.decode(r.value).data) for r in batch])
    show("decoding alone", decode, count)
    for name, change in {
        "events to columns, common form": unchanged,
        "... 1 % take the slow path": unusual,
        "... every event has unknown fields": extended,
        "... times in µs with an offset, costs of 17 digits": finer,
    }.items():
        batch = records(count, 10_000, change)
        show(name, least(rounds, lambda batch=batch: read(batch)), count)  # type: ignore[misc]
    for groups in (count * 100, count // 3, count // 33):
        facts = read(records(count, groups, unchanged))
        share = len(grouped(facts)) / count
        name = f"grouping in a dict besides, {share:.2f} rows per event"
        show(name, least(rounds, lambda facts=facts: grouped(facts)), count)  # type: ignore[misc]


if __name__ == "__main__":
    main()
