"""``usage key``: the API keys of programs."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pipeline.cli.groups import Commands
from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON, BY, ROLES, SCOPE
from pipeline.settings import load

_KEYS = ("id", "name", "role", "scope", "created", "created_by", "expires", "last_used")


@click.group(cls=Commands)
def key() -> None:
    """Make, list and end the API keys of programs."""


@key.command()
@click.option("--role", type=ROLES, required=True)
@click.option("--scope", required=True, help=SCOPE)
@click.option("--expires", help="90d, or a time; without it, never.")
@click.option("--name", default="", help="For people: what it is for.")
def create(role: str, scope: str, expires: str | None, name: str) -> None:
    """Make a key; it is printed this once, alone on its line, and cannot be shown again."""
    from pipeline.access.expiry import expiry
    from pipeline.access.keys import StoredKeys
    from pipeline.access.roles import Role, named

    settings = load()
    until = expiry(expires, datetime.now(UTC)) if expires is not None else None
    with opened_store(settings) as store:
        made, text = StoredKeys(store).create(
            Role(role), named(scope), name=name, expires=until, by=BY
        )
    ends = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is revoked"
    click.echo(
        f"key {made.id}: {made.role} of {', '.join(made.scope)}, {ends}; it is shown this once",
        err=True,
    )
    click.echo(text)


@key.command("list")
@AS_JSON
def list_keys(as_json: bool) -> None:
    """List the keys that were not revoked, without their secrets."""
    from pipeline.access.keys import StoredKeys
    from pipeline.cli.answers import print_records

    with opened_store(load()) as store:
        keys = StoredKeys(store).all()
    rows = [
        (
            *(key.id, key.name, str(key.role)),
            list(key.scope) if as_json else ",".join(key.scope),
            *(key.created, key.created_by, key.expires, key.last_used),
        )
        for key in keys
    ]
    print_records(_KEYS, rows, as_json, "there is no key: `usage key create` makes one")


@key.command("revoke")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def revoke_keys(ids: tuple[str, ...]) -> int:
    """End keys, by their ids, for good; within seconds they open nothing.

    Exit status 1: there is no such key, or it was revoked before.
    """
    from pipeline.access.keys import StoredKeys

    missing = 0
    with opened_store(load()) as store:
        keys = StoredKeys(store)
        for one in ids:
            if keys.revoke(one):
                click.echo(f"key {one} is revoked")
            else:
                missing = 1
                click.echo(
                    f"usage: there is no key {one!r} that holds; `usage key list` shows them "
                    "(the id is the part between the underscores)",
                    err=True,
                )
    return missing
