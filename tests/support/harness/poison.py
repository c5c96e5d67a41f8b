"""Records that Kafka takes and that used to stop every worker, or could."""

from __future__ import annotations

import json
import time

from tests.support.contract.events import TYPES, Read
from tests.support.harness.batches import NAME, batch_of, send_batch, with_names
from tests.support.harness.produce import BATCH, EVENTS, REQUESTS, STRUCTURED, Event
from tests.support.harness.recount import ODD_KEY
from tests.support.harness.scene import DEAD_LETTER, Scene

MODEL = "poison"
"""Of events that a table is told to refuse."""
REFUSED = 5
"""Events of one `send` that are refused."""
ODD_LETTER = "usage.requests:0:1000000"
"""The origin of the dead letter of `send_odd_letter`."""


Data = dict[str, object]


def request(id_: str, model: str = MODEL, **data: object) -> Event:
    """Make a request of tenant ``tenant-a`` or ``tenant-b``, as its id begins."""
    base = {"operation": "chat", "model": model, "status_code": 200, "duration_ms": 1}
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "//test/poison",
        "type": "usage.request.v1",
        "subject": f"tenant-{id_[0]}",
        "data": base | {"input_tokens": 7 if model == MODEL else 1} | data,
    }


def refuse_in(scene: Scene, table: str, check: str = f"model != '{MODEL}'") -> None:
    """Have a table refuse rows, as an operator's constraint does."""
    with scene.connect() as store:
        store.command(f"ALTER TABLE {table} ADD CONSTRAINT strange CHECK {check}")


def is_refused(read: Read) -> bool:
    """Say whether an event is one of those."""
    return read.type == "usage.request.v1" and read.data["model"] == MODEL


def send(scene: Scene, number: int = 0) -> None:
    """Send events that a table refuses: alone, repeated, in a batch between good ones."""
    sender = scene.sender()
    for n, partition in enumerate((0, 1, 1)):
        value = json.dumps(request(f"a{number}.{n}")).encode()
        for _ in range(2):
            sender.send(REQUESTS, "a", value, partition=partition)
    ids = [(f"b{number}.{n}", model) for n, model in enumerate(("m", MODEL, "m", MODEL))]
    batch = [request(id_, model) for id_, model in ids]
    sender.send(REQUESTS, "b", json.dumps(batch).encode(), BATCH, partition=0)
    sender.flush()


def send_good(scene: Scene, number: int) -> None:
    """Send one request that no table refuses, of ``tenant-c``."""
    sender = scene.sender()
    value = json.dumps(request(f"c.{number}", "m")).encode()
    sender.send(REQUESTS, "c", value, STRUCTURED, partition=0)
    sender.flush()


def send_extremes(scene: Scene, number: int) -> None:
    """Send numbers at and beyond each bound, and beyond every column."""
    sender = scene.sender()
    most: dict[str, object] = {
        "input_tokens": 10**10,
        "duration_ms": 10**9,
        "cost": "999999999.999999999",
    }
    beyond: tuple[Data, ...] = (
        {"input_tokens": 2**63 - 1},
        {"input_tokens": 2**64},
        {"duration_ms": 1e308},
    )
    for n, data in enumerate((*[most] * 20, *beyond)):
        value = json.dumps(request(f"c{number}.{n}", "m", **data)).encode()
        sender.send(REQUESTS, "c", value, STRUCTURED, partition=0)
    sender.flush()


def send_properties(scene: Scene, number: int) -> None:
    """Send product events with as many and as odd properties as a record may hold."""
    sender = scene.sender()
    many: tuple[Data, ...] = (
        {f"{n:x}": 1 for n in range(100_000)},
        {f"{number} {n}": {"'); --": "\0"} for n in range(20_000)},
        {"a.b": 1e308, "": {"": [[], {}]}, "long": "é" * 400_000, "nul\0": None},
    )
    for n, properties in enumerate(many):
        event = request(f"p{number}.{n}")
        event |= {"type": TYPES[EVENTS], "data": {"name": "odd", "properties": properties}}
        value = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        sender.send(EVENTS, "p", value, STRUCTURED, partition=0)
    lone = b'{"data":{"name":"odd","properties":{"x":"\\ud800"}}}'
    sender.send(EVENTS, "p", lone, STRUCTURED, partition=0)
    sender.flush()


def send_conflict(scene: Scene) -> None:
    """Send an event of ``tenant-e``, and another of its id with other data."""
    sender = scene.sender()
    for tokens in (1, 2):
        value = json.dumps(request("e", "m", output_tokens=tokens)).encode()
        sender.send(REQUESTS, "e", value, STRUCTURED, partition=0)
    sender.flush()


def send_odd_names(scene: Scene, number: int) -> int:
    """Send a batch whose headers' names are no UTF-8 to partitions 0 and 1; return the records."""
    good = [json.dumps(request(f"d{number}.{n}", "m")).encode() for n in range(2)]
    values = [*good, b"no JSON"]
    now = int(time.time() * 1000)
    batch = with_names(batch_of(values, [(NAME, b"x")], now, ODD_KEY), b"\xff\xfe")
    for partition in (0, 1):
        send_batch(scene.kafka.servers, scene.topic(REQUESTS), partition, batch, len(values))
    return 2 * len(values)


def send_odd_letter(scene: Scene) -> None:
    """Send a dead letter, as another program might, with a header's name that is no UTF-8."""
    now = int(time.time() * 1000)
    topic, partition, offset = ODD_LETTER.split(":")
    said = {
        "dl_topic": scene.topic(topic),
        "dl_partition": partition,
        "dl_offset": offset,
        "dl_timestamp": str(now),
        "dl_reason": "malformed",
        "dl_message": "found a strange thing",
    }
    headers = [(NAME, b"x"), *((name, text.encode()) for name, text in said.items())]
    batch = with_names(batch_of([b"?"], headers, now, ODD_LETTER.encode()), b"\xff\xfe")
    send_batch(scene.kafka.servers, scene.topic(DEAD_LETTER), 0, batch, 1)
