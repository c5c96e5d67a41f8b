"""The registry as it stood just before an instant."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.oracle.log import Change

Key = tuple[str, str, str]
"""(entity, tenant, id); models and apps are those of tenant ``*``."""


@dataclass(frozen=True)
class State:
    """One thing as it stands from an instant on."""

    time: int
    deleted: bool
    name: str
    attributes: dict[str, Any]

    def text(self, attribute: str) -> str:
        """An attribute as text; absent, and null, is ''."""
        value = self.attributes.get(attribute)
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Registry:
    """All states of all things."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changes = list(changes)
        by_key: dict[Key, list[Change]] = {}
        for change in self.changes:
            by_key.setdefault((change.entity, change.tenant, change.id), []).append(change)
        self.states = {key: list(_states(of)) for key, of in by_key.items()}

    def before(self, instant: int) -> Standing:
        """What stood just before an instant."""
        found: dict[Key, State] = {}
        for key, states in self.states.items():
            place = bisect_left([state.time for state in states], instant)
            if place:
                found[key] = states[place - 1]
        return Standing(found)


def _states(changes: list[Change]) -> Iterator[State]:
    """One state for each time at which something was said, in order of time (not of arrival)."""
    by_time: dict[int, list[Change]] = {}
    for change in changes:
        by_time.setdefault(change.time, []).append(change)
    known = ""
    for time in sorted(by_time):
        change = _winner(by_time[time])
        state = State(time, change.deleted, "", change.attributes)
        name = state.text("name")
        known = _last_name(by_time[time]) or known
        if change.deleted and not change.attributes:
            name = known  # a deletion without attributes keeps the last known name, nothing else
        yield State(time, change.deleted, name, change.attributes)


def _last_name(changes: list[Change]) -> str:
    """The last name among several at the same time, overruled ones too; '' if none has one."""
    named = [one for one in changes if State(one.time, False, "", one.attributes).text("name")]
    return State(0, False, "", _winner(named).attributes).text("name") if named else ""


def _winner(changes: list[Change]) -> Change:
    """Which of several changes at the same time holds.

    The later of each partition; of those, the later arrival.
    """
    by_partition: dict[int, Change] = {}
    for change in sorted(changes, key=lambda one: (one.offset, one.element)):
        by_partition[change.partition] = change
    return max(by_partition.values(), key=lambda one: (one.arrival, one.partition))


@dataclass(frozen=True)
class Standing:
    """Every thing's state at one instant, deleted ones too."""

    states: dict[Key, State]

    def name(self, entity: str, tenant: str, ident: str) -> str:
        """The entity's name, else its id; `unattributed` for the id ''."""
        if ident == "":
            return "unattributed"
        state = self.states.get((entity, tenant, ident))
        return (state.name if state else "") or ident

    def text(self, entity: str, tenant: str, ident: str, attribute: str) -> str:
        """One attribute of a thing; '' where there is none, or no such thing."""
        state = self.states.get((entity, tenant, ident))
        return state.text(attribute) if state else ""

    def standing(self, entity: str) -> Iterator[tuple[str, str, State]]:
        """(tenant, id, state) of all things of a kind that are not deleted."""
        for (kind, tenant, ident), state in self.states.items():
            if kind == entity and not state.deleted:
                yield tenant, ident, state

    def tenants(self) -> set[str]:
        """The registered tenants that are not deleted."""
        return {tenant for tenant, _, _ in self.standing("tenant")}

    def is_admin(self, tenant: str) -> bool:
        """Whether it is the partner's own account."""
        return self.text("tenant", tenant, tenant, "kind") == "admin"

    def customers(self) -> set[str]:
        """The registered tenants that are not deleted, but for the admin's own account."""
        return {tenant for tenant in self.tenants() if not self.is_admin(tenant)}

    def timezone(self, tenant: str) -> str:
        """The tenant's own zone, UTC by default."""
        return self.text("tenant", tenant, tenant, "timezone") or "UTC"
