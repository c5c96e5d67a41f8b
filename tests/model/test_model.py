"""The chunk protocol holds in every interleaving, and needs each of its safeguards."""

from __future__ import annotations

import pytest

from tests.model.explore import explore
from tests.model.safeguards import KNOWN_LIMIT, REDUNDANT, SAFEGUARDS, without
from tests.model.scenarios import LARGE, SMALL

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("name", SMALL)
def test_every_interleaving_is_exact(name: str) -> None:
    exploration = explore(SMALL[name])
    print(f"{name}: {exploration}")
    assert not exploration.violation, str(exploration)
    assert exploration.states > 5_000, "the world has become too small to show anything"


@pytest.mark.faults
@pytest.mark.parametrize("name", LARGE)
def test_every_interleaving_of_a_larger_world_is_exact(name: str) -> None:
    exploration = explore(LARGE[name])
    print(f"{name}: {exploration}")
    assert not exploration.violation, str(exploration)


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_without_a_safeguard_something_goes_wrong(name: str) -> None:
    exploration = explore(without(name))
    print(exploration)
    assert exploration.violation, f"{name} was not needed in {exploration}"
    assert SAFEGUARDS[name].found in exploration.violation


@pytest.mark.faults
@pytest.mark.parametrize("name", SAFEGUARDS)
def test_with_all_safeguards_the_same_world_is_exact(name: str) -> None:
    exploration = explore(SAFEGUARDS[name].shown_in)
    assert not exploration.violation, str(exploration)


@pytest.mark.faults
@pytest.mark.parametrize("name", REDUNDANT)
def test_a_redundant_part_is_still_redundant(name: str) -> None:
    exploration = explore(REDUNDANT[name])
    assert not exploration.violation, str(exploration)


def test_offsets_deleted_under_a_hanging_worker_are_a_known_limit() -> None:
    exploration = explore(KNOWN_LIMIT)
    print(exploration)
    assert "counted 2 times" in exploration.violation
