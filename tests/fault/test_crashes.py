"""Kill -9 a random worker at random moments while events come in (the issue's first proof)."""

from __future__ import annotations

import os

import pytest

from tests.support.harness.crashes import count_through_kills
from tests.support.harness.scene import Scene

SOAK_SEEDS = int(os.environ.get("USAGE_TEST_SEEDS", "20"))


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_workers_and_ten_kills(scene: Scene, seed: int) -> None:
    scene.set_up(partitions=8)
    count_through_kills(scene, seed=seed, events=200_000, kills=10)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + SOAK_SEEDS))
def test_many_seeds(scene: Scene, seed: int) -> None:
    scene.set_up(partitions=8)
    count_through_kills(scene, seed=seed, events=200_000, kills=10)
