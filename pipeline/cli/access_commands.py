"""What ``usage access`` and ``usage key`` do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pipeline.access import sql_user, tenant_views
from pipeline.access.expiry import expiry
from pipeline.access.grants import Grants, check_user
from pipeline.access.keys import StoredKeys
from pipeline.access.roles import Role
from pipeline.cli.answers import show_rows
from pipeline.cli.opened import opened_store
from pipeline.errors import StoreRefused
from pipeline.process import terminal
from pipeline.views import rows as answers
from pipeline.views.catalogue import Column

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings

BY = "command line"
"""Who made a grant or a key, where it was made here."""

_GRANTS = ("user", "tenant", "role", "since", "by")
_KEYS = ("id", "name", "role", "scope", "created", "created_by", "expires", "last_used")


def grant_command(settings: Settings, user: str, scope: str, role: str) -> None:
    """Give a user a role in organizations.

    Raises:
        UsageError: a name cannot be one.
    """
    organizations = _words(scope)
    with opened_store(settings) as store:
        Grants(store).grant(user, Role(role), organizations, by=BY)
    click.echo(f"{user} is {role} of {', '.join(organizations)}")


def revoke_command(settings: Settings, user: str, scope: str | None, role: str | None) -> int:
    """Take grants away; 1 where there was nothing to take."""
    with opened_store(settings) as store:
        taken = Grants(store).revoke(
            user,
            scope=_words(scope) if scope is not None else (),
            role=Role(role) if role is not None else None,
            by=BY,
        )
    for one in taken:
        click.echo(f"{user} is no longer {one.role} of {one.tenant}")
    if not taken:
        click.echo(
            f"usage: nothing of that is granted to {user!r}; `usage access list` shows what is",
            err=True,
        )
    return int(not taken)


def list_command(settings: Settings, user: str | None, as_json: bool) -> None:
    """Print who may see what."""
    with opened_store(settings) as store:
        held = Grants(store).all(user)
    rows = [(one.user, one.grant.tenant, str(one.grant.role), one.at, one.by) for one in held]
    _print(_GRANTS, rows, as_json, "nobody may see anything: `usage access grant` lets people in")


def sql_user_command(settings: Settings, user: str, cluster: str, *, run: bool) -> None:
    """Print the statements that make a user of ClickHouse's, and run them.

    Raises:
        UsageError: a name cannot be one, or ClickHouse refuses to make users.
    """
    check_user(user)
    password = sql_user.new_password()
    with opened_store(settings) as store:
        statements = list(
            sql_user.statements(user, password, tenant_views.database(store), cluster)
        )
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


def create_key_command(
    settings: Settings, role: str, scope: str, expires: str | None, name: str
) -> None:
    """Make a key and print it: alone on stdout, what it is on stderr.

    Raises:
        UsageError: a scope, a name or a time cannot be one.
    """
    until = expiry(expires, datetime.now(UTC)) if expires is not None else None
    with opened_store(settings) as store:
        key, text = StoredKeys(store).create(
            Role(role), _words(scope), name=name, expires=until, by=BY
        )
    ends = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is revoked"
    click.echo(
        f"key {key.id}: {key.role} of {', '.join(key.scope)}, {ends}; it is shown this once",
        err=True,
    )
    click.echo(text)


def list_keys_command(settings: Settings, as_json: bool) -> None:
    """Print the keys that were not revoked."""
    with opened_store(settings) as store:
        keys = StoredKeys(store).all()
    rows = [
        (
            *(key.id, key.name, str(key.role)),
            list(key.scope) if as_json else ",".join(key.scope),
            *(key.created, key.created_by, key.expires, key.last_used),
        )
        for key in keys
    ]
    _print(_KEYS, rows, as_json, "there is no key: `usage key create` makes one")


def revoke_keys_command(settings: Settings, ids: Sequence[str]) -> int:
    """End keys; 1 where there was none of an id."""
    missing = 0
    with opened_store(settings) as store:
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


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted({word.strip() for word in text.split(",") if word.strip()}))


def _print(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], as_json: bool, nothing: str
) -> None:
    if as_json:
        answers.show_json(answers.as_json(columns, rows), sys.stdout)
    elif rows:
        show_rows([Column(name, "String", "") for name in columns], rows, terminal.console())
    else:
        click.echo(nothing)
