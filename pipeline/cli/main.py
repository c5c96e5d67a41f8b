"""The command ``usage``: one subcommand for each process and each act of an operator.

What a subcommand needs is imported when it runs, so that ``usage --help`` is instant and a broken
optional part breaks nothing else.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from pipeline.cli.access import access, key
from pipeline.cli.dead_letter import dead_letter
from pipeline.cli.events import check as events_check
from pipeline.cli.events import tail
from pipeline.cli.groups import Commands
from pipeline.cli.options import Duration
from pipeline.cli.simulate import simulate
from pipeline.errors import SettingsError, UsageError
from pipeline.settings import load

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pipeline.kafka.topics import Outcome

_PORT = click.IntRange(1, 65_535)
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> NoReturn:
    """Run the command line; a :class:`UsageError` is one line on stderr and its exit code."""
    try:
        code = cli.main(prog_name="usage", standalone_mode=False)
    except UsageError as error:
        print(f"usage: {' '.join(error.message.split())}", file=sys.stderr)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="usage-pipeline", message="%(version)s")
def cli() -> None:
    """Exact usage numbers: events in Kafka become rows in ClickHouse, each counted once.

    Settings are environment variables that begin with USAGE_; `usage settings` lists them.
    """


@cli.command()
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


@cli.command()
@click.option("--port", type=_PORT, help="Instead of USAGE_WEB_PORT.")
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


@cli.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of USAGE_API_PORT.")
@click.option("--host", help="Instead of USAGE_API_HOST.")
@click.option("--link", is_flag=True, help="Print a link that lets its first reader in.")
def api(port: int | None, host: str | None, link: bool) -> int:
    """Answer over HTTP: every view, to whom it belongs. Needs a key: `usage key create`."""
    from pipeline.api import process

    settings = load()
    if port is not None:
        settings = dataclasses.replace(settings, api_port=port)
    if host is not None:
        settings = dataclasses.replace(settings, api_host=host)
    return process.main(settings, link=link)


@cli.command()
@click.option("--port", type=_PORT, default=9092, show_default=True)
def broker(port: int) -> None:
    """Run the embedded broker: Kafka's protocol, in memory, for a first look and for tests."""
    from pipeline.embedded import broker as embedded

    embedded.main(port, load())


@cli.command()
@click.option(
    "--path",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of `store` in USAGE_DATA.",
)
@click.option("--port", type=_PORT, default=8123, show_default=True)
def store(path: Path | None, port: int) -> None:
    """Run the embedded store: ClickHouse's engine behind its HTTP interface, on 127.0.0.1."""
    from pipeline.embedded import store as embedded

    embedded.main(path or load().data / "store", port)


@cli.command()
def migrate() -> None:
    """Bring the store's tables to what this release needs; doing it again changes nothing."""
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.schema.migrate import migrate as apply

    settings = load()
    client = Store.connect(settings)
    try:
        applied = apply(client, settings)
    finally:
        client.close()
    for one in applied:
        click.echo(f"{one.number:04d} {one.name}: applied")
    if not applied:
        click.echo("nothing to apply")


@cli.group(cls=Commands)
def topics() -> None:
    """Make or check the topics."""


@topics.command()
def create() -> None:
    """Make the topics that do not exist, and check those that do."""
    from pipeline.kafka import topics as kafka

    _report(kafka.create(load()))


@topics.command()
def check() -> None:
    """Compare the topics with what they must be like."""
    from pipeline.kafka import topics as kafka

    _report(kafka.check(load()))


def _report(outcomes: Iterable[Outcome]) -> None:
    problems = []
    for topic, made, wrong in outcomes:
        click.echo(f"{topic}: {'made' if made else '; '.join(wrong) or 'as it should be'}")
        problems += [f"{topic} {problem}" for problem in wrong]
    if problems:
        raise SettingsError("; ".join(problems))


@cli.command()
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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
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
    from pipeline.cli.audit_commands import audit_command
    from pipeline.operate.audit.selection import Selection

    selection = Selection(topic, partition, since_offset, last)
    if selection != Selection() and not recount:
        raise click.UsageError("--topic, --partition, --since-offset and --last need --recount")
    return audit_command(load(), selection if recount else None, within, as_json)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show lag, workers, open chunks and freshness, partition by partition."""
    from pipeline.cli.audit_commands import status_command

    status_command(load(), as_json)


def _complete_views(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from pipeline.cli.completion import views

    return views(incomplete)


@cli.command()
@click.argument("names", metavar="[VIEW]...", nargs=-1, shell_complete=_complete_views)
@click.option("--json", "output", flag_value="json", help="For programs.")
@click.option("--markdown", "output", flag_value="markdown", help="As docs/views.md has them.")
@click.option("--shipped", is_flag=True, help="Those of this release; needs no store.")
def views(names: tuple[str, ...], output: str | None, shipped: bool) -> None:
    """List the views: every number, its parameters, columns and units."""
    from pipeline.cli.view_commands import views_command

    if not shipped:
        views_command(load(), names, output or "table")
        return
    from pipeline.embedded.shipped import shipped as store_for_a_moment

    with store_for_a_moment() as settings:
        views_command(settings, names, output or "table")


def _complete_zones(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from pipeline.cli.completion import zones

    return zones(incomplete)


class _Query(click.Command):
    """Offers only those options that the view has."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from pipeline.cli.completion import of_view

        return of_view(ctx.params.get("view"), super().shell_complete(ctx, incomplete))


@cli.command(cls=_Query)
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
    from pipeline.cli.view_commands import print_answer, query_command

    named = {name: value for name, value in given.items() if value is not None}
    if (api is None) != (key_file is None):
        raise click.UsageError("--api and --key-file go together")
    if api is not None and key_file is not None:
        print_answer(remote.ask(api, key_file, view, named), output)
        return
    query_command(load(), view, named, output, datetime.now(UTC))


@cli.command()
@click.option(
    "--to-store",
    is_flag=True,
    required=True,
    help="Put the group's offsets to where the store ends.",
)
def rewind(to_store: bool) -> None:  # noqa: ARG001 -- required: what is done is said by its name
    """Have Kafka replay what a restored or new store lacks. Stop the workers first."""
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.schema.migrate import check as check_schema
    from pipeline.kafka import topics as kafka
    from pipeline.operate.rewind import rewind as put_back

    settings = load()
    client = Store.connect(settings)
    try:
        check_schema(client)
        ranges = put_back(settings, client, [settings.topic(spec.name) for spec in kafka.COUNTED])
    finally:
        client.close()
    for one in ranges:
        topic, partition = one.source
        click.echo(f"{topic} partition {partition}: {one.a} to {one.b} will be read again")
    if not ranges:
        click.echo("nothing to rewind: the group's offsets are not ahead of the store")


@cli.command()
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
            click.echo(f"{path} is stale: `usage schemas` writes it", err=True)
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


@cli.command()
def metrics() -> None:
    """List the metrics of a worker, as docs/metrics.md has them."""
    from pipeline.worker.telemetry import metrics as declared

    click.echo(declared.markdown(), nl=False)


@cli.command()
@click.option("--markdown", is_flag=True, help="As docs/settings.md has them.")
def settings(markdown: bool) -> None:
    """List the settings and their values; secrets are hidden."""
    from pipeline.settings import page

    click.echo(page.markdown() if markdown else page.listing(load()), nl=False)


cli.add_command(access)
cli.add_command(key)
cli.add_command(dead_letter)
cli.add_command(tail)
cli.add_command(simulate)
cli.add_command(events_check, "check")
