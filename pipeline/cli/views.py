"""``usage views`` and ``usage query``: the catalogue of numbers, and asking one of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.opened import opened_store
from pipeline.errors import StoreRefused, UsageError
from pipeline.settings import load

if TYPE_CHECKING:
    from datetime import datetime

    from click.shell_completion import CompletionItem

    from pipeline.cli.remote import Answer
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings
    from pipeline.views.call import Value
    from pipeline.views.catalogue import View

_ZONE = re.compile(r"Cannot load time zone (\S+)")


def _complete_views(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from pipeline.cli.completion import views

    return views(incomplete)


def _complete_zones(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from pipeline.cli.completion import zones

    return zones(incomplete)


@click.command()
@click.argument("names", metavar="[VIEW]...", nargs=-1, shell_complete=_complete_views)
@click.option("--json", "output", flag_value="json", help="For programs.")
@click.option("--shipped", is_flag=True, help="Those of this release; needs no store.")
def views(names: tuple[str, ...], output: str | None, shipped: bool) -> None:
    """List the views: every number, its parameters, columns and units."""
    if not shipped:
        views_command(load(), names, output or "table")
        return
    from pipeline.embedded.shipped import shipped as store_for_a_moment

    with store_for_a_moment() as settings:
        views_command(settings, names, output or "table")


class _Query(click.Command):
    """Offers only those options that the view has."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from pipeline.cli.completion import of_view

        return of_view(ctx.params.get("view"), super().shell_complete(ctx, incomplete))


@click.command(cls=_Query)
@click.argument("view", shell_complete=_complete_views)
@click.option("--since", help="A time, or how long before --until; by default 30d, or 12 months.")
@click.option("--until", help="A time, not included; by default now, with the minute that runs.")
@click.option("--as-of", help="A time; by default now, without the minute that runs.")
@click.option("--months", help="How many, this one included; 12 by default.")
@click.option("--periods", help="How many billing periods; 3 by default.")
@click.option("--tz", shell_complete=_complete_zones, help="An IANA time zone; UTC by default.")
@click.option(
    "--grain",
    type=click.Choice(["minute", "hour", "day", "week", "month"]),
    help="Of the buckets; by default minute up to 3 hours, hour up to 3 days, else day.",
)
@click.option("--k", help="How many ranks; 10 by default.")
@click.option("--tenant", help="All of them by default.")
@click.option("--token", help="All of them by default.")
@click.option("--metric", help="A user-defined metric's id; all of them by default.")
@click.option("--property", help="The path of a property, as plan or user.plan.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option("--json", "output", flag_value="json", help="The same as --format json.")
@click.option("--api", metavar="URL", help="Ask the API there instead of the store.")
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of the API: the file that holds the key.",
)
def query(
    view: str, output: str, api: str | None, key_file: Path | None, **given: str | None
) -> None:
    """Ask a view; only options that it has may be given.

    A time is 2026-05-01 or 2026-05-01T10:30 (both in --tz), one with an offset, epoch seconds, now,
    or how long ago: 90m, 12h, 30d, 2w; seconds are cut off. JSON has money as strings, with nine
    decimals, and counts as numbers, in full.
    """
    from datetime import UTC, datetime

    from pipeline.cli import remote

    named = {name: value for name, value in given.items() if value is not None}
    if (api is None) != (key_file is None):
        raise click.UsageError("--api and --key-file go together")
    if api is not None and key_file is not None:
        print_answer(remote.ask(api, key_file, view, named), output)
        return
    query_command(load(), view, named, output, datetime.now(UTC))


def views_command(settings: Settings, names: Sequence[str], output: str) -> None:
    """Print the catalogue, or the named views of it, as ``table`` or ``json``.

    Raises:
        UsageError: no such view.
    """
    from pipeline.cli.answers import show_catalogue
    from pipeline.process import terminal
    from pipeline.views import catalogue, rows

    with opened_store(settings) as store:
        found = catalogue.read(store, names)
    if output == "json":
        rows.show_json([view.as_json() for view in found], sys.stdout)
    else:
        show_catalogue(found, terminal.console())


def query_command(
    settings: Settings, name: str, given: Mapping[str, str], output: str, now: datetime
) -> None:
    """Ask a view and print its rows.

    ``given``: parameters by name, as typed.

    Raises:
        UsageError: no such view, not one of its parameters, or a value that it cannot take.
    """
    from pipeline.cli.remote import Answer
    from pipeline.views import catalogue, parameters, rows

    with opened_store(settings) as store:
        view = catalogue.described(store, catalogue.find(catalogue.names(store), name))
        values = parameters.values(view, given, now)
        found = _ask(store, view, values)
        fresh = store.query("SELECT type, newest_event, newest_arrival FROM as_of")
    zone = str(values.get("tz", "UTC"))
    [resolved] = rows.in_zone([list(values.values())], zone)
    answer = Answer(
        view,
        {name: rows.plain(value) for name, value in zip(values, resolved, strict=True)},
        rows.in_zone(found, zone),
        rows.in_zone(fresh, zone),
    )
    print_answer(answer, output)


def print_answer(answer: Answer, output: str) -> None:
    """Print what a question came to, as ``table``, ``json`` or ``csv``."""
    from pipeline.cli.answers import show_answer
    from pipeline.process import terminal
    from pipeline.views import rows

    columns = [column.name for column in answer.view.columns]
    if output == "csv":
        rows.as_csv(columns, answer.rows, sys.stdout)
    elif output == "json":
        document = {
            "view": answer.view.name,
            "parameters": answer.parameters,
            "as_of": rows.as_json(("type", "newest_event", "newest_arrival"), answer.fresh),
            "rows": rows.as_json(columns, answer.rows),
        }
        rows.show_json(document, sys.stdout)
    else:
        show_answer(answer.view.columns, answer.rows, answer.fresh, terminal.console())


def _ask(store: Store, view: View, values: Mapping[str, Value]) -> list[tuple[Any, ...]]:
    from pipeline.views import asking

    try:
        return asking.rows(store, view, values)
    except StoreRefused as error:
        raise UsageError(_refused(view, error)) from error


def _refused(view: View, error: StoreRefused) -> str:
    """The view's own sentence where it refused; else the store's."""
    from pipeline.clickhouse.faults import THROWN

    zone = _ZONE.search(error.reason)
    if zone and "tz" in {one.name for one in view.parameters}:
        return f"--tz {zone[1]!r} is no time zone that ClickHouse knows (code {error.code})"
    if error.code == THROWN:
        return f"{view.name} does not answer that: {error.reason}"
    return f"{view.name} does not answer that: {error.reason} (code {error.code} of ClickHouse)"
