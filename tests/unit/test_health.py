"""Liveness and readiness follow progress, and tell apart why there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.protocol.chunks import Source
from pipeline.worker.telemetry.health import HUNG_STORE_SECONDS, STALLED_SECONDS, alive, ready
from pipeline.worker.telemetry.state import Lag, State

NOW = 10_000.0
SOURCE = Source("usage.requests", 0)
BEHIND = {SOURCE: Lag(records=7, seconds=1.0)}
LONG_AGO = NOW - STALLED_SECONDS - 1
JUST_NOW = NOW - STALLED_SECONDS + 1

READING = State(
    now=NOW,
    assigned=2,
    taken_up=2,
    lag={SOURCE: Lag(records=0, seconds=0.0)},
    held_events=0,
    store_away_since=None,
    store_call_since=None,
    progress_at=NOW,
    assigned_at=LONG_AGO,
)
STALLED = replace(READING, lag=BEHIND, progress_at=LONG_AGO)
LONG_STALLED = replace(STALLED, progress_at=LONG_AGO - 300, assigned_at=LONG_AGO - 300)
STUCK = replace(READING, taken_up=1, progress_at=LONG_AGO)
JOIN_SECONDS = 90.0
WAITING = replace(READING, assigned=0, taken_up=0, assigned_at=None, join_seconds=JOIN_SECONDS)


@pytest.mark.parametrize(
    ("state", "ok", "says"),
    [
        (None, False, "blocked"),
        (READING, True, "alive"),
        (replace(READING, assigned=0, taken_up=0, assigned_at=None), True, "alive"),
        # lag alone is no fault, nor is a pause
        (replace(READING, lag=BEHIND, progress_at=JUST_NOW), True, "alive"),
        (replace(READING, progress_at=LONG_AGO), True, "alive"),
        (STALLED, False, "stalled"),
        # a round, at which alone there is progress, may take longer than that
        (replace(STALLED, round_seconds=300.0), True, "alive"),
        (replace(LONG_STALLED, round_seconds=300.0), False, "stalled"),
        (replace(STUCK, round_seconds=300.0), True, "alive"),
        # new partitions: the time counts from their assignment
        (replace(STALLED, assigned_at=JUST_NOW), True, "alive"),
        # stuck after a rebalance: assigned, and not read
        (STUCK, False, "stuck"),
        (replace(STUCK, assigned_at=JUST_NOW), True, "alive"),
        # stuck in a rebalance: it takes no longer than members may take to join
        (replace(WAITING, unassigned_at=NOW - JOIN_SECONDS - STALLED_SECONDS - 1), False, "stuck"),
        (replace(WAITING, unassigned_at=NOW - JOIN_SECONDS - STALLED_SECONDS + 1), True, "alive"),
        # a store that is away, or hangs, is no reason to restart a worker
        (replace(STALLED, store_away_since=NOW - 500), True, "store_away"),
        (replace(STUCK, store_away_since=NOW - 500), True, "store_away"),
        (replace(STALLED, store_call_since=NOW - HUNG_STORE_SECONDS - 1), True, "store_hangs"),
        (replace(STALLED, store_call_since=NOW - HUNG_STORE_SECONDS + 1), False, "stalled"),
    ],
)
def test_alive(state: State | None, ok: bool, says: str) -> None:
    health = alive(state)
    assert (health.ok, health.state) == (ok, says)
    assert health.why


@pytest.mark.parametrize(
    ("state", "ok", "says"),
    [
        (None, False, "blocked"),
        (READING, True, "ready"),
        (replace(READING, assigned=0, taken_up=0, assigned_at=None), False, "unassigned"),
        (replace(READING, taken_up=1), False, "rebuilding"),
        (replace(READING, stopping=True), False, "stopping"),
        # it counts what it can, and goes on by itself: ready, though not fresh
        (replace(STALLED, store_away_since=NOW - 500), True, "ready"),
    ],
)
def test_ready(state: State | None, ok: bool, says: str) -> None:
    health = ready(state)
    assert (health.ok, health.state) == (ok, says)


def test_it_says_how_much_waits_and_how_long() -> None:
    assert "7 records" in alive(STALLED).why
    assert f"{STALLED_SECONDS + 1:.0f} s" in alive(STALLED).why
    assert "1 of 2" in ready(replace(READING, taken_up=1)).why
