"""The two emitters on a real broker: what is sent, where to, and how failures come out."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from schemas import Entity, ProductEvent, RecipeAction, Request
from schemas.emit import AsyncEmitter, EmitError, Emitter, Failure, InvalidEvent
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.recount import Record, read_log
from tests.support.harness.scene import Scene

REQUEST = Request(operation="chat", model="m", status_code=200, duration_ms=1)
TOO_LARGE = ProductEvent(name="n", properties={"noise": secrets.token_hex(4000)})
Emission = tuple[Any, str]
Emit = Callable[..., None]


def with_confluent(servers: str, emissions: Iterable[Emission], **options: Any) -> None:
    with Emitter(servers, source="/test", **options) as emitter:
        for number, (data, tenant) in enumerate(emissions):
            emitter.emit(data, tenant=tenant, id=f"e-{number}")


def with_aiokafka(servers: str, emissions: Iterable[Emission], **options: Any) -> None:
    async def run() -> None:
        async with AsyncEmitter(servers, source="/test", **options) as emitter:
            for number, (data, tenant) in enumerate(emissions):
                await emitter.emit(data, tenant=tenant, id=f"e-{number}")

    asyncio.run(run())


both = pytest.mark.parametrize("emit", [with_confluent, with_aiokafka])


@pytest.fixture
def records(scene: Scene) -> Callable[[], dict[str, list[tuple[int, Record]]]]:
    """Provide the records of each topic, by its unprefixed name, with their partitions."""
    scene.partitions = 5
    scene.create_topics()

    def read() -> dict[str, list[tuple[int, Record]]]:
        found: dict[str, list[tuple[int, Record]]] = {}
        for (topic, number), part in read_log(scene.kafka, scene.topics).items():
            found.setdefault(topic.removeprefix(scene.prefix), []).extend(
                (number, record) for record in part.records
            )
        return found

    return read


@both
def test_events_go_to_their_topics_by_tenant(
    scene: Scene, records: Callable[[], dict[str, list[tuple[int, Record]]]], emit: Emit
) -> None:
    action = RecipeAction(recipe_id="r", job_id="j", step=1, kind="call", outcome="failed")
    others: list[Emission] = [
        (action, "acme"),
        (ProductEvent(name="n"), "acme"),
        (Entity(entity="model", entity_id="m"), "*"),
    ]
    emit(
        scene.kafka.servers,
        [(REQUEST, f"tenant-{n % 7}") for n in range(50)] + others,
        topic_prefix=scene.prefix,
    )
    found = records()
    counts = {topic: len(there) for topic, there in found.items()}
    assert counts == {
        "usage.requests": 50,
        "usage.recipe-actions": 1,
        "usage.events": 1,
        "usage.entities": 1,
    }
    for there in found.values():
        for partition, record in there:
            event = json.loads(record.value or b"")
            assert record.key == event["subject"]
            assert partition == (murmur2(record.key.encode()) & 0x7FFFFFFF) % 5
            assert record.headers == [("content-type", b"application/cloudevents+json")]
    ids = {json.loads(r.value or b"")["id"] for _, r in found["usage.requests"]}
    assert ids == {f"e-{n}" for n in range(50)}


@pytest.fixture
def small(scene: Scene) -> str:
    """Provide the prefix of topics that take no more than 2,000 bytes."""
    scene.partitions = 1
    scene.create_topics(max_message_bytes="2000")
    return scene.prefix


@both
def test_what_kafka_refuses_is_raised_at_the_end(
    kafka: KafkaBroker, small: str, emit: Emit
) -> None:
    with pytest.raises(EmitError, match="1 events did not reach Kafka; the first, 'e-1' for") as e:
        emit(kafka.servers, [(REQUEST, "a"), (TOO_LARGE, "b"), (REQUEST, "c")], topic_prefix=small)
    (failure,) = e.value.failed
    assert (failure.id, failure.tenant) == ("e-1", "b")
    assert failure.topic == f"{small}usage.events"
    assert json.loads(failure.value)["data"]["name"] == "n"


@both
def test_or_told_to_whoever_asked(kafka: KafkaBroker, small: str, emit: Emit) -> None:
    told: list[Failure] = []
    emit(kafka.servers, [(TOO_LARGE, "b")], topic_prefix=small, on_failure=told.append)
    assert [failure.id for failure in told] == ["e-0"]


@both
def test_the_error_that_ended_the_block_comes_first(
    kafka: KafkaBroker, small: str, emit: Emit
) -> None:
    with pytest.raises(InvalidEvent, match="subject") as e:
        emit(kafka.servers, [(TOO_LARGE, "b"), (REQUEST, "*")], topic_prefix=small)
    assert "1 events did not reach Kafka" in e.value.__notes__[0]


def test_an_emitter_that_is_not_started_says_so() -> None:
    with pytest.raises(EmitError, match="async with"):
        asyncio.run(AsyncEmitter("127.0.0.1:1", source="/test").emit(REQUEST, tenant="a"))


def test_a_full_buffer_is_an_error_after_a_while() -> None:
    nobody = {"queue.buffering.max.messages": 1, "log_level": 0}
    emitter = Emitter("127.0.0.1:1", source="/test", config=nobody, block_seconds=0.2)
    emitter.emit(REQUEST, tenant="a")
    with pytest.raises(EmitError, match=r"no room for an event within 0\.2 s"):
        emitter.emit(REQUEST, tenant="a")
    with pytest.raises(EmitError, match=r"1 events are still under way after 0\.1 s"):
        emitter.flush(0.1)
