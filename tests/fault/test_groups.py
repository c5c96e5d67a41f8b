"""Groups that are split: their members belong to several workers when one has to be replayed."""

from __future__ import annotations

import json
import signal

import pytest

from pipeline.clickhouse.schema import files, resources
from tests.fault.test_zombies import await_paused
from tests.support.harness import hooks
from tests.support.harness.recount import read_log
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

EVENTS = 600
POINTS = ("after:intend", "after:record_intent", "after:insert:facts", "before:ledger")

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("point", POINTS)
def test_a_split_group_is_replayed_as_a_whole(scene: Scene, point: str) -> None:
    scene.set_up(partitions=4)
    scene.send(EVENTS)
    scene.await_end(scene.worker(**hooks.environment(point)), -signal.SIGKILL)
    scene.send(EVENTS, seed=2)
    # Both join before the group has given up the one that is gone, and share its partitions.
    workers = [scene.worker(), scene.worker()]
    scene.await_assigned(2)
    scene.send(EVENTS, seed=3)
    scene.check()
    said = [worker.output() for worker in workers]
    assert any("announced together" in text for text in said)


@pytest.mark.parametrize("point", ["after:intend", "after:insert:facts", "before:ledger"])
def test_a_zombie_of_a_split_group_changes_nothing(scene: Scene, point: str) -> None:
    """It writes its rows, or inserts, when others have replayed its group from two sides."""
    scene.set_up(partitions=4)
    scene.send(EVENTS)
    zombie = scene.worker(**hooks.environment(point, do="stop"))
    await_paused(zombie)
    scene.kafka.await_empty(scene.group)
    scene.worker()
    scene.worker()
    scene.await_assigned(2)
    scene.send(EVENTS, seed=2)
    scene.settle()
    zombie.resume()
    scene.await_assigned(3)
    scene.send(EVENTS, seed=3)
    scene.check()


@pytest.mark.parametrize("point", ["after:intend", "after:insert:facts"])
def test_the_lowest_partitions_offset_is_lost(scene: Scene, point: str) -> None:
    """The others' offsets name its range: it is replayed, nobody waits for it in vain."""
    scene.set_up(partitions=4)
    scene.send(EVENTS)
    # All that was sent is read by then: its first round is of a group.
    zombie = scene.worker(**hooks.environment(point, do="stop"), USAGE_FLUSH_SECONDS="3")
    await_paused(zombie)
    scene.kafka.await_empty(scene.group)
    announced = scene.kafka.metadata(scene.group)
    named = {source: json.loads(text).get("members") for source, (_, text) in announced.items()}
    lost = min(source for source, members in named.items() if members)
    scene.kafka.forget(scene.group, lost)
    scene.worker()
    scene.worker()
    scene.send(EVENTS, seed=2)
    scene.settle()
    zombie.resume()
    scene.await_assigned(3)
    scene.send(EVENTS, seed=3)
    scene.check()


def test_chunks_that_a_release_without_groups_left_open_are_replayed(scene: Scene) -> None:
    """Ranges by themselves: the intents are made what they were before, and migrated."""
    scene.set_up(partitions=1)
    scene.send(EVENTS)
    scene.await_end(scene.worker(**hooks.environment("after:insert:facts")), -signal.SIGKILL)
    with scene.connect() as store:
        rows = store.query("SELECT DISTINCT members FROM intents")
        assert rows == [("",)], "not what a release without groups leaves"
        store.command("ALTER TABLE intents DROP COLUMN members")
        [groups] = [m for m in files.read(resources.migrations()) if m.name == "groups"]
        for statement in groups.statements(""):
            store.command(statement)
    scene.send(EVENTS, seed=2)
    scene.worker()
    scene.check()


def test_who_waits_goes_on_when_the_one_it_waits_for_dies_too(scene: Scene) -> None:
    scene.set_up(partitions=4)
    scene.send(EVENTS)
    scene.await_end(scene.worker(**hooks.environment("after:insert:facts")), -signal.SIGKILL)
    replayers = [scene.worker(**hooks.environment("before:ledger")) for _ in range(2)]
    until(
        lambda: any(not worker.is_running for worker in replayers),
        within=90,
        what="the death of who replays",
    )
    for worker in replayers:
        worker.kill9()
    scene.workers.clear()
    scene.worker()
    scene.send(EVENTS, seed=2)
    scene.check()


def test_a_member_that_retention_has_cut_is_given_up_and_the_others_are_counted(
    scene: Scene,
) -> None:
    scene.set_up(partitions=4)
    scene.send(EVENTS)
    scene.await_end(scene.worker(**hooks.environment("after:record_intent")), -signal.SIGKILL)
    log = read_log(scene.kafka, scene.topics)
    with scene.connect() as store:
        [(topic, partition, a, b)] = store.query(
            "SELECT topic, partition, from_offset, to_offset FROM intents FINAL "
            "ORDER BY members DESC, partition DESC LIMIT 1"
        )
    cut = (topic, partition)
    scene.kafka.delete_records(*cut, b)
    scene.worker()
    scene.check(log={s: part.without(a, b) if s == cut else part for s, part in log.items()})
    with scene.connect() as store:
        lost = store.query("SELECT topic, partition, lost FROM chunks FINAL WHERE kind = 'lost'")
    assert lost == [(*cut, b - a)]
