"""A member of the new group protocol in the workers' group, on a real broker."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer

from pipeline.errors import BrokerError
from pipeline.kafka.group import group
from tests.support.harness.process import free_port
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import Scene
from tests.support.harness.scrape import get, worker_at
from tests.support.harness.waiting import until

LOOK_OFTEN = "tests.support.harness.often:nothing"


@contextmanager
def member(scene: Scene) -> Iterator[Consumer]:
    """Join the workers' group as somebody's client of today does."""
    consumer = Consumer(
        {
            "bootstrap.servers": scene.kafka.servers,
            "group.id": scene.group,
            "group.protocol": "consumer",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([scene.topic(REQUESTS)])
    try:
        yield consumer
    finally:
        consumer.close()


def await_new_protocol(scene: Scene, consumer: Consumer) -> None:
    def is_in() -> bool:
        consumer.poll(0.1)
        with contextlib.suppress(BrokerError):  # as long as the broker makes it one
            return group(scene.loaded()).is_of_new_protocol
        return False

    until(is_in, within=30, what="a member of the new protocol", explain=scene.tails)


def test_no_worker_joins_such_a_group(scene: Scene) -> None:
    scene.set_up(partitions=1)
    with member(scene) as consumer:
        await_new_protocol(scene, consumer)
        worker = scene.worker()
        scene.await_end(worker, 76)
        said = worker.output()
        assert f"the group {scene.group} has a member of the new group protocol" in said
        assert "group.consumer.migration.policy=disabled" in said
        assert len(worker.said()) == 1, said
    scene.kafka.await_empty(scene.group)
    scene.send(200)
    scene.worker()
    scene.check()


def test_none_joins_workers_that_were_given_a_day(scene: Scene) -> None:
    """The broker would lose what members say to the leader, and so it refuses."""
    scene.set_up(partitions=1)
    scene.worker().await_output("reading")
    with member(scene) as consumer:

        def refused() -> bool:
            said = consumer.poll(0.1)
            error = said.error() if said is not None else None
            return error is not None and "does not exist" in error.str()

        until(refused, within=30, what="the broker's refusal", explain=scene.tails)
    assert not group(scene.loaded()).is_of_new_protocol
    scene.send(200)
    scene.check()


def test_one_that_joins_is_noticed(scene: Scene) -> None:
    """Where no day is given out, for quarter hours are not kept for long enough."""
    scene.settings["USAGE_KEEP_QUARTER_HOUR_ROWS"] = "61"
    scene.set_up(partitions=1)
    port = free_port()
    worker = worker_at(scene, port, USAGE_HOOK=LOOK_OFTEN)
    worker.await_output("reading")
    assert "usage_group_new_protocol 0.0" in get(port, "/metrics")
    with member(scene) as consumer:
        await_new_protocol(scene, consumer)
        until(
            lambda: "usage_group_new_protocol 1.0" in get(port, "/metrics"),
            within=30,
            what="the gauge of a member of the new protocol",
            explain=scene.tails,
        )
    assert "has a member of the new group protocol" in worker.output()
