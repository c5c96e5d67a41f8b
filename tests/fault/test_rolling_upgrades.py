"""Workers of two releases in one group, over one store, and each of them killed (SIGKILL)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.errors import Halted, MigrationError
from tests.support.harness import hooks, releases
from tests.support.harness.process import Process
from tests.support.harness.produce import Traffic
from tests.support.harness.releases import NEWER, OF_OTHER_RULES, OF_OTHER_VIEWS, OLDER
from tests.support.harness.scene import Scene
from tests.support.harness.waiting import until

pytestmark = pytest.mark.faults

PARTITIONS = 8
PORTION = 4000
POINT = "after:insert:facts"
"""Killed here, a worker leaves chunks whose rows are in the tables, and not in the ledger."""


class Stream:
    """A seeded stream with repeats and events that are rejected, in portions."""

    def __init__(self, scene: Scene) -> None:
        self._traffic = Traffic(1, bad=0.05, again=0.15)
        self._sender = scene.sender()

    def send(self) -> None:
        """Send the next portion."""
        self._sender.send_traffic(self._traffic, PORTION)


def test_two_releases_count_side_by_side_whoever_is_killed(scene: Scene, tmp_path: Path) -> None:
    """The newer has a migration more, applied while the older counts; each leaves open chunks."""
    assert not releases.views_differ(), "USAGE_TEST_OLDER cannot go on in a store of these views"
    scene.set_up(PARTITIONS)
    stream = Stream(scene)
    of_old, of_new = tmp_path / "end-of-an-older", tmp_path / "end-of-a-newer"
    victim = releases.worker(scene, OLDER, **_ending(of_old))
    older = releases.worker(scene, OLDER)
    scene.await_assigned(2)
    stream.send()
    scene.await_received(PORTION // 4)
    releases.migrated(scene, NEWER)
    newer = releases.worker(scene, NEWER, **_ending(of_new))
    scene.await_assigned(3)
    stream.send()

    _end(scene, victim, of_old, stream)
    refused = releases.start(scene, OLDER, "worker")
    assert refused.wait(60) == MigrationError.exit_code
    assert "belongs to a newer release; run that one" in refused.output()

    _await_replays(1, older, newer)
    last = releases.worker(scene, NEWER)
    scene.await_assigned(3)
    seen = _replays(older, newer)
    _end(scene, newer, of_new, stream)

    _await_replays(seen + 1, older, newer, last)
    stream.send()
    older.kill9()
    scene.check()


def test_before_views_change_the_older_ones_finish_what_is_open(
    scene: Scene, tmp_path: Path
) -> None:
    """A chunk that is begun under some views is never sent again under others."""
    scene.create_all_topics(PARTITIONS)
    releases.migrated(scene, OLDER)
    stream = Stream(scene)
    ends = tmp_path / "end"
    victim = releases.worker(scene, OLDER, **_ending(ends))
    scene.await_assigned(1)
    _end(scene, victim, ends, stream)
    refused = releases.migrated(scene, OF_OTHER_VIEWS, MigrationError.exit_code)
    assert "start the workers of the old release until they have finished them" in refused

    finishing = releases.worker(scene, OLDER)
    stream.send()
    scene.settle()
    scene.stop(finishing)
    releases.migrated(scene, OF_OTHER_VIEWS)
    assert releases.start(scene, OLDER, "worker").wait(60) == MigrationError.exit_code
    releases.worker(scene, OF_OTHER_VIEWS)
    stream.send()
    scene.check()


def test_what_other_rules_have_begun_is_finished_by_them_only(scene: Scene, tmp_path: Path) -> None:
    """Whichever of them is the newer one: so it holds for the way back too."""
    # Time to finish what is under way when the other dies: nothing of its own rules stays open.
    scene.settings |= {"USAGE_SETTLE_SECONDS": "60", "USAGE_REBALANCE_TIMEOUT_SECONDS": "90"}
    scene.set_up(PARTITIONS)
    stream = Stream(scene)
    ends = tmp_path / "end"
    victim = releases.worker(scene, OF_OTHER_RULES, **_ending(ends))
    ours = scene.worker()
    scene.await_assigned(2)
    _end(scene, victim, ends, stream)
    scene.await_end(ours, Halted.exit_code)
    assert "finish it with the old release or settings" in ours.output()
    scene.await_end(scene.worker(), Halted.exit_code)  # nor is it forgotten

    finishing = releases.worker(scene, OF_OTHER_RULES)
    stream.send()
    scene.settle()
    scene.stop(finishing)
    scene.worker()
    stream.send()
    scene.check()


def _replays(*workers: Process) -> int:
    """Count how often they have said that they make again what another left open."""
    return sum(worker.output().count("announced together") for worker in workers)


def _await_replays(count: int, *workers: Process) -> None:
    until(
        lambda: _replays(*workers) >= count,
        within=120,
        what=f"replay {count}",
        explain=lambda: "".join(worker.tail() for worker in workers),
    )


def _ending(once: Path) -> dict[str, str]:
    """Let a worker kill itself with chunks open, once this file is there."""
    return hooks.environment(POINT, once=once)


def _end(scene: Scene, victim: Process, once: Path, stream: Stream) -> None:
    once.touch()
    stream.send()
    scene.await_end(victim, -signal.SIGKILL)
