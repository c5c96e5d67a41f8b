"""``usage migrate``: the store's tables and views, brought to this release's."""

from __future__ import annotations

import click

from pipeline.cli.opened import opened_store
from pipeline.settings import load


@click.command()
def migrate() -> None:
    """Bring the store to what this release needs; doing it again changes nothing."""
    from pipeline.access import tenant_views
    from pipeline.clickhouse.schema import engine_zones
    from pipeline.clickhouse.schema.migrate import migrate as apply

    settings = load()
    with opened_store(settings, is_checked=False) as store:
        done = apply(store, settings, then=tenant_views.statements)
        zones = engine_zones.compare(store)
    for one in done.applied:
        click.echo(f"{one.number:04d} {one.name}: applied")
    for what, names in (("made anew", done.remade), ("dropped", done.dropped)):
        if names:
            click.echo(f"{len(names)} views {what}: {', '.join(names)}")
    if not any(done):
        click.echo("nothing to apply")
    if zones.wrong:
        click.echo(zones.sentence, err=True)
