"""``usage status``: how far each partition is counted, and by whom."""

from __future__ import annotations

import json

import click

from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON
from pipeline.process import terminal
from pipeline.settings import load


@click.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show lag, workers, open chunks and freshness, partition by partition."""
    from pipeline.operate import status as of_group

    settings = load()
    with opened_store(settings) as store:
        found = of_group.read(settings, store)
    if as_json:
        click.echo(json.dumps(of_group.as_json(found), indent=2))
    else:
        of_group.show(found, terminal.console())
