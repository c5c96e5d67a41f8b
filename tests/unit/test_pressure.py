"""Back-pressure (`pipeline.worker.pressure`): what is held and the bounds, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.protocol.partition import NOTHING, Size
from pipeline.settings import load
from pipeline.worker.pressure import INSERT, Do, Holding, Pressure

PRESSURE = Pressure(chunk=Size(10, 1000), buffer=Size(30, 3000), insert=Size(50, 5000))
sizes = st.builds(Size, st.integers(0, 60), st.integers(0, 6000))


@pytest.mark.parametrize(
    ("chunk", "others", "do"),
    [
        (Size(0, 0), [], Do.GO),
        (Size(9, 999), [Size(20, 2000)], Do.GO),
        (Size(10, 0), [], Do.SEAL),
        (Size(0, 1000), [], Do.SEAL),
        (Size(1, 1), [Size(29, 0)], Do.WAIT),
        (Size(1, 1), [Size(15, 1500), Size(0, 1499)], Do.WAIT),
    ],
)
def test_bounds_are_met_by_events_or_by_bytes(chunk: Size, others: list[Size], do: Do) -> None:
    assert PRESSURE.on(chunk, sum(others, chunk)) is do


def test_a_chunk_does_not_outgrow_an_insert_whatever_may_be_held() -> None:
    roomy = Pressure(chunk=Size(10, 10), buffer=Size(10**9, 10**12), insert=Size(50, 5000))
    assert roomy.on(Size(50, 0), NOTHING) is Do.WAIT
    assert roomy.on(Size(49, 4999), NOTHING) is Do.SEAL


@given(st.lists(sizes, max_size=5), sizes, sizes)
def test_holding_more_never_lets_more_in(held: list[Size], chunk: Size, more: Size) -> None:
    order = [Do.GO, Do.SEAL, Do.WAIT]
    before = PRESSURE.on(chunk, sum(held, chunk))
    after = PRESSURE.on(chunk + more, sum(held, chunk + more))
    assert order.index(before) <= order.index(after)


def test_little_is_less_than_a_round_is_worth() -> None:
    pressure = Pressure.of(load({"USAGE_QUIET_EVENTS": "30"}))
    assert pressure.is_little(NOTHING)
    assert pressure.is_little(Size(29, 10**9))
    assert not pressure.is_little(Size(30, 2))
    assert not Pressure.of(load({"USAGE_QUIET_EVENTS": "0"})).is_little(NOTHING)


STEPS = st.tuples(st.sampled_from(["begin", "end", "count", "ask"]), st.integers(0, 2), sizes)


@given(st.lists(STEPS))
def test_what_is_held_together_is_the_sum_of_each(steps: list[tuple[str, int, Size]]) -> None:
    """Also where chunks are counted while a batch is being read."""
    held, asked = [NOTHING] * 3, []
    begun: dict[int, tuple[Size, int]] = {}

    def each() -> list[Size]:
        asked.append(1)
        return held

    holding = Holding(each)
    for what, one, more in steps:
        if what == "begin":
            begun[one] = held[one], holding.forgotten
        elif what == "end" and one in begun:
            before, forgotten = begun.pop(one)
            held[one] += more
            holding.grew(before, held[one], forgotten)
        elif what == "count":
            held[one] = NOTHING
            holding.forget()
        assert holding.total == sum(held, NOTHING)
    assert len(asked) <= 1 + sum(what in ("end", "count") for what, _, _ in steps)


def test_settings_are_the_bounds() -> None:
    settings = load({"USAGE_CHUNK_EVENTS": "7", "USAGE_BUFFER_EVENTS": "70"})
    pressure = Pressure.of(settings)
    assert (pressure.chunk.events, pressure.buffer.events, pressure.insert) == (7, 70, INSERT)
    large = Pressure.of(load({"USAGE_CHUNK_BYTES": str(200 << 20)}))
    assert large.insert == Size(INSERT.events, 200 << 20)
    assert not large.may_not_grow(Size(1, 100 << 20))
    assert pressure.may_not_grow(Size(1, 64 << 20))
    assert NOTHING + Size(1, 2) == Size(1, 2)
