"""Workers that are killed at random moments while events come in, and what is counted then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.support.harness.produce import Traffic
from tests.support.harness.recount import Refused, nothing_refused
from tests.support.harness.scene import SESSION_SECONDS, Scene


def count_through_kills(
    scene: Scene,
    *,
    seed: int,
    events: int,
    kills: int,
    between: Callable[[int], object] = lambda _: None,
    refused: Refused = nothing_refused,
) -> None:
    """Send events in portions; in each, kill -9 one of two workers and start another. Then check.

    The moment is random: some events after the last kill (or, when nobody counts because the group
    still waits for the dead, some time), and some milliseconds more. ``between`` is called with
    each portion's number, to send something beside it; ``refused`` is as for `Scene.check`.
    """
    dice = random.Random(seed)
    traffic = Traffic(seed, bad=0.05, again=0.15)
    sender = scene.sender()
    portion = events // (kills + 1)
    for _ in range(2):
        scene.worker()
    for number in range(kills):
        before = scene.received()
        between(number)
        sender.send_traffic(traffic, portion)
        _await_some(scene, before + dice.randrange(portion), dice.uniform(1, 2 * SESSION_SECONDS))
        time.sleep(dice.uniform(0, 0.3))  # the moment is random, not awaited
        victim = dice.choice([worker for worker in scene.workers if worker.is_running])
        victim.kill9()
        scene.worker()
    sender.send_traffic(traffic, events - kills * portion)
    scene.check(refused=refused)


def _await_some(scene: Scene, events: int, at_most_seconds: float) -> None:
    deadline = time.monotonic() + at_most_seconds
    while scene.received() < events and time.monotonic() < deadline:
        time.sleep(0.05)
