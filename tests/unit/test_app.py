"""The Faust app's settings that the protocol stands on: breakages 5, 7 and 10 to 12."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.kafka import topics
from pipeline.process.logs import QUIET
from pipeline.settings import load
from pipeline.worker import process, transport
from pipeline.worker.app import UsageApp
from pipeline.worker.transport import (
    BatchConsumer,
    BatchScheduler,
    BatchTransport,
    ConsumerThread,
    thread,
)
from pipeline.worker.transport.assignor import EvenStickyAssignor

DAY_SECONDS = 86_400


@pytest.fixture
def app() -> UsageApp:
    made = UsageApp(load({"USAGE_TOPIC_PREFIX": "staging."}), lambda error: None)
    made.read = made.register_agents()  # type: ignore[attr-defined]
    return made


def test_the_agents_read_the_source_topics(app: UsageApp) -> None:
    assert app.read == sorted(f"staging.{spec.name}" for spec in topics.COUNTED)  # type: ignore[attr-defined]


def test_faust_acknowledges_nothing_of_ours(app: UsageApp) -> None:
    """5: with one acknowledging channel on a topic, Faust commits offsets of its own for it."""
    for agent in app.agents.values():
        app.topics.add(agent.channel)
    asyncio.run(cast("Any", app.topics)._update_indices())
    assert app.topics.acking_topics.isdisjoint(app.read)  # type: ignore[attr-defined]
    assert set(cast("Any", app.topics)._topic_name_index) >= set(app.read)  # type: ignore[attr-defined]


def test_back_pressure_never_costs_the_membership(app: UsageApp) -> None:
    """7: a store that is away for hours blocks reading for hours."""
    assert app.conf.broker_max_poll_interval >= 7 * DAY_SECONDS
    assert consumer_of(app)["max_poll_interval_ms"] >= 7 * DAY_SECONDS * 1000


def test_a_buffer_counts_batches_so_it_is_small(app: UsageApp) -> None:
    assert app.conf.stream_buffer_maxsize == transport.STREAM_BUFFER_BATCHES <= 8
    assert cast("Any", app.conf).ConsumerScheduler is BatchScheduler


def test_the_consumer_reads_what_is_committed_and_jumps_nowhere_by_itself(app: UsageApp) -> None:
    """10, 11, 12."""
    made = consumer_of(app)
    assert made["isolation_level"] == "read_committed"
    assert made["auto_offset_reset"] == "none"
    assert made["enable_auto_commit"] is False
    [assignor] = made["partition_assignment_strategy"]
    assert issubclass(assignor, EvenStickyAssignor)
    assert assignor.days is app.days


def test_faust_serves_and_declares_nothing(app: UsageApp) -> None:
    assert not app.conf.web_enabled
    assert not app.conf.topic_allow_declare
    assert app.conf.topic_disable_leader


def consumer_of(app: UsageApp) -> dict[str, Any]:
    """What the consumer would be made with."""
    made: dict[str, Any] = {}
    fake = cast("Any", SimpleNamespace(app=app))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread, "AIOKafkaConsumer", lambda **kwargs: made.update(kwargs))
        ConsumerThread._create_worker_consumer(fake, None)
    return made


@pytest.mark.parametrize("service", [BatchConsumer, ConsumerThread, BatchTransport.Producer])
def test_the_comings_and_goings_of_services_are_not_ours_to_say(service: Any) -> None:
    assert service.logger.name.partition(".")[0] in QUIET


def test_a_group_is_left_only_where_it_may_have_been_joined() -> None:
    """A consumer that could not connect has no coordinator, a thread that has ended no loop."""
    asked: list[object] = []

    async def call(make: object) -> None:
        asked.append(make)

    def left(coordinator: object, stops: bool = False, closed: bool = False) -> int:
        asked.clear()
        one = SimpleNamespace(
            _consumer=SimpleNamespace(_coordinator=coordinator),
            should_stop=stops,
            thread_loop=SimpleNamespace(is_closed=lambda: closed),
            call=call,
        )
        asyncio.run(ConsumerThread.leave_for_good(cast("ConsumerThread", one)))
        return len(asked)

    assert left(object()) == 1
    assert left(None) == left(object(), stops=True) == left(object(), closed=True) == 0


def test_an_attempt_on_the_way_out_raises_nothing() -> None:
    async def attempts() -> None:
        ended = asyncio.get_running_loop().create_future()
        ended.cancel()
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(RuntimeError("Event loop is closed"))
        for one in (ended, refused, asyncio.Event().wait()):
            await process._try(_awaited(one), 0.01)

    asyncio.run(attempts())


async def _awaited(one: Any) -> None:
    await one
