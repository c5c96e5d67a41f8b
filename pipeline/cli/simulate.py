"""``usage simulate``: a believable stream, by a seed."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import Duration, Instant
from pipeline.settings import load

_SHARE = click.FloatRange(0, 1)


@click.command()
@click.option("--rate", type=float, default=200.0, show_default=True, help="Events sent a second.")
@click.option(
    "--duration",
    "--for",
    type=Duration(),
    default=0.0,
    help="Of simulated time: 90, 15m, 2h, 30d, 1y; 0: until it is ended.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--tenants", type=int, default=24, show_default=True)
@click.option(
    "--speed-up",
    "--speed",
    "speed",
    type=float,
    default=1.0,
    show_default=True,
    help="How fast simulated time goes; it ends now.",
)
@click.option("--until", type=Instant(), help="When simulated time ends, instead of now.")
@click.option("--stamp-now", is_flag=True, help="Records of the past carry the present's time.")
@click.option("--run", default="", help="Part of the ids of events; else one of its own.")
@click.option("--late", type=_SHARE, default=0.0, help="Share of late events, 0 to 1.")
@click.option("--duplicates", type=_SHARE, default=0.0, help="Share of repeated events.")
@click.option("--malformed", type=_SHARE, default=0.0, help="Share of broken events.")
@click.option("--actions", type=_SHARE, default=0.35, show_default=True, help="Share of actions.")
@click.option("--events", type=_SHARE, default=0.08, show_default=True, help="Of product events.")
@click.option(
    "--changes", type=_SHARE, default=0.002, show_default=True, help="Of changes of entities."
)
@click.option("--no-announcement", is_flag=True, help="Do not send all entities first.")
@click.option("--steady", is_flag=True, help="Without the day's curve.")
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write down what was sent, a line of JSON for each record.",
)
def simulate(
    rate: float,
    duration: float,
    seed: int,
    tenants: int,
    speed: float,
    until: int | None,
    stamp_now: bool,
    run: str,
    late: float,
    duplicates: float,
    malformed: float,
    actions: float,
    events: float,
    changes: float,
    no_announcement: bool,
    steady: bool,
    truth: Path | None,
) -> None:
    """Send a believable stream of events, decided by its seed.

    A year of history in five minutes: --duration 1y --speed-up 105120 --rate 2000 --stamp-now.
    """
    from pipeline import simulate as process
    from pipeline.simulate.stream import Options

    options = Options(
        rate=rate,
        late=late,
        duplicates=duplicates,
        malformed=malformed,
        actions=actions,
        events=events,
        changes=changes,
        announce=not no_announcement,
        steady=steady,
    )
    simulation = process.Simulation(
        seed=seed,
        tenants=tenants,
        duration=duration,
        speed=speed,
        options=options,
        run=run,
        end_ms=until,
        stamp_now=stamp_now,
        truth=truth,
    )
    process.main(load(), simulation)
