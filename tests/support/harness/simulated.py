"""A simulated world in the tables, without broker or worker: months of history in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

from pipeline.clickhouse.client import Store
from pipeline.facts import Reader, Rules, reader
from pipeline.simulate.entities import NOBODY, Thing
from pipeline.simulate.stream import Message, Options, stream
from pipeline.simulate.world import build_world
from schemas import entity
from tests.support.harness.produce import STRUCTURED
from tests.support.harness.recount import Record
from tests.support.harness.view_store import insert

CHUNK = 20_000
DAY_MS = 86_400_000


def fill(
    store: Store,
    options: Options,
    *,
    seed: int,
    tenants: int,
    days: int,
    until: int,
    models: int = 0,
) -> int:
    """Insert what the stream of a world comes to until an instant, in ms; gives its events.

    ``models`` are announced besides, and never asked.
    """
    readers: dict[str, Reader] = {}
    waiting: dict[str, list[Record]] = {}
    offsets: Counter[str] = Counter()
    start = until - days * DAY_MS
    events = _until(options, seed=seed, tenants=tenants, start=start, until=until)
    for message in chain(_models(models, start), events):
        topic = message.topic
        records = waiting.setdefault(topic, [])
        headers = [(name, value) for name, value in STRUCTURED if isinstance(value, bytes)]
        records.append(Record(offsets[topic], message.at_ms, headers, message.value, ""))
        offsets[topic] += 1
        if len(records) == CHUNK:
            _insert(store, readers, topic, records)
            records.clear()
    for topic, records in waiting.items():
        if records:
            _insert(store, readers, topic, records)
    return offsets.total()


def _insert(store: Store, readers: dict[str, Reader], topic: str, records: list[Record]) -> None:
    insert(store, readers.setdefault(topic, reader(topic, Rules())), topic, 0, records)


def _models(count: int, at_ms: int) -> Iterator[Message]:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
    for number in range(count):
        thing = Thing(NOBODY, "model", f"model-{number:03d}", {"name": f"Model {number:03d}"})
        text = (
            f'{{"specversion":"1.0","id":"model-{number}","source":"/simulator/entities",'
            f'"type":"{entity.TYPE}","subject":"{NOBODY}","time":"{at}","data":{thing.data()}}}'
        )
        yield Message(at_ms, entity.TOPIC, NOBODY.encode(), text.encode(), "announced")


def _until(
    options: Options, *, seed: int, tenants: int, start: int, until: int
) -> Iterator[Message]:
    for block in stream(build_world(seed, tenants), options, run="simulated", start_ms=start):
        for message in block:
            if message.at_ms >= until:
                return
            yield message
