"""``usage access``: who may see what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipeline.cli.groups import Commands
from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON, BY, ROLES, SCOPE
from pipeline.errors import StoreRefused
from pipeline.process.printable import printable
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_GRANTS = ("user", "tenant", "role", "since", "by")


@click.group(cls=Commands)
def access() -> None:
    """Say who may see what: in the API, on the page, and in SQL."""


@access.command()
@click.argument("user")
@click.argument("scope", metavar="SCOPE", required=False)
@click.argument("role", type=ROLES, required=False)
@click.option("--scope", "--tenant", "scope_option", help=SCOPE)
@click.option("--role", "role_option", type=ROLES)
def grant(
    user: str,
    scope: str | None,
    role: str | None,
    scope_option: str | None,
    role_option: str | None,
) -> None:
    """Give a user a role in organizations; it is in force within seconds.

    USER is the name that ClickHouse, the issuer of tokens or the proxy gives them. SCOPE and ROLE
    may be given by name or in that order: `usage access grant ada acme,globex manager`.
    """
    from pipeline.access.grants import Grants
    from pipeline.access.roles import Role, named

    wanted_scope = _one_of("--scope", scope, scope_option)
    wanted_role = _one_of("--role", role, role_option)
    if wanted_scope is None or wanted_role is None:
        raise click.UsageError("name the organizations with --scope and the role with --role")
    organizations = named(wanted_scope)
    with opened_store(load()) as store:
        Grants(store).grant(user, Role(wanted_role), organizations, by=BY)
    click.echo(f"{user} is {wanted_role} of {', '.join(organizations)}")


@access.command()
@click.argument("user")
@click.argument("scope", metavar="SCOPE", required=False)
@click.argument("role", type=ROLES, required=False)
@click.option("--scope", "--tenant", "scope_option", help=f"{SCOPE} Without it, everywhere.")
@click.option("--role", "role_option", type=ROLES, help="Without it, each.")
def revoke(
    user: str,
    scope: str | None,
    role: str | None,
    scope_option: str | None,
    role_option: str | None,
) -> int:
    """Take a user's grants away, all or some; it is in force within seconds.

    Exit status 1: nothing of that was granted.
    """
    from pipeline.access.grants import Grants
    from pipeline.access.roles import Role, named

    wanted_scope = _one_of("--scope", scope, scope_option)
    wanted_role = _one_of("--role", role, role_option)
    with opened_store(load()) as store:
        taken = Grants(store).revoke(
            user,
            scope=named(wanted_scope) if wanted_scope is not None else (),
            role=Role(wanted_role) if wanted_role is not None else None,
            by=BY,
        )
    for one in taken:
        click.echo(printable(f"{user} is no longer {one.role} of {one.tenant}"))
    if not taken:
        click.echo(
            f"usage: nothing of that is granted to {user!r}; `usage access list` shows what is",
            err=True,
        )
    return int(not taken)


@access.command("list")
@click.argument("user", required=False)
@AS_JSON
def list_grants(user: str | None, as_json: bool) -> None:
    """List who may see what."""
    from pipeline.access.grants import Grants
    from pipeline.cli.answers import print_records

    with opened_store(load()) as store:
        held = Grants(store).all(user)
    rows = [(one.user, one.grant.tenant, str(one.grant.role), one.at, one.by) for one in held]
    nothing = "nobody may see anything: `usage access grant` lets people in"
    print_records(_GRANTS, rows, as_json, nothing)


@access.command("sql-user")
@click.argument("user")
@click.option("--run", is_flag=True, help="Run the statements too; needs the rights for it.")
@click.option(
    "--cluster",
    default="",
    help="Make the user on all servers of a cluster; else of USAGE_CLICKHOUSE_CLUSTER, if set.",
)
def sql_user(user: str, run: bool, cluster: str) -> None:
    """Print what makes a user of ClickHouse's who sees what is granted to USER, in SQL.

    The statements are printed on stdout; the password, a new one each time, on stderr.
    """
    from pipeline.access import sql_user as users
    from pipeline.access import tenant_views
    from pipeline.access.grants import Grants, check_user

    settings = load()
    check_user(user)
    password = users.new_password()
    with opened_store(settings) as store:
        servers = cluster or settings.clickhouse_cluster
        made = users.statements(user, password, tenant_views.database(store), servers)
        statements = list(made)
        for statement in statements:
            click.echo(f"{statement};")
        if run:
            _run(store, statements)
        held = Grants(store).all(user)
    click.echo(f"{user}'s password, shown this once: {password}", err=True)
    if not held:
        click.echo(
            f"nothing is granted to {user} yet: usage access grant {user} --scope … --role viewer",
            err=True,
        )


def _run(store: Store, statements: Sequence[str]) -> None:
    try:
        for statement in statements:
            store.command(statement)
    except StoreRefused as error:
        raise StoreRefused(
            f"{error.message}; run what was printed as somebody who may make users and grants "
            "(the embedded store has none: there, the API is what keeps callers apart)",
            error.code,
            error.reason,
        ) from error


def _one_of(option: str, first: str | None, second: str | None) -> str | None:
    if first is not None and second is not None and first != second:
        raise click.UsageError(f"{option} is {second!r}, and the arguments say {first!r}")
    return second if first is None else first
