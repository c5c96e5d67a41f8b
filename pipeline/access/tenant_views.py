"""A second database, in which everybody sees their own organizations: for Grafana and analysts.

It has the views of one organization under their own names and parameters, with one change: their
``tenant`` is looked up in ``_access`` by ``currentUser()``, which is the caller though a view of
``SQL SECURITY DEFINER`` reads as its owner. So a user needs `SELECT` on this database and nothing
else: no table, materialized view or function is in reach, and there is no text of a query that
means another organization. Tried against it: ``tests/integration/test_tenant_views.py``; why so,
and what else was tried: ``docs/decisions/access.md``.

Made by ``usage migrate`` from the views as they are deployed, after them and under its lease.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.access.decision import EVERYONE_ROW, Audience, audience
from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.quoting import identifier, quoted
from pipeline.views import catalogue

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.views.catalogue import View

SUFFIX = "_tenant"
"""Behind the name of the database whose views they are."""

NOT_YOURS = (
    "that organization is not one of yours; name one that is granted to you: tenant may be empty "
    "where it is just one"
)
_PARAMETER = "{tenant:String}"
_CALLERS = "_callers_tenant"
_NOBODYS = r"nobody\0"
"""Of no organization: what a lookup that gave no row comes to, whatever made it do that."""

_ALL_OF = "SELECT * FROM"
_BARRIER = "LIMIT 1000000000000"
"""No condition of a query is moved beneath a LIMIT. Without one a caller's condition is evaluated
where tables are read, on the rows of others too, and an error in it tells what they hold."""

_LOOKUP = """ifNull((
SELECT if(throwIf(NOT allowed, '{message}') = 0, multiIf(every OR asked != '', asked, held[1]), '')
FROM (
    SELECT
        {parameter} AS asked,
        groupUniqArray(tenant) AS held,
        has(held, '{all}') AS every,
        every OR if(asked = '', length(held) = 1, has(held, asked)) AS allowed
    FROM {database}.`_access` FINAL
    WHERE user = currentUser() AND tenant != '' AND role IN ({roles})
)), '{nobodys}')"""

_LET_IN = """(
SELECT throwIf(count() = 0, '{message}')
FROM {database}.`_access` FINAL WHERE user = currentUser() AND tenant != '' AND role IN ({roles})
) = 0"""


def statements(store: Store, cluster: str = "", definer: str = "") -> Iterator[str]:
    """What is to be done so that the second database is as the views are; nothing where it is.

    Args:
        store: the database whose views they are.
        cluster: for ``ON CLUSTER``; empty: one server.
        definer: as whom they read; empty: as whoever makes them.
    """
    there = _there(store)
    definer = definer or str(store.query("SELECT currentUser()")[0][0])
    everywhere = f" ON CLUSTER {quoted(cluster)}" if cluster else ""
    yield f"CREATE DATABASE IF NOT EXISTS {identifier(database(store))}{everywhere}"
    wanted = {}
    for name, (view, source) in catalogue.sources(store).items():
        select = own(view, source, store.database)
        if select is not None:
            wanted[name] = (select, view)
    for name in sorted(there.keys() - wanted.keys()):
        yield f"DROP VIEW IF EXISTS {identifier(database(store))}.{identifier(name)}{everywhere}"
    for name, (select, view) in wanted.items():
        head = f"{identifier(database(store))}.{identifier(name)}{everywhere}"
        made = f"VIEW {head} DEFINER = {identifier(definer)} SQL SECURITY DEFINER AS {select}"
        comment = f"{_described(view)}\n{hashlib.sha256(made.encode()).hexdigest()[:16]}"
        if there.get(name) != comment:
            yield f"CREATE OR REPLACE {made} COMMENT {quoted(comment)}"


def database(store: Store) -> str:
    """The name of the second database of a store."""
    return f"{store.database}{SUFFIX}"


def own(view: View, select: str, of: str) -> str | None:
    """The SELECT of a view with the caller's own organization in it; None where it has no place.

    ``select``: the view's own, with ``{tenant:String}`` where its organization stands; ``of``: its
    database.
    """
    for_whom = audience(view)
    if for_whom is None or for_whom.role is Role.OPERATOR:
        return None
    if list(view.rows) == [EVERYONE_ROW]:
        return f"{_ALL_OF} ({select}) WHERE {_let_in(of)} {_BARRIER}"
    if for_whom.all_only or _PARAMETER not in select:
        return None
    body = select.replace(_PARAMETER, _CALLERS)
    return f"WITH {_lookup(for_whom, of)} AS {_CALLERS} {_ALL_OF} ({body}) {_BARRIER}"


def _lookup(for_whom: Audience, of: str) -> str:
    roles = (one for one in Role if for_whom.role is None or one.includes(for_whom.role))
    return _LOOKUP.format(
        message=NOT_YOURS,
        parameter=_PARAMETER,
        all=ALL,
        database=identifier(of),
        roles=", ".join(map(quoted, roles)),
        nobodys=_NOBODYS,
    )


def _let_in(of: str) -> str:
    return _LET_IN.format(
        message=NOT_YOURS, database=identifier(of), roles=", ".join(map(quoted, Role))
    )


def _described(view: View) -> str:
    units = ", ".join(f"{name} {unit}" for name, unit in view.units.items())
    return "\n".join((" ".join(view.rows), view.sentence, units))


def _there(store: Store) -> dict[str, str]:
    return dict(
        store.query(
            "SELECT name, comment FROM system.tables "
            "WHERE database = {database:String} AND engine = 'View'",
            {"database": database(store)},
        )
    )
