"""``usage panels``: the panels of the page and of Grafana, as data."""

from __future__ import annotations

import sys

import click

from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON
from pipeline.settings import load


@click.command()
@click.option("--shipped", is_flag=True, help="Those of this release; needs no store.")
@AS_JSON
def panels(shipped: bool, as_json: bool) -> None:
    """List the panels: every number, its view, and how it is drawn."""
    from pipeline.embedded.shipped import shipped as store_for_a_moment
    from pipeline.panels.described import all_described
    from pipeline.process.terminal import Cells, console
    from pipeline.views import catalogue
    from pipeline.views.rows import show_json

    if shipped:
        with store_for_a_moment() as settings, opened_store(settings) as store:
            views = catalogue.read(store)
    else:
        with opened_store(load()) as store:
            views = catalogue.read(store)
    found = all_described({view.name: view for view in views})
    if as_json:
        show_json(found, sys.stdout)
        return
    table = Cells()
    for heading in ("tab", "panel", "kind", "view", "rows"):
        table.add_column(heading)
    for one in found:
        table.add_row(
            one["tab"],
            one["title"],
            one["kind"],
            one["view"] or one["source"],
            " ".join(one["rows"]),
        )
    console().print(table)
