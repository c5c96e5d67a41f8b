"""Rows A1–A10: tasks, customers, connections, recipes."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from tests.support.oracle.calendar import (
    USAGE_AVAILABLE_FROM,
    end_of_month,
    last_months,
    month_of,
    months_between,
    start_of_month,
    to_minute,
    to_ms,
)
from tests.support.oracle.log import Action
from tests.support.oracle.registry import Standing
from tests.support.oracle.world import Rows, World, between, ranked


def _tasks(world: World, since: int, until: int, tenant: str, standing: Standing) -> list[Action]:
    """The tasks in [since, until), but for those of the admin's own account."""
    found = between(world.actions, since, until, tenant)
    return [one for one in found if one.is_task and not standing.is_admin(one.tenant)]


def tasks_by_month(world: World, since: datetime, until: datetime, tz: str, tenant: str) -> Rows:
    """A1: the tasks of each calendar month; 0 where there are none, NULL before October 2020.

    A month is closed when any event past its end has been counted.
    """
    start, end = world.range(since, until)
    standing = world.standing(to_ms(until))
    tasks = Counter(month_of(t.time, tz) for t in _tasks(world, start, end, tenant, standing))
    rows: Rows = []
    for month in months_between(to_ms(since), to_ms(until), tz):
        available = month >= USAGE_AVAILABLE_FROM
        closed = world.is_closed(end_of_month(month, tz))
        rows.append((month, tasks[month] if available else None, available, closed))
    return rows


def top_customers(world: World, as_of: datetime, months: int, tz: str, k: int) -> Rows:
    """A2: who had most tasks in the month of `as_of`, up to it, and the months before it."""
    instant = to_ms(as_of)
    first = max(last_months(instant, months, tz)[0], USAGE_AVAILABLE_FROM)
    start, end = world.range_ms(start_of_month(first, tz), instant)
    standing = world.standing(instant)
    tasks = Counter(task.tenant for task in _tasks(world, start, end, "", standing))
    rows = [
        (n, (tenant, standing.name("tenant", tenant, tenant), n)) for tenant, n in tasks.items()
    ]
    return ranked(rows, k)


def monthly_usage(world: World, since: datetime, until: datetime, tz: str, tenant: str) -> Rows:
    """A3: tasks by customer and month, where there are any; none before October 2020."""
    start, end = world.range(since, until)
    standing = world.standing(to_ms(until))
    tasks = Counter(
        (t.tenant, month_of(t.time, tz)) for t in _tasks(world, start, end, tenant, standing)
    )
    return [
        (
            who,
            standing.text("tenant", who, who, "external_id"),
            standing.name("tenant", who, who),
            month,
            n,
            world.is_closed(end_of_month(month, tz)),
        )
        for (who, month), n in tasks.items()
        if month >= USAGE_AVAILABLE_FROM
    ]


def monthly_usage_by_recipe(
    world: World, since: datetime, until: datetime, tz: str, tenant: str
) -> Rows:
    """A3: tasks by recipe and month."""
    start, end = world.range(since, until)
    standing = world.standing(to_ms(until))
    tasks = Counter(
        (t.tenant, t.recipe, month_of(t.time, tz))
        for t in _tasks(world, start, end, tenant, standing)
    )
    return [
        (who, recipe, standing.name("recipe", who, recipe), month, n)
        for (who, recipe, month), n in tasks.items()
        if month >= USAGE_AVAILABLE_FROM
    ]


def _connections(standing: Standing, tenant: str) -> list[tuple[str, str]]:
    """(tenant, app) of every connection that counts: connected, in a customer's account."""
    customers = standing.customers()
    return [
        (who, state.text("app"))
        for who, _, state in standing.standing("connection")
        if who in customers and tenant in ("", who) and state.text("status") == "connected"
    ]


def _running(standing: Standing, tenant: str) -> list[str]:
    """The tenant of every recipe that runs in a customer's account."""
    customers = standing.customers()
    return [
        who
        for who, _, state in standing.standing("recipe")
        if who in customers and tenant in ("", who) and state.text("status") == "running"
    ]


