"""What ``usage views`` and ``usage query`` do."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.remote import Answer
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import check as check_schema
from pipeline.errors import StoreRefused, UsageError
from pipeline.views import catalogue, parameters
from pipeline.views import rows as answers
from pipeline.views.call import call
from pipeline.views.page import markdown

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.views.call import Value
    from pipeline.views.catalogue import View

PIPE_WIDTH = 160
MOST_ROWS = 2_000
"""Of a table; more take long to lay out, and nobody reads them."""

_THROWN = 395  # by throwIf, in a view
_ZONE = re.compile(r"Cannot load time zone (\S+)")
_PARAMETER = re.compile(r"query parameter '(\w+)'")


def views_command(settings: Settings, names: Sequence[str], output: str) -> None:
    """Print the catalogue, or the named views of it, as ``table``, ``json`` or ``markdown``.

    Raises:
        UsageError: no such view.
    """
    store = Store.connect(settings)
    try:
        check_schema(store)
        found = catalogue.read(store, names)
    finally:
        store.close()
    if output == "json":
        answers.show_json([view.as_json() for view in found], sys.stdout)
    elif output == "markdown":
        sys.stdout.write(markdown(found))
    else:
        _show(found, _console())


def query_command(
    settings: Settings, name: str, given: Mapping[str, str], output: str, now: datetime
) -> None:
    """Ask a view and print its rows.

    ``given``: parameters by name, as typed.

    Raises:
        UsageError: no such view, not one of its parameters, or a value that it cannot take.
    """
    store = Store.connect(settings)
    try:
        check_schema(store)
        views = catalogue.names(store)
        view = catalogue.described(store, catalogue.find(views, name))
        values = parameters.values(view, given, now)
        rows = _ask(store, view, values)
        fresh = store.query("SELECT type, newest_event, newest_arrival FROM as_of")
    finally:
        store.close()
    zone = str(values.get("tz", "UTC"))
    [resolved] = answers.in_zone([list(values.values())], zone)
    answer = Answer(
        view,
        {name: answers.plain(value) for name, value in zip(values, resolved, strict=True)},
        answers.in_zone(rows, zone),
        answers.in_zone(fresh, zone),
    )
    print_answer(answer, output)


def print_answer(answer: Answer, output: str) -> None:
    """Print what a question came to, as ``table``, ``json`` or ``csv``."""
    columns = [column.name for column in answer.view.columns]
    if output == "csv":
        answers.as_csv(columns, answer.rows, sys.stdout)
    elif output == "json":
        document = {
            "view": answer.view.name,
            "parameters": answer.parameters,
            "as_of": answers.as_json(("type", "newest_event", "newest_arrival"), answer.fresh),
            "rows": answers.as_json(columns, answer.rows),
        }
        answers.show_json(document, sys.stdout)
    else:
        _show_answer(answer.view, answer.rows, answer.fresh, _console())


def _ask(store: Store, view: View, values: Mapping[str, Value]) -> list[tuple[Any, ...]]:
    try:
        return store.query(f"SELECT * FROM {call(view.name, values)}")  # noqa: S608 - quoted
    except StoreRefused as error:
        raise UsageError(_refused(view, error)) from error


def _refused(view: View, error: StoreRefused) -> str:
    """The view's own sentence where it refused; else the store's, by the option it is about."""
    zone = _ZONE.search(error.reason)
    if zone and "tz" in {one.name for one in view.parameters}:
        return f"--tz {zone[1]!r} is no time zone that ClickHouse knows (code {error.code})"
    if error.code == _THROWN:
        return f"{view.name} does not answer that: {error.reason}"
    named = _PARAMETER.sub(lambda match: parameters.option(match[1]), error.reason)
    return f"{view.name} does not answer that: {named} (code {error.code} of ClickHouse)"


def _show(views: list[View], console: Console) -> None:
    for view in views:
        heading = Text.assemble((view.name, "bold"), "  ", (" ".join(view.rows), "cyan"))
        console.print(heading)
        if view.sentence:
            console.print(f"  {view.sentence}")
        wants = ", ".join(f"{one.name} {one.type}" for one in view.parameters)
        console.print(Text(f"  parameters: {wants or 'none'}"))
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for column in view.columns:
            table.add_row("   ", column.name, Text(column.type, "dim"), column.unit)
        console.print(table)
        console.print()


def _show_answer(view: View, rows: answers.Rows, fresh: answers.Rows, console: Console) -> None:
    columns = view.columns
    names, units = [c.name for c in columns], [c.unit for c in columns]
    answers.show_table(names, units, rows[:MOST_ROWS], console)
    if not rows:
        console.print("no rows")
    if len(rows) > MOST_ROWS:
        console.print(f"… and {len(rows) - MOST_ROWS:,} more rows: --format csv has them all")
    newest = max((event for _, event, _ in fresh), default=None)
    arrival = max((arrival for _, _, arrival in fresh), default=None)
    if newest and arrival:
        as_of = f"newest event {_minute(newest)}, newest arrival {_minute(arrival)}"
        console.print(Text(f"\nas of: {as_of} (UTC)", "dim"))


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
