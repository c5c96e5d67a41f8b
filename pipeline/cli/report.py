"""``usage report``: chosen views and a period as one file, from a terminal or cron."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.opened import opened_store
from pipeline.errors import UsageError
from pipeline.settings import load

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pipeline.reports.plan import Report, Wanted


@click.command()
@click.argument("views", metavar="[VIEW]...", nargs=-1)
@click.option("--since", default="", help="A time, or how long before --until; by default 30d.")
@click.option("--until", default="", help="A time, not included; by default now.")
@click.option("--organization", "organizations", multiple=True, help="By default all.")
@click.option("--columns", default="", help="Names with commas between; by default all.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet", "xlsx"]),
    help="By default as the file's name ends, else csv.",
)
@click.option("--tz", default="", help="An IANA time zone; UTC by default.")
@click.option("--grain", default="", help="Of the buckets: minute, hour, day, week, month.")
@click.option("--months", type=click.IntRange(1), help="How many, this one included.")
@click.option("--periods", type=click.IntRange(1), help="How many billing periods.")
@click.option("--k", type=click.IntRange(1), help="How many ranks.")
@click.option("--token", default="", help="All of them by default.")
@click.option("--spreadsheet", is_flag=True, help="CSV with a byte-order mark and no formulas.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file; it is there when all of it is.",
)
@click.option("--api", help="Have the API at this address make it: https://usage.example.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --api: a file that holds the API key.",
)
@click.option("--id", "report", help="With --api: go on with this report instead of a new one.")
def report(
    views: tuple[str, ...],
    out: Path,
    api: str | None,
    key_file: Path | None,
    report: str | None,
    form: str | None,
    organizations: tuple[str, ...],
    columns: str,
    **given: Any,
) -> None:
    """Write a report: the rows of views as one file.

    Several views are a workbook's sheets, one JSON document, or a zip of a file each.
    """
    from pipeline.reports.plan import Wanted

    if (api is None) != (key_file is None):
        raise click.UsageError("--api and --key-file go together")
    if report is not None and (api is None or views):
        raise click.UsageError("--id goes with --api, and without views")
    if report is None and not views:
        raise click.UsageError("say which views; `usage views` lists them")
    wanted = Wanted(
        views=list(views),
        format=form or _by_name(out),
        organizations=list(organizations),
        columns=[name.strip() for name in columns.split(",")] if columns else [],
        **given,
    )
    with _progress() as (progress, bar):
        if api is not None and key_file is not None:
            found = _through(api, key_file, wanted, report, out, progress, bar)
        else:
            found = _written(wanted, out, progress, bar)
    rows, size, digest = found
    click.echo(f"{out}: {rows:,} rows, {size:,} bytes, SHA-256 {digest}")


def _by_name(out: Path) -> str:
    ending = out.suffix.removeprefix(".").lower()
    return ending if ending in ("json", "parquet", "xlsx") else "csv"


@contextmanager
def _progress() -> Iterator[tuple[Progress, TaskID]]:
    """A bar on stderr, where that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

    from pipeline.process.terminal import console

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rows]:,} rows"),
        BarColumn(),
        DownloadColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield progress, progress.add_task("waiting", total=None, rows=0)


def _through(
    api: str,
    key_file: Path,
    wanted: Wanted,
    report: str | None,
    out: Path,
    progress: Progress,
    bar: TaskID,
) -> tuple[int, int, str]:
    """Have the API make it, and fetch it; rows, bytes and SHA-256."""
    from pipeline.cli.fetching import Reports
    from pipeline.cli.remote import key_of

    def say(found: dict[str, Any], size: int) -> None:
        progress.update(
            bar,
            description=found["status"] if found["status"] != "done" else "fetching",
            rows=found["rows"],
            total=found["bytes"],
            completed=size,
        )

    reports = Reports(api, key_of(key_file))
    if report is None:
        report = reports.ask(wanted)["id"]
        click.echo(f"report {report}; `--id {report}` goes on with it", err=True)
    found = reports.wait(report, say)
    reports.fetch(found, out, say)
    return found["rows"], found["bytes"], found["sha256"]


def _written(wanted: Wanted, out: Path, progress: Progress, bar: TaskID) -> tuple[int, int, str]:
    """Write it from the store; rows, bytes and SHA-256."""
    from pipeline.access.roles import ALL, Caller, Grant, Role
    from pipeline.reports.plan import Refused, resolve
    from pipeline.views import catalogue, parameters

    settings, now = load(), datetime.now(UTC)
    everybodys = Caller("command line", (Grant(ALL, Role.ADMIN), Grant(ALL, Role.OPERATOR)))
    with opened_store(settings) as store:
        known = {view.name: view for view in catalogue.read(store)}
    try:
        resolved = resolve(
            wanted, everybodys, known, lambda view, given: parameters.values(view, given, now)
        )
    except Refused as refused:
        raise UsageError(refused.refusal.sentence) from None
    return asyncio.run(_write(resolved, out, progress, bar, now))


async def _write(
    report: Report, out: Path, progress: Progress, bar: TaskID, now: datetime
) -> tuple[int, int, str]:
    from pipeline.api.freshness import Freshness
    from pipeline.clickhouse.reading import Reader
    from pipeline.reports.runner import checksum
    from pipeline.reports.writing import Progress as Rows
    from pipeline.reports.writing import write

    part = out.with_name(f"{out.name}.part")
    rows = Rows()
    try:
        with part.open("w+b") as file:
            async with Reader.connected(load()) as reader:
                about = {
                    "made_at": now.isoformat(timespec="seconds"),
                    "as_of": (await Freshness(reader).now()).as_json("UTC"),
                    "made_for": "command line",
                }
                writing = asyncio.ensure_future(write(report, about, reader, file, rows))
                while not writing.done():
                    await asyncio.wait({writing}, timeout=0.2)
                    progress.update(
                        bar, description="writing", rows=rows.total, completed=file.tell()
                    )
                await writing
            size, digest = checksum(file)
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return rows.total, size, digest