def _month_ends(as_of: int, months: int, tz: str) -> list[tuple[object, int]]:
    """The last months, each with the instant that stands for it: its end, but now for this one."""
    return [(m, min(end_of_month(m, tz), as_of)) for m in last_months(as_of, months, tz)]


def connections_by_month(world: World, as_of: datetime, months: int, tz: str, tenant: str) -> Rows:
    """A4, A5: the connections that stood at the end of each month (now, for this one)."""
    return [
        (month, len(_connections(world.standing(at), tenant)))
        for month, at in _month_ends(to_ms(as_of), months, tz)
    ]


def top_apps(world: World, as_of: datetime, k: int, tenant: str) -> Rows:
    """A6: the apps with most connections."""
    standing = world.standing(to_ms(as_of))
    counts = Counter(app for _, app in _connections(standing, tenant))
    return ranked([(n, (app, standing.name("app", "*", app), n)) for app, n in counts.items()], k)


def customers_by_month(world: World, as_of: datetime, months: int, tz: str) -> Rows:
    """A7: the customers that stood at the end of each month (now, for this one)."""
    return [
        (month, len(world.standing(at).customers()))
        for month, at in _month_ends(to_ms(as_of), months, tz)
    ]


def customers(world: World, as_of: datetime, tz: str) -> Rows:
    """A7, A8: every customer, with its numbers; `last_seen` is NULL for one never seen."""
    instant = to_ms(as_of)
    standing = world.standing(instant)
    month = max(month_of(instant, tz), USAGE_AVAILABLE_FROM)
    start, end = world.range_ms(start_of_month(month, tz), instant)
    tasks = Counter(task.tenant for task in _tasks(world, start, end, "", standing))
    connections = Counter(who for who, _ in _connections(standing, ""))
    running = Counter(_running(standing, ""))
    users = Counter(who for who, _, _ in standing.standing("user"))
    seen: dict[str, int] = {}
    _, end = world.range_ms(0, instant)
    for events in (world.requests, world.actions, world.products):
        for one in between(events, 0, end):  # in order of time
            seen[one.tenant] = max(seen.get(one.tenant, 0), one.time)
    return [
        (
            who,
            standing.name("tenant", who, who),
            standing.text("tenant", who, who, "external_id"),
            standing.text("tenant", who, who, "subscription"),
            tasks[who],
            connections[who],
            running[who],
            users[who],
            to_minute(seen[who]) if who in seen else None,
        )
        for who in standing.customers()
    ]


def active_recipes_by_month(
    world: World, as_of: datetime, months: int, tz: str, tenant: str
) -> Rows:
    """A9: the recipes that ran in customers' accounts at each month's end (now, for this one)."""
    return [
        (month, len(_running(world.standing(at), tenant)))
        for month, at in _month_ends(to_ms(as_of), months, tz)
    ]


def recommended_recipes(world: World, as_of: datetime, k: int) -> Rows:
    """A10: the recommended recipes that customers cloned most.

    Every recipe that ever was cloned from it counts, deleted later or not, if its account is a
    customer's at `as_of`; a state that was overruled at its very instant never was.
    """
    instant = to_ms(as_of)
    standing = world.standing(instant)
    customers = standing.customers()
    clones: dict[str, set[tuple[str, str]]] = {}
    for (entity, who, ident), states in world.registry.states.items():
        if entity != "recipe" or who not in customers:
            continue
        for state in states:
            origin = state.attributes.get("cloned_from")
            if origin and state.time < instant:
                clones.setdefault(origin, set()).add((who, ident))
    rows = [
        (len(clones[of]), (of, standing.name("recipe", who, of), len(clones[of])))
        for who, of, state in standing.standing("recipe")
        if state.attributes.get("recommended") is True and of in clones
    ]
    return ranked(rows, k)
