"""``usage rewind``: the group's offsets, put back to where the store ends."""

from __future__ import annotations

import click

from pipeline.cli.opened import opened_store
from pipeline.settings import load


@click.command()
@click.option(
    "--to-store",
    is_flag=True,
    required=True,
    help="Put the group's offsets to where the store ends.",
)
def rewind(to_store: bool) -> None:  # noqa: ARG001 -- required: what is done is said by its name
    """Have Kafka replay what a restored or new store lacks. Stop the workers first."""
    from pipeline.kafka import topics as kafka
    from pipeline.operate.rewind import rewind as put_back

    settings = load()
    with opened_store(settings) as store:
        rewound = put_back(settings, store, [settings.topic(spec.name) for spec in kafka.COUNTED])
    for one, first in rewound:
        topic, partition = one.source
        click.echo(f"{topic} partition {partition}: {one.a} to {one.b} will be read again")
        if first > one.a:
            click.echo(
                f"{topic} partition {partition}: of these Kafka has deleted {one.a} to "
                f"{min(first, one.b)} (the store is older than Kafka's retention): their events "
                "are in no number any more, and the ledger will have them as lost"
            )
    if not rewound:
        click.echo("nothing to rewind: the group's offsets are not ahead of the store")
