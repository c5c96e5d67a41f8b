"""Roles, scopes and callers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

ALL = "*"
"""In place of an organization: all of them, those to come too."""


class Role(StrEnum):
    """What a caller is to an organization."""

    VIEWER = "viewer"
    MANAGER = "manager"
    ADMIN = "admin"
    OPERATOR = "operator"

    def includes(self, wanted: Role) -> bool:
        """Whether whoever has this role has the wanted one; an operator has no other."""
        return wanted in _INCLUDED[self]


_INCLUDED = {
    Role.VIEWER: {Role.VIEWER},
    Role.MANAGER: {Role.VIEWER, Role.MANAGER},
    Role.ADMIN: {Role.VIEWER, Role.MANAGER, Role.ADMIN},
    Role.OPERATOR: {Role.OPERATOR},
}
_HIGHEST_FIRST = (Role.ADMIN, Role.MANAGER, Role.VIEWER, Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one organization, or in all (`ALL`): a row of ``_access``."""

    tenant: str
    role: Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, once that is established. Without a grant nothing is theirs."""

    user: str
    """As logs and ``_access`` have it: a person's name there, or ``key:`` and the key's id."""
    grants: tuple[Grant, ...]
    key: str = ""
    """The id of the API key that was presented; never its secret. Empty: a person."""
    name: str = ""
    """For people: a key's name."""

    def tenants(self, role: Role) -> tuple[str, ...]:
        """The organizations in which they have that role, sorted; `ALL` alone where it is all."""
        found = {one.tenant for one in self.grants if one.role.includes(role)}
        return (ALL,) if ALL in found else tuple(sorted(found))

    @property
    def role(self) -> str:
        """The highest role they have anywhere; empty without a grant."""
        held = {one.role for one in self.grants}
        return next((str(role) for role in _HIGHEST_FIRST if role in held), "")

    @property
    def scope(self) -> tuple[str, ...]:
        """The organizations in which they have any role, sorted; `ALL` alone where it is all."""
        found = {one.tenant for one in self.grants}
        return (ALL,) if ALL in found else tuple(sorted(found))


def grants(role: Role, scope: Iterable[str]) -> tuple[Grant, ...]:
    """One role in each organization of a scope: what a key holds."""
    return tuple(Grant(tenant, role) for tenant in sorted(set(scope)))


def covers(scope: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether every organization of the wanted scope lies in the other; nothing is in no scope."""
    return bool(wanted) and (ALL in scope or set(wanted) <= set(scope))


def named(text: str) -> tuple[str, ...]:
    """The scope that a text names: organizations with commas between, each once, sorted."""
    return tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
