"""``usage dead-letter``: what was rejected, and sending it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.groups import Commands
from pipeline.cli.options import Instant
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.operate.dead_letters.selection import Selection
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
_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


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
@_JSON
def list_(limit: int, as_json: bool, **chosen: Any) -> None:
    """List dead letters: where each came from, why it was rejected, whether it was sent again."""
    from pipeline.operate.dead_letters import command

    settings = load()
    command.list_letters(settings, _selection(settings, **chosen), limit, as_json)


@dead_letter.command()
@click.argument("origins", nargs=-1, required=True, metavar="ORIGIN…")
@_JSON
def show(origins: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of some: headers, message, value. ORIGIN is as `list` has it."""
    from pipeline.operate.dead_letters import command

    command.show(load(), origins, as_json)


@dead_letter.command()
@_selecting
@click.option("--limit", type=click.IntRange(0), default=0, help="Newest; 0: all.")
def export(limit: int, **chosen: Any) -> None:
    """Print everything about dead letters, a line of JSON each; corrected, `retry` takes it."""
    from pipeline.operate.dead_letters import command

    settings = load()
    command.export(settings, _selection(settings, **chosen), limit)


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
    from pipeline.operate.dead_letters import command

    if not (origins or all_ or file or any(one not in (None, ()) for one in chosen.values())):
        raise click.UsageError("say which: ORIGIN…, --file, options that choose, or --all")
    settings = load()
    corrected = command.read_corrections(file) if file else {}
    if not origins:
        origins = tuple(corrected)
    selection = _selection(settings, origins=origins, **chosen)
    if file and not corrected:
        raise click.UsageError(f"{file} is empty")
    asked = command.Retry(
        selection=selection,
        corrections=corrected,
        limit=limit,
        dry_run=dry_run,
        again=again,
        force=force,
    )
    return command.retry(settings, asked)


def _selection(settings: Settings, **chosen: Any) -> Selection:
    from pipeline.operate.dead_letters.selection import Selection, check_reasons

    check_reasons(chosen["reasons"])
    prefix = settings.topic_prefix
    chosen["topics"] = tuple(
        topic if topic.startswith(prefix) else settings.topic(topic) for topic in chosen["topics"]
    )
    return Selection(**chosen)
