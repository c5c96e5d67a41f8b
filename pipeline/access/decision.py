"""The one function that decides who may ask what. Pure.

Who a view is for follows from the rows of the list of numbers that it answers, which stand in its
comment beside its sentence and units: a view without a row known here is for nobody. A view without
the parameter ``tenant`` compares organizations or is of all of them: only scope `ALL` sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pipeline.access.roles import ALL, Caller, Role, covers

_OF_ROW = {
    "A": Role.VIEWER,
    "B": Role.MANAGER,
    "C": Role.MANAGER,
    "D": Role.VIEWER,
    "L1": Role.VIEWER,
    "L2": Role.OPERATOR,
    "L3": Role.OPERATOR,
}
"""By a row of the list of numbers, or by its letter: the least role that sees it."""

EVERYONE_ROW = "all"
"""The row of what everybody sees who was let in: how fresh the answers are."""

TENANT = "tenant"


class Reason(StrEnum):
    """Why a request is refused; the label of ``usage_api_refusals_total``."""

    UNIDENTIFIED = "unidentified"  # nothing was presented
    IDENTITY = "identity"  # what was presented is not valid
    STALE = "stale"  # who may see what cannot be read
    NO_GRANT = "no_grant"
    ROLE = "role"
    ORGANIZATION = "organization"
    COMPARES = "compares"  # it is of all organizations
    CHOICE = "choice"  # several organizations, and none chosen
    CURSOR = "cursor"  # somebody else's
    NOT_THEIRS = "not_theirs"  # a key or report
    RATE = "rate"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not answered: the status, why for programs, and a sentence for people.

    The sentence tells nothing of what there is: it is the same for an organization that exists and
    one that does not.
    """

    status: int
    reason: Reason
    sentence: str


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class Asked(Protocol):
    """What is decided about: a view of the catalogue, or anything described like one."""

    @property
    def name(self) -> str:
        """The view's name."""
        ...

    @property
    def rows(self) -> Sequence[str]:
        """Rows of the list of numbers, ``A1``."""
        ...

    @property
    def parameters(self) -> Sequence[_Named]:
        """The view's parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Audience:
    """Who a view is for."""

    role: Role | None
    """The least role; None: everybody who was let in."""
    all_only: bool
    """Only for scope `ALL`."""

    def __str__(self) -> str:
        if self.role is None:
            return "everyone"
        return f"{self.role}, scope {ALL}" if self.all_only else str(self.role)


def audience(view: Asked) -> Audience | None:
    """Who a view is for; None where nothing says so: then it is for nobody."""
    if list(view.rows) == [EVERYONE_ROW]:
        return Audience(None, all_only=False)
    roles = {_OF_ROW.get(row) or _OF_ROW.get(row[:1]) for row in view.rows}
    if None in roles or not roles:
        return None
    if Role.OPERATOR in roles:
        # Of events received, which are nobody's usage; never together with anything else.
        role = Role.OPERATOR if roles == {Role.OPERATOR} else None
    else:
        role = Role.MANAGER if Role.MANAGER in roles else Role.VIEWER
    if role is None:
        return None
    return Audience(role, all_only=TENANT not in {one.name for one in view.parameters})


def may_see(caller: Caller, view: Asked) -> bool:
    """Whether there are parameters with which they may ask it."""
    return not isinstance(_organizations(caller, view), Refusal)


def decide(caller: Caller, view: Asked, given: Mapping[str, str]) -> dict[str, str] | Refusal:
    """The parameters with which a view is asked for a caller, or why it is not.

    ``given``: parameters by name, as typed. Of those returned, ``tenant`` is set here: to what was
    asked for if that is the caller's, or to their only organization; to '' (all) only for those
    who may see all.
    """
    tenants = _organizations(caller, view)
    if isinstance(tenants, Refusal):
        return tenants
    if TENANT not in {one.name for one in view.parameters}:
        return dict(given)
    tenant = organization(tenants, given.get(TENANT, ""))
    return tenant if isinstance(tenant, Refusal) else {**given, TENANT: tenant}


def organization(tenants: Sequence[str], asked: str) -> str | Refusal:
    """The organization a question is about, of those in which the caller has the role it needs.

    ``asked`` '' is all of them, or the only one.
    """
    if tenants == (ALL,):
        return asked
    if not asked:
        if len(tenants) == 1:
            return tenants[0]
        names = ", ".join(tenants)
        return Refusal(400, Reason.CHOICE, f"tenant is not given; choose one of yours: {names}")
    # The list's own, so that a `*` in a parameter can never be taken for all.
    found = next((one for one in tenants if one == asked and asked != ALL), None)
    return found or Refusal(403, Reason.ORGANIZATION, "that organization is not one of yours")


def nothing_granted(caller: Caller) -> Refusal | None:
    """Why somebody who was let in sees nothing at all; None: something is granted to them."""
    if caller.grants:
        return None
    return Refusal(403, Reason.NO_GRANT, "nothing is granted to you; ask an administrator")


def role_in(caller: Caller, role: Role, what: str) -> tuple[str, ...] | Refusal:
    """The organizations in which they have that role, `ALL` alone for all; none is a refusal.

    ``what``: the subject of the refusal's sentence, ``reports``.
    """
    refusal = nothing_granted(caller)
    if refusal is not None:
        return refusal
    tenants = caller.tenants(role)
    if not tenants:
        return Refusal(403, Reason.ROLE, f"{what} needs the role {_or_more(role)}")
    return tenants


def may_grant(caller: Caller, role: Role, scope: Sequence[str]) -> Refusal | None:
    """Why a caller may not make a key with that role and scope; None: they may.

    Admins make keys for their own organizations, never for more than they see themselves: an
    operator's is made from the command line.
    """
    tenants = role_in(caller, Role.ADMIN, "making keys")
    if isinstance(tenants, Refusal):
        return tenants
    if not Role.ADMIN.includes(role):
        return Refusal(403, Reason.ROLE, f"a key with the role {role} is not an admin's to make")
    if not covers(tenants, scope):
        return Refusal(403, Reason.ORGANIZATION, "that scope has organizations that are not yours")
    return None


def may_define(caller: Caller) -> Refusal | None:
    """Why a caller may not see and change definitions of metrics; None: they may.

    A definition is every customer's, so it is for admins whose scope is `ALL`.
    """
    what = "definitions of metrics"
    tenants = role_in(caller, Role.ADMIN, what)
    if isinstance(tenants, Refusal):
        return tenants
    if tenants != (ALL,):
        sentence = f"{what} are of all organizations, which needs the scope {ALL}"
        return Refusal(403, Reason.COMPARES, sentence)
    return None


def theirs(caller: Caller, role: Role, scope: Sequence[str]) -> bool:
    """Whether something of that scope (a key, a report) is of organizations of the caller's.

    ``role``: the least that they need there.
    """
    return covers(caller.tenants(role), scope)


def _organizations(caller: Caller, view: Asked) -> tuple[str, ...] | Refusal:
    """The organizations for which a caller may ask a view."""
    for_whom = audience(view)
    if for_whom is None:
        return Refusal(403, Reason.ROLE, f"{view.name} is for nobody: nothing says who may see it")
    if for_whom.role is None:
        return nothing_granted(caller) or (ALL,)
    tenants = role_in(caller, for_whom.role, view.name)
    if isinstance(tenants, Refusal):
        return tenants
    if for_whom.all_only and tenants != (ALL,):
        return Refusal(
            403,
            Reason.COMPARES,
            f"{view.name} is of all organizations, which needs the scope {ALL}",
        )
    return tenants


def _or_more(role: Role) -> str:
    more = [str(one) for one in Role if one.includes(role)]
    return " or ".join(more)
