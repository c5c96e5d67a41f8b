"""``usage migrate``: the store's tables and views, brought to this release's."""

from __future__ import annotations

import click

from pipeline.cli.opened import opened_store
from pipeline.settings import Settings, load


@click.command()
@click.option("--runs-are-over", is_flag=True, hidden=True, help="Said by `usage run` alone.")
def migrate(runs_are_over: bool) -> None:
    """Bring the store to what this release needs; doing it again changes nothing."""
    from pipeline.access import tenant_views
    from pipeline.clickhouse.schema import engine_zones
    from pipeline.clickhouse.schema.migrate import migrate as apply
    from pipeline.kafka.topics import is_embedded

    passed_over = set()

    def is_gone(incarnation: str) -> bool:
        # A run that was killed leaves a chunk open; its log was in memory, so it stays open.
        if is_over := runs_are_over and is_embedded(incarnation):
            passed_over.add(incarnation)
        return is_over

    settings = load()
    if settings.clickhouse_cluster:
        _show_cluster(settings)
    with opened_store(settings, is_checked=False) as store:
        done = apply(store, settings, then=tenant_views.statements, is_gone=is_gone)
        zones = engine_zones.compare(store)
    for one in done.applied:
        click.echo(f"{one.number:04d} {one.name}: applied")
    for what, names in (("made anew", done.remade), ("dropped", done.dropped)):
        if names:
            click.echo(f"{len(names)} views {what}: {', '.join(names)}")
    if passed_over:
        click.echo(
            f"chunks of {len(passed_over)} runs that were killed stay open, for their logs are "
            "gone: what of them is in the tables cannot be told (docs/audit.md)"
        )
    if not any(done):
        click.echo("nothing to apply")
    if zones.wrong:
        click.echo(zones.sentence, err=True)


def _show_cluster(settings: Settings) -> None:
    """Say which servers there are; refuse what does not fit, before anything is changed."""
    from pipeline.clickhouse.schema import layout

    for number, replicas in enumerate(layout.require(settings), 1):
        servers = ", ".join(f"{one.where} (replica {one.replica})" for one in replicas)
        click.echo(f"shard {number}, {replicas[0].shard!r} to its servers: {servers}")
