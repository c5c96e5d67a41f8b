"""Whether a worker is alive and ready, judged by progress. Pure.

*Alive* is about restarting it: it is not when its event loop is blocked, when there is lag and no
chunk was committed for a while although the store answers, or when it does not come out of a
rebalance. A store that is away kills nobody.
*Ready* is about counting: it is not before it reads all its partitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.worker.telemetry.state import State

STALLED_SECONDS = 60.0
"""Without progress for this long behind a round's end, with lag and with a store that answers, a
worker is stuck."""

HUNG_STORE_SECONDS = 30.0
"""A call of the store that waits this long hangs, whatever the connection says."""


@dataclass(frozen=True, slots=True)
class Health:
    """An answer, and why in one sentence."""

    ok: bool
    state: str
    why: str


BLOCKED = Health(False, "blocked", "the event loop, or what it reads, hangs: restart the worker")


def alive(state: State | None) -> Health:
    """Judge liveness; None is a worker whose event loop did not answer in time."""
    if state is None:
        return BLOCKED
    if _store_hangs(state):
        return Health(True, "store_hangs", "a call of the store waits; nothing is lost meanwhile")
    if state.store_away_since is not None:
        return Health(True, "store_away", "the store does not answer; it is tried again")
    idle = state.now - max(state.progress_at, state.assigned_at or 0.0)
    patience = STALLED_SECONDS + state.round_seconds
    behind = sum(lag.records for lag in state.lag.values())
    if behind and idle > patience:
        return Health(
            False, "stalled", f"{behind} records wait and no chunk was committed for {idle:.0f} s"
        )
    waited = 0.0 if state.unassigned_at is None else state.now - state.unassigned_at
    if waited > STALLED_SECONDS + state.join_seconds:
        return Health(
            False, "stuck", f"it has waited {waited:.0f} s for the group to give it partitions"
        )
    if _waits_for_takeover(state) and idle > patience:
        return Health(
            False, "stuck", f"partitions were assigned {idle:.0f} s ago and are not read yet"
        )
    return Health(True, "alive", "chunks are committed, or there is nothing to commit")


def ready(state: State | None) -> Health:
    """Judge readiness."""
    if state is None:
        return BLOCKED
    if state.stopping:
        return Health(False, "stopping", "it counts what it holds, then ends")
    if state.assigned_at is None:
        return Health(False, "unassigned", "the group has given it no partitions yet")
    if _waits_for_takeover(state):
        return Health(False, "rebuilding", _how_far(state))
    return Health(True, "ready", f"it reads its {state.assigned} partitions")


def _waits_for_takeover(state: State) -> bool:
    return state.assigned_at is not None and state.taken_up < state.assigned


def _how_far(state: State) -> str:
    reads = f"it reads {state.taken_up} of {state.assigned} partitions so far"
    if not state.rebuild_remaining:
        return reads
    return f"{reads}, and has {state.rebuild_remaining:,} offsets before the others to read again"


def _store_hangs(state: State) -> bool:
    since = state.store_call_since
    return since is not None and state.now - since > HUNG_STORE_SECONDS
