"""``usage run``, ``worker``, ``api``, ``broker`` and ``store``: the processes that stay."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from pipeline.cli.options import PORT, Duration
from pipeline.settings import load


@click.command()
@click.option("--rate", type=float, default=200.0, show_default=True, help="Events per second.")
@click.option(
    "--for", "seconds", type=Duration(), default=0.0, help="As 90, 15m, 2h; 0: until it is ended."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated world.")
@click.option("--tenants", type=int, default=24, show_default=True)
def run(rate: float, seconds: float, seed: int, tenants: int) -> int:
    """Start everything on this machine, with a simulated stream, and watch it."""
    from pipeline.embedded import run as embedded

    demo = embedded.Demo(rate=rate, seconds=seconds, seed=seed, tenants=tenants)
    return embedded.main(load(), demo)


@click.command()
@click.option("--port", type=PORT, help="Instead of USAGE_WEB_PORT.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Instead of USAGE_LOG_FORMAT."
)
def worker(port: int | None, log_format: str | None) -> int:
    """Count: read the topics, write the store."""
    from pipeline.worker import process

    settings = load()
    if port is not None:
        settings = dataclasses.replace(settings, web_port=port)
    if log_format is not None:
        settings = dataclasses.replace(settings, log_format=log_format)
    return process.main(settings)


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of USAGE_API_PORT.")
@click.option("--host", help="Instead of USAGE_API_HOST.")
@click.option("--link", is_flag=True, help="Print a link that lets its first reader in.")
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep an admin's key there, for whoever owns this machine.",
)
def api(port: int | None, host: str | None, link: bool, key_file: Path | None) -> int:
    """Answer over HTTP: every view, to whom it belongs. Needs a key: `usage key create`."""
    from pipeline.api import process
    from pipeline.web import ROUTES

    settings = load()
    if port is not None:
        settings = dataclasses.replace(settings, api_port=port)
    if host is not None:
        settings = dataclasses.replace(settings, api_host=host)
    return process.main(settings, ROUTES, link=link, key_file=key_file)


@click.command()
@click.option("--port", type=PORT, default=9092, show_default=True)
def broker(port: int) -> None:
    """Run the embedded broker: Kafka's protocol, in memory, for a first look and for tests.

    Its end is the end of its records. Of each partition it keeps the newest 5 MiB and drops what
    is older, read or not: a worker that is further behind never counts those events, says so, and
    the ledger has them as lost.
    """
    from pipeline.embedded import broker as embedded

    embedded.main(port, load())


@click.command()
@click.option(
    "--path",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of `store` in USAGE_DATA.",
)
@click.option("--port", type=PORT, default=8123, show_default=True)
def store(path: Path | None, port: int) -> None:
    """Run the embedded store: ClickHouse's engine behind its HTTP interface, on 127.0.0.1."""
    from pipeline.embedded import store as embedded

    embedded.main(path or load().data / "store", port)
