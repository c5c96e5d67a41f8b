"""Kill -9 a random worker at random moments while events come in (the issue's first proof)."""

from __future__ import annotations

import os

import pytest

from pipeline.operate.audit import run
from tests.support.harness import poison
from tests.support.harness.crashes import count_through_kills
from tests.support.harness.scene import Scene

SOAK_SEEDS = int(os.environ.get("USAGE_TEST_SEEDS", "20"))


@pytest.mark.faults
def test_two_workers_and_many_kills(scene: Scene) -> None:
    scene.set_up(partitions=8)
    count_through_kills(scene, seed=1, events=24_000, kills=4)


@pytest.mark.faults
def test_poison_of_every_kind_amid_kills(scene: Scene) -> None:
    """Nobody stops but by kill -9, what can be counted is, and an audit finds nothing.

    Beside the rejected kinds of `Traffic`: numbers at and beyond bounds, header names that are no
    UTF-8, records full of properties, and valid events that one of a view's targets refuses.
    """
    scene.set_up(partitions=4)
    poison.refuse_in(scene, "requests_15m")

    def between(number: int) -> None:
        poison.send(scene, number)
        poison.send_extremes(scene, number)
        poison.send_odd_names(scene, number)
        poison.send_properties(scene, number)

    count_through_kills(
        scene, seed=5, events=15_000, kills=3, between=between, refused=poison.is_refused
    )
    with scene.connect() as store:
        report = run.audit(scene.loaded(), store, None)
    assert report.exit_code == 0, report.as_json()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + SOAK_SEEDS))
def test_many_seeds(scene: Scene, seed: int) -> None:
    scene.set_up(partitions=8)
    count_through_kills(scene, seed=seed, events=200_000, kills=10)
