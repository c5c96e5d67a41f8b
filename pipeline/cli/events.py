"""``usage tail`` and ``usage check``: looking at events as producers make them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import AS_JSON, Instant
from pipeline.process.printable import printable
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.operate.check import Checker, EventFinding


@click.command()
@click.argument("topics", nargs=-1, metavar="[TOPIC…]")
@click.option("--tenant", "tenants", multiple=True, help="Only this tenant's.")
@click.option("--type", "types", multiple=True, help="Only of this type.")
@click.option("--rejected", is_flag=True, help="Only what would be rejected.")
@click.option("--from-beginning", is_flag=True, help="All that Kafka still has, too.")
@click.option("--limit", type=click.IntRange(0), default=0, help="End after so many; 0: never.")
@AS_JSON
def tail(
    topics: tuple[str, ...],
    tenants: tuple[str, ...],
    types: tuple[str, ...],
    rejected: bool,
    from_beginning: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show events as they pass, and why one would be rejected. Ctrl-C ends it."""
    from pipeline.operate.tail import follow
    from pipeline.operate.tail.passing import Filter

    chosen = Filter(tenants=tenants, types=types, rejected=rejected)
    asked = follow.Tail(
        topics=topics, from_beginning=from_beginning, limit=limit, as_json=as_json, filter=chosen
    )
    follow.main(load(), asked)


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option("--topic", default="", help="Where they go; else each where its type belongs.")
@click.option("--type", "type_", default="", help="What they must be; else anything.")
@click.option("--at", type=Instant(), help="When they arrive, as 2026-05-01T12:00:00Z; else now.")
@AS_JSON
def check(files: tuple[Path, ...], topic: str, type_: str, at: int | None, as_json: bool) -> int:
    """Check payloads without Kafka, by the code that counts; `-` is standard input.

    A file has an event or a batch on each line, or one JSON document. Exit status: 0 all would
    count, 1 some would be rejected.
    """
    from pipeline.facts.readers import told

    checker = _checker(topic, type_, at)
    for path in files:
        name = "standard input" if str(path) == "-" else str(path)
        if str(path) == "-":
            _report(checker, name, sys.stdin.buffer, as_json)
        else:
            with path.open("rb") as file:
                _report(checker, name, file, as_json)
    if not as_json:
        repeated = f", {checker.repeated:,} repeated" if checker.repeated else ""
        odd = f", {checker.inconsistent:,} inconsistent" if checker.inconsistent else ""
        said = f"{checker.events:,} events, {checker.wrong:,} wrong{repeated}{odd}"
        click.echo(f"{said}; workers like this one: {told(load().reader)}", err=True)
    return int(checker.wrong > 0)


def _checker(topic: str, type_: str, at: int | None) -> Checker:
    from pipeline.facts.judge import TOPIC_OF, Judge
    from pipeline.facts.rules import rules_of
    from pipeline.facts.types import TYPES
    from pipeline.operate.check import Checker

    settings = load()
    topic = settings.topic_name(topic)
    for name, value, known in (("--topic", topic, TYPES), ("--type", type_, TOPIC_OF)):
        if value and value not in known:
            raise click.UsageError(f"{name} is {value!r}; allowed: {', '.join(known)}")
    now_ms = time.time_ns() // 1_000_000 if at is None else at
    rules = rules_of(settings)
    return Checker(
        judge=Judge(rules),
        now_ms=now_ms,
        topic=topic,
        type=type_,
        remembered=rules.duplicate_window,
    )


def _report(checker: Checker, name: str, file: Iterable[bytes], as_json: bool) -> None:
    from pipeline.operate.check import values

    for finding in checker.check(name, values(file)):
        click.echo(json.dumps(finding.as_json()) if as_json else _line(finding))


def _line(finding: EventFinding) -> str:
    index = "" if finding.index is None else f"[{finding.index}]"
    reason = click.style(finding.reason, fg="red" if finding.is_wrong else "yellow")
    where = f"{printable(finding.file)}:{finding.line}{index}"
    return f"{where}: {reason}: {printable(finding.message.strip())}"
