"""``usage dead-letter``: what was rejected, and sending it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.groups import Commands
from pipeline.cli.options import AS_JSON, Instant
from pipeline.process.printable import printable
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.kafka.dead_letters.selection import LetterSelection
    from pipeline.operate.dead_letters.plan import RetryPlan
    from pipeline.operate.dead_letters.resend import Retry
    from pipeline.operate.dead_letters.retry import Resender
    from pipeline.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_SELECTION = (
    click.option("--reason", "reasons", multiple=True, help="malformed, invalid_data, …"),
    click.option("--tenant", "tenants", multiple=True, help="'' where it could not be read."),
    click.option("--topic", "topics", multiple=True, help="Where it came from."),
    click.option("--type", "types", multiple=True, help="'' where it could not be read."),
    click.option("--since", type=Instant(), help="Arrived from then on: a time, a day, or 2h ago."),
    click.option("--until", type=Instant(), help="Arrived before."),
)


def _selecting(command: F) -> F:
    for option in reversed(_SELECTION):
        command = option(command)
    return command


@click.group(cls=Commands)
def dead_letter() -> None:
    """Look at what was rejected, and send it again.

    Options that choose may be given several times; each sort must apply.
    """


@dead_letter.command("list")
@_selecting
@click.option(
    "--limit", type=click.IntRange(0), default=100, show_default=True, help="Newest; 0: all."
)
@AS_JSON
def list_(limit: int, as_json: bool, **chosen: Any) -> None:
    """List dead letters: where each came from, why it was rejected, whether it was sent again."""
    from pipeline.kafka.dead_letters import exchange, reading
    from pipeline.operate.dead_letters import screen
    from pipeline.process import terminal

    settings = load()
    found = reading.read(settings, _selection(settings, **chosen), values=False).letters
    shown = reading.newest(found, limit)
    if as_json:
        _echo_all(json.dumps(exchange.summary(letter)) for letter in shown)
    else:
        screen.show_list(shown, len(found), terminal.console())


@dead_letter.command()
@click.argument("origins", nargs=-1, required=True, metavar="ORIGIN…")
@AS_JSON
def show(origins: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of some: headers, message, value. ORIGIN is as `list` has it."""
    from pipeline.kafka.dead_letters import exchange, reading
    from pipeline.kafka.dead_letters.selection import LetterSelection
    from pipeline.operate.dead_letters import screen
    from pipeline.process import terminal

    settings = load()
    found = reading.read(settings, LetterSelection(origins=origins)).letters
    letters = reading.named(settings, origins, found)
    if as_json:
        _echo_all(map(exchange.line, letters))
        return
    to = terminal.console()
    for letter in letters:
        screen.show_one(letter, to)


@dead_letter.command()
@_selecting
@click.option("--limit", type=click.IntRange(0), default=0, help="Newest; 0: all.")
def export(limit: int, **chosen: Any) -> None:
    """Print everything about dead letters, a line of JSON each; corrected, `retry` takes it."""
    from pipeline.kafka.dead_letters import exchange, reading

    settings = load()
    found = reading.read(settings, _selection(settings, **chosen)).letters
    letters = reading.newest(found, limit)
    _echo_all(map(exchange.line, letters))
    click.echo(f"{len(letters):,} dead letters", err=True)


@dead_letter.command()
@click.argument("origins", nargs=-1, metavar="[ORIGIN…]")
@_selecting
@click.option("--all", "all_", is_flag=True, help="All that there are.")
@click.option("--limit", type=click.IntRange(0), default=0, help="Newest; 0: all.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Corrected events, as `export` writes them; `-` is standard input.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent.")
@click.option("--again", is_flag=True, help="Also those that were sent again before.")
@click.option("--force", is_flag=True, help="Also what would be rejected, or is another event now.")
def retry(
    origins: tuple[str, ...],
    all_: bool,
    limit: int,
    file: Path | None,
    dry_run: bool,
    again: bool,
    force: bool,
    **chosen: Any,
) -> int:
    """Send events back to the partition that they came from, corrected or as they are.

    Exit status: 0 all were sent (or had been), 1 some were refused.
    """
    from pipeline.operate.dead_letters import resend
    from pipeline.operate.dead_letters.retry import Resender
    from pipeline.protocol.hooks import hook_of

    if not (origins or all_ or file or any(one not in (None, ()) for one in chosen.values())):
        raise click.UsageError("say which: ORIGIN…, --file, options that choose, or --all")
    settings = load()
    corrected = resend.read_corrections(file) if file else {}
    if not origins:
        origins = tuple(corrected)
    selection = _selection(settings, origins=origins, **chosen)
    if file and not corrected:
        raise click.UsageError(f"{file} is empty")
    asked = resend.Retry(
        selection=selection,
        corrections=corrected,
        limit=limit,
        dry_run=dry_run,
        again=again,
        force=force,
    )
    # Before anything is read: it ends another retry, all of whose marks are seen then. A dry run
    # must not.
    resender = None if dry_run else Resender(settings, hook_of(settings))
    plans = resend.plans(settings, asked)
    _show_refused(plans, asked)
    good = [plan for plan in plans if not plan.problem]
    sent = _send(resender, good) if resender else _would_send(good)
    return _conclude(plans, sent, asked)


def _show_refused(plans: Sequence[RetryPlan], asked: Retry) -> None:
    from pipeline.operate.dead_letters import screen
    from pipeline.process import terminal

    to = terminal.console()
    for plan in plans:
        if plan.problem and (not plan.is_done or asked.selection.origins):
            screen.show_plan(plan, to)


def _send(resender: Resender, good: Sequence[RetryPlan]) -> int:
    """Send them, say where each went, and return how many did."""
    sent = 0
    for portion in resender.send(good):
        sent += len(portion)
        for plan, offset in portion:
            origin, (topic, partition) = printable(plan.letter.origin), plan.letter.source
            where = f"{printable(topic)} partition {partition} offset {offset}"
            click.echo(f"{origin}: sent to {where}")
    return sent


def _would_send(good: Sequence[RetryPlan]) -> int:
    _echo_all(f"{printable(plan.letter.origin)}: would be sent" for plan in good)
    return len(good)


def _conclude(plans: Sequence[RetryPlan], sent: int, asked: Retry) -> int:
    done = sum(plan.is_done for plan in plans)
    refused = sum(bool(plan.problem) for plan in plans) - done
    verb = "would be sent" if asked.dry_run else "sent"
    click.echo(f"{sent:,} {verb}, {refused:,} refused, {done:,} were sent before", err=True)
    return 1 if refused or (done and asked.selection.origins) else 0


def _echo_all(lines: Iterable[str]) -> None:
    for one in lines:
        sys.stdout.write(f"{one}\n")
    sys.stdout.flush()


def _selection(settings: Settings, **chosen: Any) -> LetterSelection:
    from pipeline.kafka.dead_letters.selection import LetterSelection, check_reasons

    check_reasons(chosen["reasons"])
    chosen["topics"] = tuple(settings.topic(settings.topic_name(t)) for t in chosen["topics"])
    return LetterSelection(**chosen)
