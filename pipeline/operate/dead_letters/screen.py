"""Dead letters for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.operate.dead_letters.exchange import moment
from pipeline.operate.dead_letters.letter import DeadLetter
from pipeline.operate.dead_letters.plan import Plan

STYLES = {
    "malformed": "red",
    "invalid_envelope": "yellow",
    "unknown_type": "magenta",
    "invalid_data": "cyan",
    "too_early": "blue",
    "too_late": "blue",
    "internal": "bold red",
}
PIPE_WIDTH = 160
_SHOWN_BYTES = 65_536
_HEX_WIDTH = 16
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Wide enough where nobody's terminal says how wide it is."""
    made = Console(highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def show_list(letters: Sequence[DeadLetter], total: int, to: Console) -> None:
    """A line for each; and how many there are."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("origin", "arrived", "tenant", "type", "reason"):
        table.add_column(name, no_wrap=name in {"arrived", "reason"}, overflow="fold")
    table.add_column("message", overflow="fold", ratio=1)
    table.add_column("retried", overflow="fold")
    for letter in letters:
        table.add_row(
            Text(letter.origin),
            moment(letter.timestamp)[:19].replace("T", " "),
            Text(printable(letter.tenant)),
            Text(printable(letter.type)),
            Text(letter.reason, STYLES.get(letter.reason, "")),
            Text(printable(_last_line(letter.message))),
            retried(letter),
        )
    if letters:
        to.print(table)
    more = f", the newest {len(letters):,} of them shown" if len(letters) < total else ""
    to.print(Text(f"{total:,} dead letter{'s' * (total != 1)}{more}", "bold"))


def show_one(letter: DeadLetter, to: Console) -> None:
    """All that is known of one."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in _facts(letter):
        grid.add_row(name, text)
    to.print(Text(letter.origin, "bold"))
    to.print(grid)
    for row in value_lines(letter.value):
        to.print(Text(row), soft_wrap=True)
    if letter.is_cut:
        to.print(Text(f"… of {letter.size:,} bytes; the rest was too large to be kept", "dim"))
    to.print()


def show_plan(plan: Plan, to: Console) -> None:
    """Why one is not sent."""
    to.print(f"[bold]{escape(plan.letter.origin)}[/]: {escape(printable(plan.problem))}")


def retried(letter: DeadLetter) -> str:
    """When, and to which offset."""
    mark = letter.retried
    return f"{moment(mark.at)[:19].replace('T', ' ')} → {mark.offset}" if mark else ""


def value_lines(value: bytes) -> Iterator[str]:
    """The value, set out: JSON indented, other text with what cannot be printed escaped, or hex."""
    shown = value[:_SHOWN_BYTES]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        yield from _hex(shown)
    else:
        yield from _json_or_text(text, shown.decode(errors="ignore"))
    if len(value) > len(shown):
        yield f"… {len(value):,} bytes; `export` has all of them"


def printable(text: str) -> str:
    """Text in which nothing moves a terminal's cursor."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _json_or_text(text: str, start: str) -> Iterator[str]:
    try:
        # It checks that it is JSON and only moves white space: numbers stay as they were written.
        msgspec.json.decode(text, type=msgspec.Raw)
        start = msgspec.json.format(text, indent=2)[:_SHOWN_BYTES]
    except (msgspec.DecodeError, RecursionError):
        pass
    yield from (printable(line) for line in start.split("\n"))


def _hex(value: bytes) -> Iterator[str]:
    for at in range(0, len(value), _HEX_WIDTH):
        row = value[at : at + _HEX_WIDTH]
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        yield f"{at:08x}  {row.hex(' '):<{3 * _HEX_WIDTH}} {text}"


def _facts(letter: DeadLetter) -> Iterator[tuple[str, Text]]:
    yield "reason", Text(letter.reason, STYLES.get(letter.reason, ""))
    yield "message", Text(printable(letter.message))
    yield "arrived", Text(moment(letter.timestamp))
    yield "tenant", Text(printable(letter.tenant) or "could not be read")
    yield "type", Text(printable(letter.type) or "could not be read")
    if letter.retried:
        yield "retried", Text(retried(letter))
    for name, text in letter.headers:
        shown = "null" if text is None else printable(text.decode("utf-8", "backslashreplace"))
        yield f"header {printable(name)}", Text(shown)
    yield "value", Text(f"{letter.size:,} bytes")


def _last_line(message: str) -> str:
    """Of a traceback what was raised."""
    return message.strip().rpartition("\n")[2]
