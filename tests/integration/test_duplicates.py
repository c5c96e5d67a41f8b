"""Duplicates across restarts, on a real broker: what is one is a function of the log alone."""

from __future__ import annotations

import pytest

from tests.support.harness.pairs import Laid, batch, binary, refused, structured
from tests.support.harness.produce import REQUESTS
from tests.support.harness.recount import read_log
from tests.support.harness.scene import Scene
from tests.support.harness.watched import Watched

W = 20
RESTART = 25
END = 60


def lay_pairs(laid: Laid) -> dict[str, int]:
    """Place pairs around `RESTART`; return how often each name must count."""
    laid.put(10, structured("at W"))
    laid.put(10 + W, structured("at W"))
    laid.put(11, structured("beyond W"))
    laid.put(11 + W + 1, structured("beyond W"))
    laid.put(4, structured("renewed"))  # 40 is more than W behind 4, but not behind its repeat
    laid.put(22, structured("renewed"))
    laid.put(40, structured("renewed"))
    laid.put(12, refused("corrected"))
    laid.put(28, structured("corrected"))
    laid.put(33, structured("corrected"))
    laid.put(13, batch("in a batch", "in a batch", "in two forms"))
    laid.put(29, binary("in two forms"))
    laid.put(RESTART - W, structured("at both edges"))
    laid.put(RESTART, structured("at both edges"))
    laid.put(RESTART - 1, structured("neighbours"))
    laid.put(RESTART + 1, structured("neighbours"))
    laid.put(7, structured("long gone"))
    laid.put(50, structured("long gone"))
    return {
        "at W": 1,
        "beyond W": 2,
        "renewed": 1,
        "corrected": 1,
        "in a batch": 1,
        "in two forms": 1,
        "at both edges": 1,
        "neighbours": 1,
        "long gone": 2,
    }


def test_pairs_around_a_restart(scene: Scene) -> None:
    scene.settings["USAGE_DUPLICATE_WINDOW"] = str(W)
    scene.set_up(partitions=1)
    laid = Laid(scene)
    due = lay_pairs(laid)
    worker = scene.worker()
    laid.send(RESTART)
    scene.settle()
    scene.stop(worker)
    laid.send(END)
    watched = Watched(scene)
    scene.check()
    assert laid.counted() == due
    assert watched.metric("usage_rebuild_records_total") == W
    assert watched.metric("usage_rebuild_remaining_records") == 0
    assert watched.metric("usage_duplicate_window_missing_offsets") == 0
    assert (
        f"going to read {W} offsets before the start of 1 partitions again"
        in watched.process.output()
    )
    assert f"read {W} records again in " in watched.process.output()
    _cannot_be_judged_without_its_window(scene)


def _cannot_be_judged_without_its_window(scene: Scene) -> None:
    """A recount then finds fewer duplicates, and must not call that damage."""
    scene.kafka.delete_records(scene.topic(REQUESTS), 0, RESTART)
    said = scene.run("audit", "--recount")
    assert "all is well" in said
    assert "passed over: what their duplicates repeat may be what Kafka has deleted" in said


def test_holes_of_transactions_around_a_restart(scene: Scene) -> None:
    """What was aborted is no first event; markers are offsets, and may be all that there is."""
    scene.settings["USAGE_DUPLICATE_WINDOW"] = str(W)
    scene.set_up(partitions=1)
    laid = Laid(scene, **{"transactional.id": scene.prefix})
    laid.put(0, structured("committed"))
    laid.put(1, structured("aborted"))
    laid.put(2, structured("committed"))
    laid.put(3, structured("aborted"))
    laid.put(4, structured("aborted"))
    producer = laid.sender.producer
    producer.init_transactions(30)
    worker = scene.worker()
    for end, commit in ((1, True), (2, False)):  # offsets 0 to 3, markers included
        producer.begin_transaction()
        laid.send(end)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    scene.settle()
    # The worker's position may be behind the aborted records, or not: all of it is read again.
    scene.stop(worker)
    producer.begin_transaction()
    laid.send(5)
    producer.commit_transaction(30)
    scene.worker()
    scene.check()
    assert laid.counted() == {"committed": 1, "aborted": 1}


def test_retention_has_cut_into_the_window(scene: Scene) -> None:
    """It is said, in the log and as a number that goes away; what is left of the window holds."""
    scene.settings["USAGE_DUPLICATE_WINDOW"] = str(W)
    scene.set_up(partitions=1)
    laid = Laid(scene)
    laid.put(10, structured("deleted"))
    laid.put(26, structured("deleted"))
    laid.put(20, structured("kept"))
    laid.put(27, structured("kept"))
    worker = scene.worker()
    laid.send(RESTART)
    scene.settle()
    scene.stop(worker)
    scene.kafka.delete_records(scene.topic(REQUESTS), 0, 15)
    laid.send(30)
    watched = Watched(scene)
    scene.settle()
    assert laid.counted() == {"deleted": 2, "kept": 1}
    said = "usage.requests[0]: Kafka has deleted offsets 5 to 14 of the 20 in which duplicates"
    watched.process.await_output(said)
    assert watched.metric("usage_duplicate_window_missing_offsets") == 5  # of 10 to 29
    laid.send(END)
    scene.settle()
    assert watched.metric("usage_duplicate_window_missing_offsets") == 0
    log = read_log(scene.kafka, scene.topics)
    assert log[scene.topic(REQUESTS), 0].first == 15


@pytest.mark.faults
def test_no_window_reads_nothing_again(scene: Scene) -> None:
    scene.settings["USAGE_DUPLICATE_WINDOW"] = "0"
    scene.set_up(partitions=1)
    laid = Laid(scene)
    for at in (1, 2, 30):
        laid.put(at, structured("again and again"))
    worker = scene.worker()
    laid.send(RESTART)
    scene.settle()
    scene.stop(worker)
    laid.send(40)
    watched = Watched(scene)
    scene.check()
    assert laid.counted() == {"again and again": 3}
    assert watched.metric("usage_rebuild_records_total") == 0
