"""A backlog of the largest product events: memory stays bounded, others' metrics stay up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.settings import load
from tests.support.harness.produce import EVENTS, STRUCTURED
from tests.support.harness.scene import METRIC_DEFINITIONS, Scene
from tests.support.harness.waiting import until
from tests.support.harness.watched import Watched, peak_memory_bytes

MIB = 1 << 20
LEAVES, WIDE = 100_000, 100
"""Of one event of 1 MiB; such events, more than a chunk may hold."""
KEYS, KEYED = 20_000, 2_000
"""Distinct keys, and the events that have ten of their own each."""
OTHERS = 3_000
FETCHED = 2
"""Such events may come with one fetch, after which a chunk is sealed."""
WORKER_BYTES = 700 * MIB
STORE_BYTES = 1_200 * MIB
"""More than it had before: inserts, their merges, and queries beside them."""


def wide() -> bytes:
    """The properties of an event of the largest size that is accepted."""
    text = ",".join(f'"{n:05x}":1' for n in range(LEAVES))
    return f"{{{text}}}".encode()


def event(number: int, name: str, properties: bytes, tenant: str) -> bytes:
    head = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/app",
        "type": "usage.event.v1",
        "subject": tenant,
    }
    data = b'{"name":"%s","properties":%s}' % (name.encode(), properties)
    return json.dumps(head)[:-1].encode() + b', "data":' + data + b"}"


def events() -> Iterator[tuple[str, bytes]]:
    """Tenant and record, the large ones among the others."""
    large, number = wide(), 0
    for number in range(OTHERS):
        yield "acme", event(number, "login", b'{"n":2.5}', "acme")
        if number < WIDE:
            yield "big", event(number, "wide", large, "big")
        if number < KEYED:
            keys = range(number * 10, number * 10 + 10)
            own = json.dumps({f"key {n % KEYS}": n for n in keys}).encode()
            yield "many", event(number, "keyed", own, "many")


def definition(metric: str, name: str, path: str) -> bytes:
    data = {
        "metric_id": metric,
        "name": metric,
        "interval_days": 7,
        "match": [name],
        "calculation": "sum",
        "property": path,
    }
    head = {"specversion": "1.0", "id": metric, "source": "/app", "subject": "*"}
    return json.dumps(head | {"type": "usage.metric_definition.v1", "data": data}).encode()


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_memory_stays_bounded_and_everyone_is_answered(scene: Scene) -> None:
    scene.set_up(partitions=1)
    scene.settings |= {"USAGE_CHUNK_EVENTS": "100000", "USAGE_FLUSH_SECONDS": "5"}
    sender = scene.sender(**{"queue.buffering.max.kbytes": "1048576"})
    sent = 0
    for tenant, record in events():
        sender.send(EVENTS, tenant, record, STRUCTURED)
        sent += 1
    for metric, name, path in (
        ("logins", "login", "n"),
        ("last_leaf", "wide", f"{LEAVES - 1:05x}"),
        ("last_key", "keyed", f"key {KEYS - 1}"),
    ):
        sender.send(METRIC_DEFINITIONS, "*", definition(metric, name, path), STRUCTURED)
    sender.flush()
    peak_memory_bytes(scene.store.process.pid, anew=True)
    before = peak_memory_bytes(scene.store.process.pid)
    worker = Watched(scene)
    until(
        lambda: answers(scene).get("logins", 0) >= 0 and scene.received() >= sent + 3,
        within=300,
        what=f"{sent} events",
        explain=scene.tails,
        every=1,
    )
    store, own = peak_memory_bytes(scene.store.process.pid), worker.peak_memory_bytes()
    print(f"memory: worker {own // MIB} MiB, store {before // MIB} to {store // MIB} MiB")
    assert answers(scene) == {"logins": 2.5 * OTHERS, "last_leaf": WIDE, "last_key": KEYS - 1}
    assert own < WORKER_BYTES
    assert store - before < STORE_BYTES
    scene.settle()
    bound = load(scene.environment()).chunk_bytes
    found = [wide_events(*one) for one in chunks(scene)]
    assert sum(found) == WIDE
    assert max(found) <= bound // len(wide()) + FETCHED


def answers(scene: Scene) -> dict[str, Any]:
    """The value of each metric, over all customers."""
    at = datetime.now(UTC) + timedelta(minutes=1)
    with scene.connect() as store:
        return dict(
            store.query(
                "SELECT metric_id, sum(value) "
                f"FROM metric_values(as_of = '{at:%Y-%m-%d %H:%M:%S}', tenant = '') "
                "GROUP BY metric_id"
            )
        )


def wide_events(first: int, end: int) -> int:
    """How many of the large events lie between two offsets: every third, as long as there are."""
    return sum(1 for n in range(WIDE) if first <= 3 * n + 1 < end)


def chunks(scene: Scene) -> list[tuple[int, int]]:
    """The ranges of offsets that were counted at a time."""
    with scene.connect() as store:
        return store.query(
            "SELECT from_offset, to_offset FROM chunks FINAL WHERE endsWith(topic, 'usage.events')"
        )
