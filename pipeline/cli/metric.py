"""``usage metric``: the metrics that users define."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.groups import Commands
from pipeline.cli.opened import opened_store
from pipeline.cli.options import AS_JSON
from pipeline.errors import BrokerError, Halted, UsageError
from pipeline.settings import load

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.clickhouse.client import Store
    from pipeline.facts.definitions.definition import Definition
    from pipeline.meters.stored import Stored
    from pipeline.operate.metrics.applying import Plan
    from pipeline.settings import Settings
    from pipeline.views.call import Value

_FILES = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_LISTED = (
    "metric_id", "version", "name", "calculation", "interval_days", "format", "display", "source",
    "defined_at",
)  # fmt: skip
_INVALID = 64


@click.group(cls=Commands)
def metric() -> None:
    """Define metrics that every customer has, look at them, and end them.

    A file is YAML or JSON: one metric, or a list of them under `metrics:`. What a definition may
    say is in docs/user-metrics.md.
    """


@metric.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are retired too.")
@AS_JSON
def list_(everything: bool, as_json: bool) -> None:
    """List the metrics that are in force."""
    from pipeline.cli.answers import print_records
    from pipeline.meters import stored

    with opened_store(load()) as store:
        found = stored.newest(stored.versions(store))
    shown = list((found if everything else stored.in_force(found)).values())
    if as_json:
        _print_json(shown)
        return
    rows = [
        (
            *(one.definition.metric_id, one.version, one.definition.name),
            one.definition.calculation if not one.definition.retired else "retired",
            *(one.definition.interval_days, one.definition.format, one.definition.display),
            *(one.definition.source, one.at),
        )
        for one in shown
    ]
    print_records(_LISTED, rows, as_json, "no metric is in force: `usage metric apply` makes some")


@metric.command()
@click.argument("metrics", metavar="[METRIC]...", nargs=-1)
@click.option("--version", type=click.IntRange(1), help="An older one; by default the newest.")
@click.option("--versions", "every", is_flag=True, help="All that there were, the newest last.")
@AS_JSON
def show(metrics: tuple[str, ...], version: int | None, every: bool, as_json: bool) -> None:
    """Show definitions as a file that `apply` takes; without a name, of all that are in force."""
    from pipeline.meters import stored
    from pipeline.operate.metrics.shown import as_yaml

    with opened_store(load()) as store:
        found = stored.versions(store)
    newest = stored.newest(found)
    unknown = [one for one in metrics if one not in newest]
    if unknown:
        raise UsageError(f"there is no metric {unknown[0]!r}; `usage metric list` shows all")
    wanted = metrics or tuple(stored.in_force(newest))
    shown = [
        one
        for one in found
        if one.definition.metric_id in wanted
        and (every or one.version == (version or newest[one.definition.metric_id].version))
    ]
    if not shown:
        raise UsageError(f"there is no version {version} of that")
    if as_json:
        _print_json(shown)
    else:
        click.echo(as_yaml(shown), nl=False)


@metric.command()
@_FILES
@_YES
@click.option(
    "--only-new", is_flag=True, help="Leave those alone that there were, retired ones too."
)
@AS_JSON
def apply(files: tuple[Path, ...], yes: bool, only_new: bool, as_json: bool) -> int:
    """Bring the definitions of files into force, all of them or none.

    What would change is shown first. Exit status: 0 all is in force, 1 somebody else changed one of
    them meanwhile, 64 a definition is wrong, 75 no worker has counted the change yet.
    """
    from pipeline.operate.metrics import applying

    definitions = _definitions(files, as_json)
    if definitions is None:
        return _INVALID
    settings = load()
    with opened_store(settings) as store:
        plan = applying.planned(store, definitions, only_new=only_new)
        return _carry_out(settings, store, plan, yes, as_json)


@metric.command()
@click.argument("metrics", metavar="METRIC...", nargs=-1, required=True)
@_YES
@AS_JSON
def retire(metrics: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """End metrics: they are answered no more. Their versions stay; `apply` brings one back."""
    from pipeline.operate.metrics import applying

    settings = load()
    with opened_store(settings) as store:
        plan = applying.retiring(store, metrics)
        return _carry_out(settings, store, plan, yes, as_json)


@metric.command("dry-run")
@_FILES
@click.option("--as-of", help="A time; by default now.")
@click.option("--k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Values.")
@AS_JSON
def dry_run(files: tuple[Path, ...], as_of: str | None, k: int, as_json: bool) -> int:
    """Say what the definitions of files come to, by the events that are kept; nothing is saved.

    Exit status: 0 they are right, whatever the warnings; 64 one is wrong.
    """
    import asyncio

    from pipeline.meters import stored

    definitions = _definitions(files, as_json)
    if definitions is None:
        return _INVALID
    settings = load()
    with opened_store(settings) as store:
        known = stored.in_force(stored.newest(stored.versions(store)))
    at = _instant(as_of)
    return asyncio.run(_dry_runs(settings, definitions, known, at, k, as_json))


@metric.command()
@click.argument("metrics", metavar="[METRIC]...", nargs=-1)
@click.option("--as-of", help="A time; by default now.")
@click.option("--tenant", default="", help="All of them by default.")
@click.option("--format", "output", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--json", "output", flag_value="json", help="The same as --format json.")
def values(metrics: tuple[str, ...], as_of: str | None, tenant: str, output: str) -> None:
    """Show the values of metrics, the largest first; without a name, of all in force."""
    from pipeline.cli.remote import Answer
    from pipeline.cli.views import print_answer
    from pipeline.clickhouse.quoting import quoted
    from pipeline.meters import stored
    from pipeline.views import asking, catalogue, rows

    with opened_store(load()) as store:
        known = stored.in_force(stored.newest(stored.versions(store)))
        for one in metrics:
            if one not in known:
                raise UsageError(
                    f"no metric {one!r} is in force; `usage metric list` shows those that are"
                )
        view = catalogue.described(store, catalogue.find(catalogue.names(store), "metric_values"))
        given: dict[str, Value] = {
            "as_of": _instant(as_of).replace(second=0, microsecond=0),
            "tenant": tenant,
        }
        chosen = ", ".join(map(quoted, metrics or known)) or "''"
        ordered = "ORDER BY metric_id, value DESC NULLS LAST, tenant"
        only = metrics[0] if len(metrics) == 1 else ""
        found = asking.rows(store, view, given, f"WHERE metric_id IN ({chosen}) {ordered}", only)
        fresh = store.query("SELECT type, newest_event, newest_arrival FROM as_of")
    parameters = {name: rows.plain(value) for name, value in given.items()}
    print_answer(Answer(view, parameters, list(found), list(fresh)), output)


async def _dry_runs(
    settings: Settings,
    definitions: Sequence[Definition],
    known: Mapping[str, Stored],
    as_of: datetime,
    top: int,
    as_json: bool,
) -> int:
    from pipeline.clickhouse.reading import Reader
    from pipeline.facts.definitions.invalid import InvalidDefinition
    from pipeline.meters.dry_run import dry_run as run
    from pipeline.operate.metrics.tried import show_dry_run
    from pipeline.process import terminal

    wrong, documents, to = 0, [], terminal.console()
    async with Reader.connected(settings) as reader:
        for one in definitions:
            try:
                found = await run(reader, one, known.get(one.metric_id), as_of, top)
            except InvalidDefinition as error:
                wrong = _INVALID
                click.echo(f"usage: {one.metric_id}: {error}", err=True)
                continue
            documents.append(found.as_json())
            if not as_json:
                show_dry_run(found, to)
    if as_json:
        _echo_json(documents)
    return wrong


def _instant(text: str | None) -> datetime:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from pipeline.process import times

    now = datetime.now(UTC)
    return times.instant(text or "now", name="--as-of", now=now, zone=ZoneInfo("UTC"))


def _print_json(versions: Sequence[Stored]) -> None:
    import msgspec

    _echo_json([msgspec.Raw(one.as_json()) for one in versions])


def _echo_json(document: Any) -> None:
    """Print JSON, numbers with all their digits."""
    import msgspec

    from pipeline.process.printable import printable_json

    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    click.echo(printable_json(text))


def _definitions(files: Sequence[Path], as_json: bool) -> list[Definition] | None:
    """The definitions of files; None: some are wrong, which was said."""
    from pipeline.operate.metrics.files import parse, read_all

    right, wrong = parse(read_all(files))
    for one in wrong:
        if as_json:
            click.echo(json.dumps(one._asdict(), ensure_ascii=False))
        else:
            from pipeline.process.printable import printable

            click.echo(f"usage: {printable(str(one))}", err=True)
    return None if wrong else right


def _carry_out(settings: Settings, store: Store, plan: Plan, yes: bool, as_json: bool) -> int:
    from pipeline.operate.metrics import applying
    from pipeline.operate.metrics.shown import show_changes
    from pipeline.process import terminal

    if not as_json:
        show_changes(plan.changes, terminal.console())
    if not plan.due:
        _say(as_json, [one.as_json() for one in plan.changes], "nothing changes")
        return 0
    if not yes:
        _confirm(as_json)
    outcomes = applying.apply(settings, store, plan)
    if outcomes is None:
        raise BrokerError(
            "it is sent, but no worker has counted it yet: `usage status` says whether one runs, "
            "`usage metric list` what is in force"
        )
    done = list(zip(plan.due, outcomes, strict=True))
    _say(
        as_json,
        [
            {**one.as_json(), "in_force": came.won, "newest": came.newest and came.newest.version}
            for one, came in done
        ],
        "\n".join(applying.sentence(one, came) for one, came in done),
    )
    return int(not all(came.won for came in outcomes))


def _confirm(as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether that is meant: give --yes")
    click.confirm("Is that meant?", abort=True)


def _say(as_json: bool, document: list[dict[str, Any]], text: str) -> None:
    if as_json:
        from pipeline.views.rows import show_json

        show_json(document, sys.stdout)
    else:
        click.echo(text)


@metric.command()
@click.option(
    "--any-rules",
    is_flag=True,
    help="Chunks that were counted by other rules too, if their counts agree.",
)
def backfill(any_rules: bool) -> None:
    """Keep product events of before they were kept, as far as Kafka still has them.

    Once, after the upgrade; safe beside live workers. Killed or run again, nothing is kept twice.
    """
    from pipeline.operate.backfill import backfill as fill

    settings = load()
    with opened_store(settings) as store:
        for filled in fill(settings, store, any_rules=any_rules):
            done = f"{filled.events:,} events of {filled.chunks:,} chunks are kept now"
    click.echo(done)
    for why, chunks in filled.passed_over.items():
        click.echo(f"{chunks:,} chunks stay as they are: {why}")


@metric.command()
def days() -> None:
    """Add up the days of metrics in force, which lists of many of them are answered from.

    An API process does so by itself, where there are a million product events and for weeks in
    which nothing comes any more. Safe at any time, and beside others.
    """
    from datetime import UTC, datetime

    from pipeline.meters import days as adding

    settings = load()
    if settings.clickhouse_cluster:
        raise Halted(
            "a cluster keeps no days of metrics (USAGE_CLICKHOUSE_CLUSTER is set): every question "
            "is answered from the events"
        )
    with opened_store(settings) as store:
        found = adding.weeks(store, datetime.now(UTC), settings.keep_product_events_days)
        done = sum(one.weeks * one.metrics for one in adding.fill(store, found))
    click.echo(f"{done:,} weeks of metrics are added up, of {len(found)} weeks that there are")
