"""Groups hold in every interleaving, and their takeover needs each of its safeguards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.explore import explore
from tests.model.groups.safeguards import REDUNDANT, SAFEGUARDS, without
from tests.model.groups.scenarios import LARGE, SMALL

pytestmark = pytest.mark.timeout(600)

SLOW = {"members in metadata", "replay recorded", "loss first", "a loss stays"}
"""Safeguards whose worlds take more than some seconds."""


@pytest.mark.parametrize("name", SMALL)
def test_every_interleaving_of_groups_is_exact(name: str) -> None:
    exploration = explore(SMALL[name])
    print(f"{name}: {exploration}")
    assert not exploration.violation, str(exploration)
    assert exploration.states > 5_000, "the world has become too small to show anything"


@pytest.mark.soak
@pytest.mark.parametrize("name", LARGE)
def test_every_interleaving_of_larger_groups_is_exact(name: str) -> None:
    exploration = explore(LARGE[name])
    print(f"{name}: {exploration}")
    assert not exploration.violation, str(exploration)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.faults] * (n in SLOW)) for n in SAFEGUARDS]
)
def test_without_a_safeguard_a_group_goes_wrong(name: str) -> None:
    exploration = explore(without(name))
    print(exploration)
    assert exploration.violation, f"{name} was not needed in {exploration}"
    assert SAFEGUARDS[name].found in exploration.violation


@pytest.mark.soak
@pytest.mark.parametrize("name", REDUNDANT)
def test_a_redundant_part_of_groups_is_still_redundant(name: str) -> None:
    exploration = explore(replace(REDUNDANT[name], without=frozenset({name})))
    assert not exploration.violation, str(exploration)
