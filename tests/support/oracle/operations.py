"""Rows L1 and L3: live windows, the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from tests.support.oracle.calendar import month_of, start_of_month, to_minute, to_ms
from tests.support.oracle.log import MINUTE, Outcome
from tests.support.oracle.world import Rows, World, between

WINDOWS = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": 60 * MINUTE}


def live_windows(world: World, as_of: datetime, tenant: str) -> Rows:
    """L1: what each tenant did in the windows that end at `as_of`; the month is of its own zone."""
    until = to_ms(as_of)
    standing = world.standing(until)
    requests = between(world.requests, 0, until, tenant)
    actions = between(world.actions, 0, until, tenant)
    rows: Rows = []
    for who in {one.tenant for one in requests} | {one.tenant for one in actions}:
        zone = standing.timezone(who)
        starts = {window: until - size for window, size in WINDOWS.items()}
        starts["month"] = start_of_month(month_of(until, zone), zone)
        for window, start in starts.items():
            of = between(requests, start, until, who)
            rows.append(
                (
                    who,
                    window,
                    len(of),
                    sum(one.failed for one in of),
                    sum(one.input for one in of),
                    sum(one.output for one in of),
                    sum(one.is_task for one in between(actions, start, until, who)),
                )
            )
    return rows


def _outcomes(world: World, since: datetime, until: datetime) -> list[Outcome]:
    """Events whose record's timestamp lies in the range."""
    start, end = to_ms(since), to_ms(until)
    return [one for one in world.outcomes if start <= one.timestamp < end]


def ledger(world: World, since: datetime, until: datetime) -> Rows:
    """L3: what became of the events of each partition."""
    counts: dict[tuple[str, int], Counter[str]] = {}
    for one in _outcomes(world, since, until):
        counts.setdefault((one.topic, one.partition), Counter())[one.outcome] += 1
    return [
        (*source, n.total(), n["counted"], n["duplicate"], n["rejected"], 0)
        for source, n in counts.items()
    ]


def ledger_by_tenant(world: World, since: datetime, until: datetime) -> Rows:
    """L3: the same by tenant and type; the tenant of models and apps is `*`."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in _outcomes(world, since, until):
        of = counts.setdefault((one.tenant, one.type), Counter())
        of[one.outcome] += 1
        of["conflict"] += (one.outcome, one.reason) == ("duplicate", "conflict")
    shown = ("counted", "duplicate", "rejected", "conflict")
    return [(*key, *(n[one] for one in shown)) for key, n in counts.items()]


def rejections(world: World, since: datetime, until: datetime) -> Rows:
    """L3: why events were rejected."""
    found = _outcomes(world, since, until)
    counts = Counter((one.topic, one.reason) for one in found if one.outcome == "rejected")
    return [(*key, n) for key, n in counts.items()]


def ledger_gaps(world: World) -> Rows:
    """L3: nothing, when all is well."""
    return []


def as_of(world: World) -> Rows:
    """All rows: the newest event of each type, and the newest arrival, of counted events."""
    counted: dict[str, list[Outcome]] = {}
    for one in world.outcomes:
        if one.outcome == "counted":
            counted.setdefault(one.type, []).append(one)
    return [
        (
            type_,
            to_minute(max(one.time for one in of)),
            to_minute(max(one.timestamp for one in of)),
        )
        for type_, of in counted.items()
    ]
