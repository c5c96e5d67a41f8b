"""``usage access`` and ``usage key``: who may see what, and the keys of programs."""

from __future__ import annotations

import click

from pipeline.cli.groups import Commands
from pipeline.settings import load

_ROLES = click.Choice(["viewer", "manager", "admin", "operator"])
_SCOPE = "Organizations with commas between, or '*' for all."


@click.group(cls=Commands)
def access() -> None:
    """Say who may see what: in the API, on the page, and in SQL."""


@access.command()
@click.argument("user")
@click.argument("scope", metavar="SCOPE", required=False)
@click.argument("role", type=_ROLES, required=False)
@click.option("--scope", "scope_option", help=_SCOPE)
@click.option("--role", "role_option", type=_ROLES)
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
    from pipeline.cli.access_commands import grant_command

    wanted_scope = _one_of("--scope", scope, scope_option)
    wanted_role = _one_of("--role", role, role_option)
    if wanted_scope is None or wanted_role is None:
        raise click.UsageError("name the organizations with --scope and the role with --role")
    grant_command(load(), user, wanted_scope, wanted_role)


@access.command()
@click.argument("user")
@click.argument("scope", metavar="SCOPE", required=False)
@click.argument("role", type=_ROLES, required=False)
@click.option("--scope", "scope_option", help=f"{_SCOPE} Without it, everywhere.")
@click.option("--role", "role_option", type=_ROLES, help="Without it, each.")
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
    from pipeline.cli.access_commands import revoke_command

    return revoke_command(
        load(),
        user,
        _one_of("--scope", scope, scope_option),
        _one_of("--role", role, role_option),
    )


@access.command("list")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_grants(user: str | None, as_json: bool) -> None:
    """List who may see what."""
    from pipeline.cli.access_commands import list_command

    list_command(load(), user, as_json)


@access.command("sql-user")
@click.argument("user")
@click.option("--run", is_flag=True, help="Run the statements too; needs the rights for it.")
@click.option("--cluster", default="", help="Make the user on all servers of a cluster.")
def sql_user(user: str, run: bool, cluster: str) -> None:
    """Print what makes a user of ClickHouse's who sees what is granted to USER, in SQL.

    The statements are printed on stdout; the password, a new one each time, on stderr.
    """
    from pipeline.cli.access_commands import sql_user_command

    sql_user_command(load(), user, cluster, run=run)


@click.group(cls=Commands)
def key() -> None:
    """Make, list and end the API keys of programs."""


@key.command()
@click.option("--role", type=_ROLES, required=True)
@click.option("--scope", required=True, help=_SCOPE)
@click.option("--expires", help="90d, or a time; without it, never.")
@click.option("--name", default="", help="For people: what it is for.")
def create(role: str, scope: str, expires: str | None, name: str) -> None:
    """Make a key; it is printed this once, alone on its line, and cannot be shown again."""
    from pipeline.cli.access_commands import create_key_command

    create_key_command(load(), role, scope, expires, name)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_keys(as_json: bool) -> None:
    """List the keys that were not revoked, without their secrets."""
    from pipeline.cli.access_commands import list_keys_command

    list_keys_command(load(), as_json)


@key.command("revoke")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def revoke_keys(ids: tuple[str, ...]) -> int:
    """End keys, by their ids, for good; within seconds they open nothing.

    Exit status 1: there is no such key, or it was revoked before.
    """
    from pipeline.cli.access_commands import revoke_keys_command

    return revoke_keys_command(load(), ids)


def _one_of(option: str, first: str | None, second: str | None) -> str | None:
    if first is not None and second is not None and first != second:
        raise click.UsageError(f"{option} is {second!r}, and the arguments say {first!r}")
    return second if first is None else first
