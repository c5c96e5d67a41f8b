"""``usage docs``, what is generated; and ``usage settings``, the values in force."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.groups import Commands
from pipeline.settings import load


@click.group(cls=Commands)
def docs() -> None:
    """Write what is generated: the pages of docs/, and the documents of schemas/."""


@docs.command("settings")
def settings_page() -> None:
    """Print docs/settings.md: every setting, its default, what is allowed, its meaning."""
    from pipeline.settings import page

    click.echo(page.markdown(), nl=False)


@docs.command("metrics")
def metrics_page() -> None:
    """Print docs/metrics.md: every metric of a worker, and of an API process."""
    from pipeline.api import metrics as of_api
    from pipeline.worker.telemetry import metrics

    click.echo(metrics.markdown() + "\n" + of_api.markdown(), nl=False)


@docs.command("views")
def views_page() -> None:
    """Print docs/views.md: the views of this release; it starts a store of its own for that."""
    from pipeline.cli.opened import opened_store
    from pipeline.embedded.shipped import shipped
    from pipeline.views import catalogue, page

    with shipped() as settings, opened_store(settings) as store:
        found = catalogue.read(store)
    click.echo(page.markdown(found), nl=False)


@docs.command("tables")
def tables_page() -> None:
    """Print docs/tables.md: the tables of this release; it starts a store of its own for that."""
    from pipeline.cli.opened import opened_store
    from pipeline.clickhouse.schema import page
    from pipeline.embedded.shipped import shipped

    with shipped() as settings, opened_store(settings) as store:
        found = page.tables(store)
    click.echo(page.markdown(found), nl=False)


@docs.command("grafana")
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is stale.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of deploy/grafana.",
)
def grafana_dashboards(check: bool, out: Path | None) -> int:
    """Write Grafana's dashboards of the panels; it starts a store of its own for that."""
    from pipeline.cli.opened import opened_store
    from pipeline.embedded.shipped import shipped
    from pipeline.panels.grafana import files
    from pipeline.views import catalogue

    runbook = files.RUNBOOK.read_text(encoding="utf-8")
    with shipped() as settings, opened_store(settings) as store:
        views = {view.name: view for view in catalogue.read(store)}
    wanted, folder = files.texts(views, runbook), out or files.FOLDER
    if check:
        stale = files.stale(folder, wanted)
        for name in stale:
            click.echo(f"{folder / name} is stale: `usage docs grafana` writes it", err=True)
        return bool(stale)
    for path in files.write(folder, wanted):
        click.echo(path)
    return 0


@docs.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is stale.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of where they belong; golden payloads come along.",
)
@click.option("--release", is_flag=True, help="Keep them as those of this contract's version too.")
def schemas(check: bool, out: Path | None, release: bool) -> int:
    """Write JSON Schemas and the AsyncAPI document, which follow from the event types."""
    from schemas.generate import files

    folder = out or files.ROOT
    if check:
        stale = files.stale(folder)
        for path in stale:
            click.echo(f"{path} is stale: `usage docs schemas` writes it", err=True)
        return bool(stale)
    for path in files.write(folder):
        click.echo(path)
    if release:
        try:
            click.echo(files.release())
        except FileExistsError as error:
            raise click.ClickException(
                f"{error.filename} is there: what a released version promised does not change; "
                "raise CONTRACT in schemas/catalogue.py"
            ) from error
    return 0


@click.command()
def settings() -> None:
    """List the settings and their values; secrets are hidden."""
    from pipeline.settings import page

    click.echo(page.listing(load()), nl=False)
