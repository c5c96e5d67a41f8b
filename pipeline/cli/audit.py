"""``usage audit``: whether ledger, tables and offsets agree."""

from __future__ import annotations

import json

import click

from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON
from pipeline.process import terminal
from pipeline.settings import load


@click.command()
@click.option("--recount", is_flag=True, help="Count a range of the log again, and compare.")
@click.option("--topic", default="", help="Recount: only this topic.")
@click.option("--partition", type=click.IntRange(0), help="Recount: only this partition.")
@click.option(
    "--since-offset", type=click.IntRange(0), default=0, help="Recount: chunks from here."
)
@click.option(
    "--last", type=click.IntRange(0), default=0, help="Recount: the newest N chunks each."
)
@click.option(
    "--within",
    type=click.FloatRange(0, 3600),
    default=15.0,
    show_default=True,
    help="Seconds to look for a moment without a chunk under way.",
)
@AS_JSON
def audit(
    recount: bool,
    topic: str,
    partition: int | None,
    since_offset: int,
    last: int,
    within: float,
    as_json: bool,
) -> int:
    """Check that ledger, tables and offsets agree; safe beside live workers.

    Exit status: 0 all is well, 1 damage was found, 3 no damage but events were lost to retention,
    75 to 78 it could not be checked.
    """
    from pipeline.operate.audit import screen
    from pipeline.operate.audit.run import audit as run
    from pipeline.operate.audit.selection import ChunkSelection

    selection = ChunkSelection(topic, partition, since_offset, last)
    if selection != ChunkSelection() and not recount:
        raise click.UsageError("--topic, --partition, --since-offset and --last need --recount")
    settings = load()
    with opened_store(settings) as store:
        report = run(settings, store, selection if recount else None, within)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        screen.show(report, terminal.console())
    return report.exit_code
