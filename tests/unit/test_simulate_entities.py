"""The simulated world's things: everything that events name is there, and changes are valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.facts import Rules
from pipeline.facts.judge import Judge, Rejection
from pipeline.simulate import Simulation, messages, start_of
from pipeline.simulate.stream import ENTITIES, Message, Options

NOW_MS = 1_780_315_200_000
YEAR_SECONDS = 365 * 86_400
OPTIONS = Options(rate=2000, actions=0.3, events=0.2, changes=0.1, announce=True)
HISTORY = Simulation(
    seed=5, tenants=12, duration=YEAR_SECONDS, speed=YEAR_SECONDS / 20, options=OPTIONS, run="r"
)


def sent(simulation: Simulation = HISTORY, count: int | None = 15_000) -> Iterator[Message]:
    blocks = messages(simulation, start_of(simulation, NOW_MS))
    return islice(chain.from_iterable(blocks), count)


def event(message: Message) -> dict[str, Any]:
    return dict(json.loads(message.value))


def test_entities_come_first_and_everything_that_events_name_is_among_them() -> None:
    things: set[tuple[str, str, str]] = set()
    others = False
    for message in sent():
        one = event(message)
        tenant, data = one["subject"], one["data"]
        if message.topic == ENTITIES:
            things.add((tenant, data["entity"], data["entity_id"]))
            continue
        assert others or len(things) > 500
        others = True
        named = {
            (tenant, "tenant", tenant),
            *((tenant, name, data[f"{name}_id"]) for name in ("user", "team", "agent", "token",
              "recipe", "connection") if f"{name}_id" in data),
            *(("*", name, data[name]) for name in ("model", "app") if name in data),
        }  # fmt: skip
        assert named <= things, data
    assert others


def test_everything_is_valid_at_its_time() -> None:
    judge = Judge(Rules())
    changed = set()
    for message in sent():
        [verdict] = judge.verdicts(message.topic, message.value, (), message.at_ms)
        assert not isinstance(verdict, Rejection), verdict
        data = event(message)["data"]
        if message.topic == ENTITIES and message.at_ms > start_of(HISTORY, NOW_MS):
            changed.add((data["entity"], data.get("deleted", False)))
    kinds = [("user", False), ("user", True), ("recipe", False), ("recipe", True)]
    assert {*kinds, ("connection", False), ("tenant", False)} <= changed


def test_a_year_is_spread_over_the_year_and_ends_now() -> None:
    times = [message.at_ms for message in sent(count=None)]
    assert times == sorted(times)
    assert times[0] == NOW_MS - YEAR_SECONDS * 1000
    assert NOW_MS - 86_400_000 < times[-1] < NOW_MS
    quarter = YEAR_SECONDS * 1000 // 4
    for part in range(4):
        begin = times[0] + part * quarter
        share = sum(begin < at <= begin + quarter for at in times) / len(times)
        assert 0.15 < share < 0.35, "the rate is that of the sending: 2000 a second, 20 seconds"


def test_seed_run_and_end_decide_every_byte() -> None:
    assert list(sent(count=6000)) == list(sent(count=6000))


@pytest.mark.parametrize(
    "wrong",
    [
        Simulation(speed=2),
        Simulation(end_ms=5),
        Simulation(duration=60, end_ms=2**62),
        Simulation(options=Options(actions=0.9, events=0.2)),
    ],
)
def test_what_cannot_be_is_refused(wrong: Simulation) -> None:
    from pipeline.settings import load
    from pipeline.simulate import main

    with pytest.raises(UsageError):
        main(load({}), wrong)


def test_a_truth_that_cannot_be_written_is_said() -> None:
    from pipeline.simulate.truth import Truth

    with pytest.raises(UsageError, match="cannot be written"), Truth(Path("/nowhere/at/all")):
        pass
