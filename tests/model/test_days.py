"""Users' days are exact in every interleaving, and settling needs each of its safeguards."""

from __future__ import annotations

import pytest

from tests.model.days.scenarios import SAFEGUARDS, SMALL, without
from tests.model.explore import explore

pytestmark = pytest.mark.timeout(600)

SLOW = {"the intent's day", "said in an offset", "open intents"}
"""Safeguards whose worlds take more than some seconds."""


@pytest.mark.parametrize("name", SMALL)
def test_every_interleaving_of_settling_is_exact(name: str) -> None:
    exploration = explore(SMALL[name])
    print(f"{name}: {exploration}")
    assert not exploration.violation, str(exploration)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.faults] * (n in SLOW)) for n in SAFEGUARDS]
)
def test_without_a_safeguard_a_day_goes_wrong(name: str) -> None:
    exploration = explore(without(name))
    print(exploration)
    assert exploration.violation, f"{name} was not needed in {exploration}"
    assert SAFEGUARDS[name].found in exploration.violation
