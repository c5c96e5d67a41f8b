"""Rows C1–C5: interactions, active users, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from tests.support.oracle.calendar import (
    billing_start,
    bucket_of,
    buckets,
    day_of,
    first_of_month,
    month_of,
    start_of_day,
    to_datetime,
    to_minute,
    to_ms,
)
from tests.support.oracle.log import Request
from tests.support.oracle.world import Rows, World, between


def _active_users(requests: Iterable[Request]) -> int:
    """Distinct users, by tenant and id; an interaction without a user is nobody's."""
    return len({(one.tenant, one.user) for one in requests if one.user})


def telemetry_summary(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C1: interactions (requests of any status) and the users who had one."""
    requests = between(world.requests, *world.range(since, until), tenant)
    return [(len(requests), _active_users(requests))]


def usage_trend(
    world: World, since: datetime, until: datetime, tz: str, grain: str, tenant: str
) -> Rows:
    """C1, C2: the same for each bucket, empty ones too."""
    by_bucket: dict[int, list[Request]] = {}
    for one in between(world.requests, *world.range(since, until), tenant):
        by_bucket.setdefault(bucket_of(one.time, tz, grain), []).append(one)
    return [
        (to_datetime(at), len(by_bucket.get(at, [])), _active_users(by_bucket.get(at, [])))
        for at in buckets(to_ms(since), to_ms(until), tz, grain)
    ]


def cost_trend(
    world: World, since: datetime, until: datetime, tz: str, grain: str, tenant: str
) -> Rows:
    """C1, C2: cost by bucket and currency, where there is any."""
    costs: Counter[tuple[int, str]] = Counter()
    for one in between(world.requests, *world.range(since, until), tenant):
        if one.cost:
            costs[bucket_of(one.time, tz, grain), one.currency] += one.cost  # type: ignore[assignment]
    return [(to_datetime(at), currency, cost) for (at, currency), cost in costs.items()]


def usage_by_agent(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C3: by agent; those of the registry without any requests too."""
    return _usage_by(world, since, until, tenant, "agent", lambda one: one.agent)


def usage_by_team(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C3: by team; those of the registry without any requests too."""
    return _usage_by(world, since, until, tenant, "team", lambda one: one.team)


def _usage_by(
    world: World,
    since: datetime,
    until: datetime,
    tenant: str,
    entity: str,
    id_of: Callable[[Request], str],
) -> Rows:
    standing = world.standing(to_ms(until))
    groups: dict[tuple[str, str], list[Request]] = {}
    tenants = standing.tenants()
    for who, ident, _ in standing.standing(entity):
        if who in tenants and tenant in ("", who):
            groups[who, ident] = []
    for one in between(world.requests, *world.range(since, until), tenant):
        groups.setdefault((one.tenant, id_of(one)), []).append(one)
    return [
        (
            who,
            ident,
            standing.name(entity, who, ident),
            len(requests),
            _active_users(requests),
            sum(one.input for one in requests),
            sum(one.output for one in requests),
            sum(one.input + one.output for one in requests),
        )
        for (who, ident), requests in groups.items()
    ]


def user_activity(world: World, since: datetime, until: datetime, tz: str, tenant: str) -> Rows:
    """C4: every user of the registry, and every other that ever had an interaction before `until`.

    `active`: had one in the period; `stopped`: only before it; `never`: none.
    """
    start, end = world.range(since, until)
    standing = world.standing(to_ms(until))
    tenants = standing.tenants()
    seen: dict[tuple[str, str], list[int]] = {}
    for who, ident, _ in standing.standing("user"):
        if who in tenants and tenant in ("", who):
            seen[who, ident] = []
    for one in between(world.requests, 0, end, tenant):
        if one.user:
            seen.setdefault((one.tenant, one.user), []).append(one.time)
    rows: Rows = []
    for (who, ident), times in seen.items():
        inside = [time for time in times if time >= start]
        days = len({day_of(time, tz) for time in inside})
        adoption = "active" if inside else "stopped" if times else "never"
        rows.append(
            (
                who,
                ident,
                standing.name("user", who, ident),
                standing.text("user", who, ident, "email"),
                standing.text("user", who, ident, "team_id"),
                len(inside),
                days,
                len(inside) / days if days else None,
                to_minute(min(times)) if times else None,
                to_minute(max(times)) if times else None,
                adoption,
            )
        )
    return rows


def cost_summary(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C1: what all cost, by currency; unpriced requests in a row of their own."""
    costs: dict[str, list[Request]] = {}
    for one in between(world.requests, *world.range(since, until), tenant):
        costs.setdefault(one.currency, []).append(one)
    sums = (
        (currency, sum((one.cost or Decimal(0) for one in of), Decimal(0)), of)
        for currency, of in costs.items()
    )
    unpriced = (
        (currency, cost, sum(one.cost is None for one in of)) for currency, cost, of in sums
    )
    return [row for row in unpriced if row[1] or row[2]]


def billing_by_tenant(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C1, C5: what each organization cost, by currency; unpriced requests in a row of their own."""
    found = _bill(world, since, until, tenant, lambda one: "")
    return [(who, currency, cost, unpriced) for who, _, currency, cost, unpriced in found]


def billing_by_team(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C5: cost by team."""
    name = world.standing(to_ms(until)).name
    found = _bill(world, since, until, tenant, lambda one: one.team)
    return [(who, ident, name("team", who, ident), *rest) for who, ident, *rest in found]


def billing_by_agent(world: World, since: datetime, until: datetime, tenant: str) -> Rows:
    """C5: cost by agent."""
    name = world.standing(to_ms(until)).name
    found = _bill(world, since, until, tenant, lambda one: one.agent)
    return [(who, ident, name("agent", who, ident), *rest) for who, ident, *rest in found]


def _bill(
    world: World, since: datetime, until: datetime, tenant: str, id_of: Callable[[Request], str]
) -> Rows:
    costs: dict[tuple[str, str, str], Decimal] = {}
    unpriced: Counter[tuple[str, str, str]] = Counter()
    for one in between(world.requests, *world.range(since, until), tenant):
        key = (one.tenant, id_of(one), one.currency)
        costs[key] = costs.get(key, Decimal(0)) + (one.cost or 0)
        unpriced[key] += one.cost is None
    return [(*key, cost, unpriced[key]) for key, cost in costs.items() if cost or unpriced[key]]


def billing_periods(world: World, as_of: datetime, periods: int, tenant: str) -> Rows:
    """C5: the billing period of each registered tenant that `as_of` lies in, and those before it.

    A period begins on the tenant's anchor day in the tenant's zone; in a shorter month on its
    last day; on day 1, in UTC, where the registry does not say otherwise.
    """
    instant = to_ms(as_of)
    standing = world.standing(instant)
    rows: Rows = []
    for who in standing.tenants():
        if tenant not in ("", who):
            continue
        tz = standing.timezone(who)
        anchor = int(standing.text("tenant", who, who, "billing_anchor_day") or 1)
        month = month_of(instant, tz)
        if start_of_day(billing_start(month, anchor), tz) > instant:
            month = first_of_month(month, -1)
        for back in range(periods):
            first = billing_start(first_of_month(month, -back), anchor)
            next_first = billing_start(first_of_month(month, 1 - back), anchor)
            end = start_of_day(next_first, tz)
            start = to_datetime(start_of_day(first, tz))
            rows.append((who, first, start, to_datetime(end), world.is_closed(end)))
    return rows
