"""Definitions of metrics change, retire, come back and are sent twice, while workers are killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.support.harness import hooks
from tests.support.harness.metric_world import AS_OF, world
from tests.support.harness.scene import Scene
from tests.support.harness.view_check import differences
from tests.support.harness.waiting import until
from tests.support.json_text import written
from tests.support.oracle.log import DEFINITIONS, ENTITIES, Entry
from tests.support.oracle.world import World

pytestmark = pytest.mark.faults

POINTS = (
    "after:intend",
    "after:record_intent",
    "after:insert:facts",
    "after:ledger",
    "after:commit",
)
STATUS = {"property": "a", "operator": "exact", "value": 200}
STEPS: tuple[dict[str, Any], ...] = (
    {"metric_id": "calls", "match": ["api_call"]},
    {"metric_id": "calls", "match": ["api_call", "api_request"], "filters": [STATUS]},
    {"metric_id": "spent", "match": ["api_call"], "calculation": "sum", "property": "a"},
    {"metric_id": "calls", "match": ["api_call"], "retired": True},
    {"metric_id": "tokens", "source": "requests", "calculation": "sum", "property": "total_tokens"},
    {"metric_id": "calls", "match": ["it's"], "calculation": "unique", "property": "$user_id"},
)


def definitions() -> Iterator[Entry]:
    """Each step, then the one before it once more: a duplicate, which changes nothing."""
    events: list[dict[str, Any]] = []
    offset = 0
    for step in STEPS:
        data = {"name": "N", "interval_days": 90, "filters": [], **step}
        again = events[-1:]
        events.append(event(len(events), data))
        for one in (events[-1], *again):
            yield Entry(DEFINITIONS, 0, offset, int(time.time() * 1000), one)
            offset += 1


def event(number: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"d{number}",
        "source": "test",
        "type": "usage.metric_definition.v1",
        "subject": "*",
        "data": data,
    }


def registered(events: list[Entry]) -> Entry:
    """One more customer, after all other entities."""
    last = [entry for entry in events if entry.topic == ENTITIES][-1]
    data = {"entity": "tenant", "entity_id": "omega"}
    one = {**last.event, "id": "omega", "subject": "omega", "data": data}
    return last._replace(offset=last.offset + 1, event=one)


def send(scene: Scene, log: Iterable[Entry]) -> None:
    """Send entries to their partitions, in order."""
    producer = Producer({"bootstrap.servers": scene.kafka.servers, "enable.idempotence": True})
    for entry in log:
        producer.produce(
            scene.topic(entry.topic),
            written(entry.event).encode(),
            partition=entry.partition,
            timestamp=entry.timestamp,
        )
    assert producer.flush(30) == 0


def answers(scene: Scene) -> list[tuple[Any, ...]]:
    with scene.connect() as store:
        at = f"{AS_OF:%Y-%m-%d %H:%M:%S}"
        return store.query(f"SELECT * FROM metric_values(as_of = '{at}', tenant = '')")


def test_each_version_answers_right_whatever_is_killed(scene: Scene) -> None:
    scene.set_up(partitions=1, retention_ms="-1")
    defined = list(definitions())
    events = world(3, 600, 0)
    share = len(events) // len(POINTS)
    sent: list[Entry] = []
    for place, point in enumerate(POINTS):
        part = [*events[place * share : (place + 1) * share], *defined[place * 2 : place * 2 + 2]]
        send(scene, part)
        sent += part
        worker = scene.worker(**hooks.environment(point, 1))
        scene.await_end(worker, -signal.SIGKILL)
    # Of each topic something comes after the last kill, for what was counted to be committed.
    rest = [*events[len(POINTS) * share :], *defined[len(POINTS) * 2 :], registered(events)]
    send(scene, rest)
    sent += rest
    scene.worker()
    scene.settle()
    await_definitions(scene, len(STEPS))
    due = World(sent, scene.duplicate_window)
    with scene.connect() as store:
        for view, asked in (
            ("metric_values", {"tenant": ""}),
            ("metric_sparkline", {"tenant": "", "tz": "Asia/Kolkata", "metric": ""}),
        ):
            lines = list(differences(store, due, view, {"as_of": AS_OF, **asked}))
            assert not lines, "\n".join(lines)
    assert {row[1]: row[2] for row in answers(scene)} == {"calls": 4, "spent": 1, "tokens": 1}
    assert answers(scene) == answers(scene)


def await_definitions(scene: Scene, count: int) -> None:
    topic = scene.topic(DEFINITIONS)

    def are_there() -> bool:
        with scene.connect() as store:
            stored = store.query("SELECT count() FROM metric_definitions")
            counted = store.query(
                f"SELECT sum(counted), sum(duplicate) FROM chunks FINAL WHERE topic = '{topic}'"
            )
        return (stored, counted) == ([(count,)], [(count, len(STEPS) - 1)])

    until(are_there, within=90, what=f"{count} definitions", explain=scene.tails, every=0.2)
