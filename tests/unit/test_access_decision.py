"""Who may ask what: every kind of view, role, scope and foreign argument, against the contract."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from pipeline.access import decision
from pipeline.access.decision import Reason, Refusal, decide, may_grant, may_see, theirs
from pipeline.access.roles import ALL, Caller, Grant, Role, grants


@dataclass(frozen=True)
class _Parameter:
    name: str


@dataclass(frozen=True)
class _View:
    name: str
    rows: tuple[str, ...]
    parameters: tuple[_Parameter, ...] = field(default_factory=tuple)


def _view(row: str, *parameters: str) -> _View:
    return _View(f"view_{row}", tuple(row.split()), tuple(map(_Parameter, parameters)))


OWN = _view("D3 D4 D5", "since", "tenant")
COMPARING = _view("D6", "since", "k")
MONEY = _view("C1 C5", "since", "tenant")
TASKS = _view("A1", "since", "tenant")
CUSTOMERS = _view("A7 A8", "as_of")
METRICS = _view("B1 B2", "as_of", "tenant")
LIVE = _view("L1", "as_of", "tenant")
LEDGER = _view("L3", "since")
AS_OF = _view("all")
NOBODYS = _view("Z9", "tenant")
VIEWS = (OWN, COMPARING, MONEY, TASKS, CUSTOMERS, METRICS, LIVE, LEDGER, AS_OF, NOBODYS)

SEES = {
    Role.VIEWER: (OWN, TASKS, LIVE, AS_OF),
    Role.MANAGER: (OWN, TASKS, LIVE, AS_OF, MONEY, METRICS),
    Role.ADMIN: (OWN, TASKS, LIVE, AS_OF, MONEY, METRICS),
    Role.OPERATOR: (AS_OF,),
}
SEES_OF_ALL = {
    Role.VIEWER: (COMPARING, CUSTOMERS),
    Role.MANAGER: (COMPARING, CUSTOMERS),
    Role.ADMIN: (COMPARING, CUSTOMERS),
    Role.OPERATOR: (LEDGER,),
}


def _caller(role: Role, *scope: str) -> Caller:
    return Caller("somebody", grants(role, scope))


@pytest.mark.parametrize(("role", "view"), list(itertools.product(Role, VIEWS)))
def test_each_role_sees_its_views(role: Role, view: _View) -> None:
    of_one = view in SEES[role]
    assert may_see(_caller(role, "acme"), view) == of_one
    assert may_see(_caller(role, "acme", "beta"), view) == of_one
    assert may_see(_caller(role, ALL), view) == (of_one or view in SEES_OF_ALL[role])


@pytest.mark.parametrize("view", VIEWS)
def test_without_a_grant_nothing_is_seen(view: _View) -> None:
    answer = decide(Caller("somebody", ()), view, {})
    assert isinstance(answer, Refusal)
    assert answer.status == 403


@pytest.mark.parametrize(
    "asked", ["other", "ACME", "acme ", " acme", "acme\0", ALL, "acme,other", "' OR 1=1 --", "%"]
)
def test_the_organization_is_never_another(asked: str) -> None:
    for role in (Role.VIEWER, Role.MANAGER, Role.ADMIN):
        for scope in (("acme",), ("acme", "beta")):
            answer = decide(_caller(role, *scope), OWN, {"tenant": asked})
            assert isinstance(answer, Refusal)
            assert (answer.status, answer.reason) == (403, Reason.ORGANIZATION)
            assert asked.strip() not in answer.sentence.split()


def test_the_tenant_is_set_for_who_has_one() -> None:
    own = _caller(Role.VIEWER, "acme")
    for given in ({}, {"tenant": ""}, {"tenant": "acme"}):
        assert decide(own, OWN, {"since": "1d", **given}) == {"since": "1d", "tenant": "acme"}


def test_who_has_several_says_which_and_never_gets_all() -> None:
    both = _caller(Role.VIEWER, "acme", "beta")
    assert decide(both, OWN, {"tenant": "beta"}) == {"tenant": "beta"}
    for given in ({}, {"tenant": ""}):
        answer = decide(both, OWN, given)
        assert isinstance(answer, Refusal)
        assert (answer.status, answer.reason) == (400, Reason.CHOICE)


def test_all_is_for_the_scope_of_all() -> None:
    partner = _caller(Role.VIEWER, ALL)
    assert decide(partner, OWN, {}) == {"tenant": ""}
    assert decide(partner, OWN, {"tenant": "acme"}) == {"tenant": "acme"}
    assert decide(partner, COMPARING, {"k": "3"}) == {"k": "3"}


def test_a_role_counts_only_where_it_was_given() -> None:
    mixed = Caller("somebody", (Grant("acme", Role.MANAGER), Grant("beta", Role.VIEWER)))
    assert decide(mixed, MONEY, {}) == {"tenant": "acme"}
    refused = decide(mixed, MONEY, {"tenant": "beta"})
    assert isinstance(refused, Refusal)
    assert decide(mixed, OWN, {"tenant": "beta"}) == {"tenant": "beta"}
    assert mixed.role == "manager"
    assert mixed.scope == ("acme", "beta")


def test_an_operator_beside_another_role_has_both_and_no_more() -> None:
    both = Caller("somebody", (Grant(ALL, Role.OPERATOR), Grant("acme", Role.VIEWER)))
    assert may_see(both, LEDGER)
    assert decide(both, OWN, {}) == {"tenant": "acme"}
    assert not may_see(both, COMPARING)
    assert not may_see(both, MONEY)


def test_rows_of_the_ledger_and_of_usage_in_one_view_are_for_nobody() -> None:
    assert decision.audience(_view("L3 D1", "tenant")) is None
    assert decision.audience(_view("", "tenant")) is None


def test_admins_make_keys_for_their_own_only() -> None:
    admin = _caller(Role.ADMIN, "acme", "beta")
    assert may_grant(admin, Role.MANAGER, ["acme"]) is None
    assert may_grant(admin, Role.ADMIN, ["acme", "beta"]) is None
    assert may_grant(_caller(Role.ADMIN, ALL), Role.VIEWER, [ALL]) is None
    for caller, role, scope in (
        (admin, Role.VIEWER, ["acme", "other"]),
        (admin, Role.VIEWER, [ALL]),
        (admin, Role.VIEWER, []),
        (admin, Role.OPERATOR, ["acme"]),
        (_caller(Role.ADMIN, ALL), Role.OPERATOR, [ALL]),
        (_caller(Role.MANAGER, ALL), Role.VIEWER, ["acme"]),
        (_caller(Role.OPERATOR, ALL), Role.VIEWER, ["acme"]),
    ):
        refused = may_grant(caller, role, scope)
        assert refused is not None
        assert refused.status == 403


def test_what_is_of_others_too_is_not_theirs() -> None:
    admin = _caller(Role.ADMIN, "acme")
    assert theirs(admin, Role.ADMIN, ["acme"])
    assert not theirs(admin, Role.ADMIN, ["acme", "beta"])
    assert not theirs(admin, Role.ADMIN, [ALL])
    assert not theirs(admin, Role.ADMIN, [])
    assert not theirs(_caller(Role.VIEWER, "acme"), Role.ADMIN, ["acme"])
