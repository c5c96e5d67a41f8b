"""The worker on a real broker and the embedded store: exact rows, whatever comes."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime

from tests.support.harness import compare, stalls
from tests.support.harness.crashes import count_through_kills
from tests.support.harness.flood import Flood
from tests.support.harness.produce import RECIPE_ACTIONS, REQUESTS, Traffic
from tests.support.harness.readers import SETTINGS
from tests.support.harness.scene import DEAD_LETTER, Scene
from tests.support.harness.waiting import until
from tests.support.harness.watched import Watched


def test_mixed_events_come_out_exact(scene: Scene) -> None:
    scene.set_up(partitions=4)
    worker = scene.worker()
    scene.send(8000)
    scene.check()
    assert f"the {scene.settings['USAGE_READER']} reader reads" in worker.output().lower()


def test_one_event_is_the_row_it_should_be(scene: Scene) -> None:
    """Numbers written down by hand, apart from the recount."""
    scene.set_up(partitions=1)
    now = datetime.now(UTC).replace(minute=7, second=31, microsecond=0)
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "//test",
        "type": "usage.request.v1",
        "subject": "acme",
        "data": {
            "operation": "chat",
            "model": "m",
            "status_code": 500,
            "duration_ms": 12.5,
            "user_id": "u",
            "input_tokens": 7,
            "cost": "0.1234567895",
            "currency": "EUR",
        },
    }
    sender = scene.sender()
    record_hour = now.hour
    for n, at in enumerate((now, now.replace(minute=8), now.replace(minute=8))):
        event |= {"id": str(n), "time": at.isoformat()}
        sender.send(REQUESTS, "acme", json.dumps(event).encode())
    sender.flush()
    scene.worker(USAGE_TOO_EARLY_SECONDS="7200")
    scene.await_received(3)
    with scene.connect() as store:
        rows = store.query(
            "SELECT tenant, toHour(quarter), toMinute(quarter), toMinute(min(first_minute)), "
            "toMinute(max(last_minute)), operation, currency, sum(requests), sum(failed), "
            "sum(duration_us), sum(input_tokens), toString(sum(cost)) FROM requests_15m "
            "GROUP BY tenant, quarter, operation, currency"
        )
        minutes = store.query(
            "SELECT toMinute(minute), sum(requests) FROM requests_1m GROUP BY minute ORDER BY 1"
        )
    # 0.1234567895 is kept to nano-units, half to even: 0.12345679 (…789|5 goes up to …790).
    due = ("acme", record_hour, 0, 7, 8, "chat", "EUR", 3, 3, 37_500, 21, "0.37037037")
    assert rows == [due]
    assert minutes == [(7, 1), (8, 2)]


def test_malformed_records_stop_nothing_and_are_set_aside_first(scene: Scene) -> None:
    """Every bad kind among good ones: counted as rejected, in the dead-letter topic with origin."""
    scene.set_up(partitions=2)
    worker = scene.worker()
    scene.send(1500, bad=0.5)
    scene.check()
    found, copies = compare.dead_letters(scene.kafka, scene.topic(DEAD_LETTER))
    assert set(copies.values()) == {1}
    reasons = {headers["dl_reason"] for headers, _ in found.values()}
    assert reasons == {
        "malformed",
        "invalid_envelope",
        "unknown_type",
        "invalid_data",
        "too_early",
        "too_late",
    }
    assert all(headers["dl_message"] for headers, _ in found.values())
    assert worker.is_running


def test_a_restart_goes_on(scene: Scene) -> None:
    """With each reader in turn: what one remembers of the log, the next one does."""
    scene.set_up(partitions=2)
    for seed in (1, 2, 3):
        before = scene.received()
        worker = scene.worker(USAGE_READER=SETTINGS[seed % len(SETTINGS)])
        scene.send(1500, seed=seed)
        scene.await_received(before + 500)
        scene.stop(worker)
    scene.worker()
    scene.check()


def test_sigterm_counts_and_commits_what_is_held(scene: Scene) -> None:
    """Nothing is left open, though the flush interval is far away."""
    scene.set_up(partitions=2)
    scene.settings["USAGE_FLUSH_SECONDS"] = "300"
    flooded, worker = Flood(scene), Watched(scene)
    worker.process.await_output("reading")
    flooded.send(1000)
    worker.await_metric("usage_buffer_events", 1000)
    assert scene.received() == 0
    scene.stop(worker.process)
    scene.check()


def test_who_ends_leaves_the_group_before_faust_has_stopped(scene: Scene) -> None:
    """Others take over at once, however long the rest of its end takes."""
    scene.set_up(partitions=1)
    worker = scene.worker(USAGE_HOOK=stalls.HOOK, STALL_STOP="1")
    scene.await_assigned(1)
    os.kill(worker.pid, signal.SIGTERM)
    until(
        lambda: not scene.kafka.members(scene.group),
        within=30,
        what="a group without the worker",
        explain=worker.tail,
        every=0.1,
    )
    assert worker.is_running, "it left at its end only"


def test_two_workers_share_the_partitions(scene: Scene) -> None:
    scene.set_up(partitions=4)
    scene.worker()
    scene.worker()
    scene.await_assigned(2)
    sender, traffic = scene.sender(), Traffic(9)
    for _ in range(3):
        sender.send_traffic(traffic, 1000)
    scene.check()
    with scene.connect() as store:
        [(workers,)] = store.query("SELECT uniqExact(worker) FROM chunks FINAL")
    assert workers == 2


def test_small_crash(scene: Scene) -> None:
    """6,000 events, two workers, two kills; the large ones are among the fault tests."""
    scene.set_up(partitions=4)
    count_through_kills(scene, seed=11, events=6_000, kills=2)


def test_a_missing_topic_is_said_in_one_line(scene: Scene) -> None:
    """That of dead letters too, which is not needed before an event is rejected."""
    scene.run("migrate")
    scene.partitions = 1
    for missing in (RECIPE_ACTIONS, DEAD_LETTER):
        worker = scene.worker()
        scene.await_end(worker, 75)
        assert scene.topic(missing) in worker.output()
        assert len(worker.said()) == 1, worker.tail()
        if missing == RECIPE_ACTIONS:
            scene.create_topics()


def test_unmigrated_store_is_said_in_one_line(scene: Scene) -> None:
    scene.partitions = 1
    scene.create_topics()
    worker = scene.worker()
    scene.await_end(worker, 78)
    assert "usage migrate" in worker.output()
    assert len(worker.said()) == 1, worker.tail()
