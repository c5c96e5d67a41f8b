"""When a worker seals all its partitions (`pipeline.worker.rounds`)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.worker.rounds import Rounds
from pipeline.worker.transport.thread import (
    PARTITION_FETCH_BYTES,
    fetch_min_bytes,
    fetch_wait_ms,
)


def rounds_at(looks: list[tuple[float, bool]]) -> list[float]:
    """The times of rounds, of (when it is looked, whether little is held then)."""
    rounds, found = Rounds(1.0, 0.0), []
    for now, is_little in looks:
        if rounds.is_due(now, is_little=is_little):
            found.append(now)
            rounds.ended(now)
    return found


def test_what_is_worth_a_round_waits_for_one_interval() -> None:
    assert rounds_at([(n / 2, False) for n in range(9)]) == [0, 1, 2, 3, 4]


def test_little_waits_for_two() -> None:
    assert rounds_at([(n / 2, True) for n in range(13)]) == [1, 3, 5]


def test_what_was_put_off_is_not_put_off_again() -> None:
    assert rounds_at([(0, True), (1, True), (2, True), (3, False)]) == [1, 3]


def test_one_that_is_looked_at_late_is_due_at_once() -> None:
    assert rounds_at([(2.5, True)]) == [2.5]


def test_more_inserts_than_there_may_be_put_the_next_one_off() -> None:
    rounds = Rounds(1.0, 0.0)
    rounds.ended(5.0, inserts=4, most_per_second=10.0)
    assert rounds.seconds_left(5.0) == 1.0
    rounds.ended(5.0, inserts=4, most_per_second=1.25)
    assert rounds.seconds_left(5.0) == pytest.approx(3.2)
    assert rounds.longest_seconds == pytest.approx(3.2 + 1.0), "little puts it off"


def test_it_says_how_long_to_wait() -> None:
    rounds = Rounds(1.0, 5.0)
    assert (rounds.seconds_left(3.0), rounds.seconds_left(9.0)) == (2.0, 0.0)
    assert not rounds.is_due(5.0, is_little=True)
    assert rounds.seconds_left(5.0) == 1.0


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60))
def test_rounds_are_one_to_two_intervals_apart(steps: list[tuple[int, bool]]) -> None:
    now, looks = 0.0, []
    for step, is_little in steps:
        now += step / 10
        looks.append((now, is_little))
    found = [0.0, *rounds_at([(0.0, False), *looks])][1:]
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert all(gap >= 1.0 - 1e-9 for gap in gaps)
    longest_step = max((step for step, _ in steps), default=0) / 10
    assert all(gap <= 2.0 + 2 * longest_step for gap in gaps)


def test_a_fetch_waits_for_a_part_of_the_time_that_chunks_stay_open() -> None:
    assert [fetch_wait_ms(seconds) for seconds in (0.05, 1, 1.5, 300)] == [12, 250, 375, 500]


def test_a_fetch_gathers_by_partitions_but_never_more_than_one_may_have() -> None:
    assert [fetch_min_bytes(n) for n in (1, 8, 32, 1000)] == [65_536, 65_536, 262_144, 524_288]
    assert fetch_min_bytes(10**6) < PARTITION_FETCH_BYTES
