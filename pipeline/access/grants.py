"""Who has which role where: the table ``_access``, written and listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.access.roles import ALL, Grant, Role
from pipeline.clickhouse.client import NOT_DEDUPLICATED
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

LONGEST = 256
"""Characters of a user's or an organization's name."""

OF_KEYS = "key:"
"""What callers with a key are called by, before the key's id; nobody else may be called so."""

_CHANGE = """
INSERT INTO _access (user, tenant, role, changed_at, changed_by, revoked)
SELECT {user:String}, grant.1, grant.2,
    -- Later than all before, whatever the server's clock says.
    greatest(now64(6, 'UTC'), (SELECT max(changed_at) FROM _access) + INTERVAL 1 MICROSECOND),
    {by:String}, {revoked:UInt8}
FROM (SELECT arrayJoin(arrayZip({tenants:Array(String)}, {roles:Array(String)})) AS grant)
"""
_HELD = "SELECT user, tenant, role, changed_at, changed_by FROM _access FINAL"


@dataclass(frozen=True, slots=True)
class Granted:
    """A row of ``_access`` that holds."""

    user: str
    grant: Grant
    at: datetime
    by: str


class Grants:
    """The grants of a store; changes are in force within seconds, everywhere."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def grant(self, user: str, role: Role, scope: Sequence[str], *, by: str) -> None:
        """Give a user a role in each organization of a scope; what they have, they keep.

        Raises:
            UsageError: a name cannot be one, or that role is none in that scope.
        """
        check_user(user)
        check_scope(role, scope)
        self._change(user, [Grant(tenant, role) for tenant in scope], by, revoked=False)

    def revoke(
        self, user: str, *, scope: Sequence[str] = (), role: Role | None = None, by: str
    ) -> list[Grant]:
        """Take a user's grants away, of those organizations and that role where they are given.

        Returns what was taken.
        """
        taken = [
            held.grant
            for held in self.all(user)
            if (not scope or held.grant.tenant in scope) and role in (None, held.grant.role)
        ]
        if taken:
            self._change(user, taken, by, revoked=True)
        return taken

    def all(self, user: str | None = None) -> list[Granted]:
        """Every grant that holds, or a user's, sorted by user and organization.

        A row of an unknown role is none, nor is one of the organization '', which in a view's
        parameter would be all of them.
        """
        rows = self._store.query(
            f"{_HELD} WHERE ({{every:UInt8}} OR user = {{user:String}}) AND tenant != '' "
            "ORDER BY user, tenant, role",
            {"every": int(user is None), "user": user or ""},
            consistent=True,
        )
        return [
            Granted(who, Grant(tenant, Role(role)), at, by)
            for who, tenant, role, at, by in rows
            if role in set(Role)
        ]

    def _change(self, user: str, grants: Sequence[Grant], by: str, *, revoked: bool) -> None:
        values = {
            "user": user,
            "tenants": [one.tenant for one in grants],
            "roles": [str(one.role) for one in grants],
            "by": by,
            "revoked": int(revoked),
        }
        self._store.command(_CHANGE, values, settings=NOT_DEDUPLICATED)


def check_user(user: str) -> None:
    """Refuse what can be nobody's name.

    Raises:
        UsageError: it says why.
    """
    if not _is_name(user) or user.startswith(OF_KEYS):
        raise UsageError(
            f"{user!r} can be no user: wanted are 1 to {LONGEST} visible characters that do not "
            f"begin with {OF_KEYS!r} (a key has its role and scope from `usage key create`)"
        )


def check_scope(role: Role, scope: Sequence[str]) -> None:
    """Refuse a scope that is none, or in which a role sees nothing.

    Raises:
        UsageError: it says why.
    """
    if not scope or not all(map(_is_name, scope)):
        raise UsageError(
            f"the scope {','.join(scope)!r} is none: wanted are organizations with commas between, "
            f"or {ALL!r} for all of them"
        )
    if ALL in scope and len(scope) > 1:
        raise UsageError(f"{ALL!r} is all organizations; name it alone, or name only organizations")
    if role is Role.OPERATOR and ALL not in scope:
        raise UsageError(f"the ledger is of all organizations: an operator's scope is {ALL!r}")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable() and text == text.strip()
