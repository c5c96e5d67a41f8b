"""Two shards: each partition's rows at its own, exact whoever dies, and wherever it was.

Two embedded stores stand for them. Replicas are what they cannot show (docs/scaling.md).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.harness import hooks
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.sharded import ShardedScene
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

EVENTS = 400
DEATHS = (
    ("after:intend", 1),
    ("after:record_intent", 1),
    # A group's facts are in its shard when another group's are in none.
    ("after:insert:facts", 2),
    ("before:ledger", 1),
)
"""Where a worker dies, the how many-th time; each meets what the one before has left."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def set_up(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardedScene]:
    """Provide a scene with two stores of its own, and topics of four partitions."""
    folder = tmp_path_factory.mktemp("shards")
    with ExitStack() as stack:
        stores = [EmbeddedStore(folder, f"shard-{number}") for number in (1, 2)]
        for store in stores:
            store.start()
            stack.callback(store.kill9)
        scene = ShardedScene(kafka, stores, folder)
        scene.set_up(partitions=4)
        yield scene


@pytest.fixture
def sharded(set_up: ShardedScene) -> Iterator[ShardedScene]:
    """Provide it without workers; what earlier tests have sent stays."""
    yield set_up
    set_up.end()


def test_exact_after_workers_that_die_between_and_within_the_shards(sharded: ShardedScene) -> None:
    sharded.send(EVENTS, bad=0.1)
    for number, (point, times) in enumerate(DEATHS):
        dying = sharded.worker(**hooks.environment(point, times))
        sharded.await_end(dying, -signal.SIGKILL)
        sharded.send(50, seed=number + 10)
    for _ in range(2):  # that share the partitions of each group
        sharded.worker()
    sharded.await_assigned(2)
    sharded.send(EVENTS, seed=2)
    sharded.check()
    assert sharded.misplaced() == []
    with sharded.shards() as shards:
        assert all(shard.query("SELECT 1 FROM chunks LIMIT 1") for shard in shards.stores)


def test_exact_when_one_shard_is_away_and_the_worker_dies_then(sharded: ShardedScene) -> None:
    """Its intents are in one shard and not in the other; the blocks of none are anywhere."""
    sharded.send(EVENTS, seed=20)
    worker = sharded.worker()
    sharded.settle()
    away = sharded.stores[1]
    with sharded.shards() as shards:
        [first, _] = shards.stores
        open_intents = "SELECT max(from_offset) FROM intents"
        before = first.query(open_intents)
        away.kill9()
        sharded.send(EVENTS, seed=21)
        until(
            lambda: first.query(open_intents) > before,
            within=60,
            what="intents in the shard that is there",
            explain=sharded.tails,
        )
    worker.kill9()
    away.start()
    sharded.worker()
    sharded.send(EVENTS, seed=22)
    sharded.check()
    assert sharded.misplaced() == []
