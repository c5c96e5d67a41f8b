"""``usage migrate``: the store's tables, brought to this release's."""

from __future__ import annotations

import click

from pipeline.cli.opened import opened_store
from pipeline.settings import load


@click.command()
def migrate() -> None:
    """Bring the store's tables to what this release needs; doing it again changes nothing."""
    from pipeline.clickhouse.schema.migrate import migrate as apply

    settings = load()
    with opened_store(settings, is_checked=False) as store:
        applied = apply(store, settings)
    for one in applied:
        click.echo(f"{one.number:04d} {one.name}: applied")
    if not applied:
        click.echo("nothing to apply")
