"""``usage plan``: how many workers, partitions and cores a stream needs."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from pipeline.cli.options import AS_JSON


@click.command()
@click.option("--events-per-second", type=click.IntRange(1), required=True, help="At the busiest.")
@click.option("--tenants", type=click.IntRange(1), required=True, help="That send at that time.")
@click.option(
    "--keys-per-tenant",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Users, tokens, models and outcomes together that a tenant has in one second.",
)
@click.option("--record-bytes", type=click.IntRange(1), default=93, show_default=True)
@click.option("--retention-hours", type=click.IntRange(1), default=168, show_default=True)
@click.option("--replication", type=click.IntRange(1), default=3, show_default=True)
@AS_JSON
def plan(as_json: bool, **stream: int) -> None:
    """Reckon what a stream needs: workers, partitions, cores, memory, disks.

    The arithmetic is docs/scaling.md's, over the costs in docs/benchmarks.md. It asks nobody.
    """
    from pipeline.operate import plan as reckoned
    from pipeline.process.terminal import console
    from pipeline.views.rows import show_json

    found = reckoned.plan(reckoned.Stream(**stream))
    if as_json:
        show_json(asdict(found), sys.stdout)
        return
    console().print(reckoned.as_table(found))
