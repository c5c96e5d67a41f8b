"""Dead letters for people: a table, one in full, and why one is not sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.facts.exact.reasons import INTERNAL
from pipeline.kafka.dead_letters.letter import DeadLetter
from pipeline.operate.dead_letters.plan import RetryPlan
from pipeline.process import terminal
from pipeline.process.times import moment

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES = {
    "malformed": "red",
    "invalid_envelope": "yellow",
    "unknown_type": "magenta",
    "invalid_data": "cyan",
    "too_early": "blue",
    "too_late": "blue",
    "internal": "bold red",
}
_SHOWN_BYTES = 65_536
_HEX_WIDTH = 16


def show_list(letters: Sequence[DeadLetter], total: int, to: Console) -> None:
    """A line for each; and how many there are."""
    table = terminal.Cells()
    for name in ("origin", "arrived", "tenant", "type", "reason"):
        table.add_column(name, no_wrap=name in {"arrived", "reason"}, overflow="fold")
    table.add_column("message", overflow="fold", ratio=1)
    table.add_column("retried", overflow="fold")
    for letter in letters:
        table.add_row(
            letter.origin,
            moment(letter.timestamp)[:19].replace("T", " "),
            letter.tenant,
            letter.type,
            _reason(letter),
            _sentence(letter),
            retried(letter),
        )
    if letters:
        to.print(table)
    more = f", the newest {len(letters):,} of them shown" if len(letters) < total else ""
    to.print(terminal.line(f"{total:,} dead letter{'s' * (total != 1)}{more}", style="bold"))


def show_one(letter: DeadLetter, to: Console) -> None:
    """Print all that is known of one dead letter, its value set out."""
    grid = terminal.Cells(head=False, padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in _facts(letter):
        grid.add_row(name, text)
    to.print(terminal.line(letter.origin, style="bold"))
    to.print(grid)
    for row in value_lines(letter.value):
        # A little to the right, so that no line of it looks like one of ours.
        to.print(terminal.line("  ", row), soft_wrap=True)
    if letter.is_cut:
        rest = f"… of {letter.size:,} bytes; the rest was too large to be kept"
        to.print(terminal.line(rest, style="dim"))
    to.print()


def show_plan(plan: RetryPlan, to: Console) -> None:
    """Print why one dead letter is not sent again."""
    to.print(terminal.line((plan.letter.origin, "bold"), f": {plan.problem}"))


def retried(letter: DeadLetter) -> str:
    """When a dead letter was sent again and to which offset; ``''``: it was not."""
    mark = letter.retried
    return f"{moment(mark.at)[:19].replace('T', ' ')} → {mark.offset}" if mark else ""


def value_lines(value: bytes) -> Iterator[str]:
    """The value, set out: JSON indented, other text by its lines, or hex."""
    shown = value[:_SHOWN_BYTES]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        yield from _hex(shown)
    else:
        yield from _json_or_text(text, shown.decode(errors="ignore"))
    if len(value) > len(shown):
        yield f"… {len(value):,} bytes; `export` has all of them"


def _json_or_text(text: str, start: str) -> Iterator[str]:
    try:
        # It checks that it is JSON and only moves white space: numbers stay as they were written.
        msgspec.json.decode(text, type=msgspec.Raw)
        start = msgspec.json.format(text, indent=2)[:_SHOWN_BYTES]
    except (msgspec.DecodeError, RecursionError):
        pass
    yield from start.split("\n")


def _hex(value: bytes) -> Iterator[str]:
    for at in range(0, len(value), _HEX_WIDTH):
        row = value[at : at + _HEX_WIDTH]
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        yield f"{at:08x}  {row.hex(' '):<{3 * _HEX_WIDTH}} {text}"


def _facts(letter: DeadLetter) -> Iterator[tuple[str, RenderableType]]:
    yield "reason", _reason(letter)
    yield "message", _message(letter)
    yield "arrived", moment(letter.timestamp)
    yield "tenant", letter.tenant or "could not be read"
    yield "type", letter.type or "could not be read"
    if letter.retried:
        yield "retried", retried(letter)
    for name, text in letter.headers:
        shown = "null" if text is None else text.decode("utf-8", "backslashreplace")
        yield f"header {name}", shown
    yield "value", f"{letter.size:,} bytes"


def _message(letter: DeadLetter) -> RenderableType:
    """The whole sentence; the lines of a traceback, which is ours, stay lines."""
    if letter.reason != INTERNAL:
        return letter.message
    return terminal.lines(*map(terminal.line, letter.message.split("\n")))


def _reason(letter: DeadLetter) -> RenderableType:
    return terminal.line((letter.reason, STYLES.get(letter.reason, "")))


def _sentence(letter: DeadLetter) -> str:
    """The message; of a traceback what was raised."""
    message = letter.message.strip()
    return message.rpartition("\n")[2] if letter.reason == INTERNAL else message
