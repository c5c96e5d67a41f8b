"""What ``usage dead-letter`` does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.facts.judge import Judge
from pipeline.facts.rules import rules_of
from pipeline.operate.dead_letters import screen
from pipeline.operate.dead_letters.exchange import Correction, corrections, line, summary
from pipeline.operate.dead_letters.letter import DeadLetter
from pipeline.operate.dead_letters.plan import Plan, Planner
from pipeline.operate.dead_letters.reading import read
from pipeline.operate.dead_letters.retry import Resender
from pipeline.operate.dead_letters.selection import Selection
from pipeline.protocol.hooks import hook_of

if TYPE_CHECKING:
    from pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What is to be sent again, and how."""

    selection: Selection
    corrections: Mapping[str, Correction]
    limit: int = 0
    dry_run: bool = False
    again: bool = False
    force: bool = False


def list_letters(settings: Settings, selection: Selection, limit: int, as_json: bool) -> None:
    """Print a line for each of the newest ``limit`` (0: all)."""
    found = read(settings, selection, values=False).letters
    shown = _newest(found, limit)
    if as_json:
        _print_lines(json.dumps(summary(letter)) for letter in shown)
    else:
        screen.show_list(shown, len(found), screen.console())


def show(settings: Settings, origins: Sequence[str], as_json: bool) -> None:
    """Print all that is known of some. Raises UsageError if one is not there."""
    letters = _all_of(settings, origins, read(settings, Selection(origins=origins)).letters)
    if as_json:
        _print_lines(line(letter) for letter in letters)
        return
    to = screen.console()
    for letter in letters:
        screen.show_one(letter, to)


def export(settings: Settings, selection: Selection, limit: int) -> None:
    """Print everything that is kept of the newest ``limit`` (0: all), a line of JSON each."""
    found = read(settings, selection).letters
    _print_lines(line(letter) for letter in _newest(found, limit))
    print(f"{len(_newest(found, limit)):,} dead letters", file=sys.stderr)


def retry(settings: Settings, asked: Retry) -> int:
    """Send dead letters again; the exit status is 1 if some that were asked for were refused."""
    # A dry run must not end another retry.
    resender = None if asked.dry_run else Resender(settings, hook_of(settings))
    letters = read(settings, asked.selection).letters
    if asked.selection.origins:
        letters = _all_of(settings, asked.selection.origins, letters)
    judge = Judge(rules_of(settings))
    planner = Planner(settings=settings, judge=judge, again=asked.again, force=asked.force)
    now = time.time_ns() // 1_000_000
    plans = [
        planner.plan(letter, asked.corrections.get(letter.origin), now)
        for letter in _newest(letters, asked.limit)
    ]
    good = [plan for plan in plans if not plan.problem]
    to = screen.console()
    for plan in plans:
        if plan.problem and (not plan.is_done or asked.selection.origins):
            screen.show_plan(plan, to)
    sent = 0
    for portion in resender.send(good) if resender else ():
        sent += len(portion)
        for plan, offset in portion:
            topic, partition = plan.letter.source
            print(f"{plan.letter.origin}: sent to {topic} partition {partition} offset {offset}")
    _print_lines(f"{plan.letter.origin}: would be sent" for plan in good if asked.dry_run)
    return _conclude(plans, len(good) if asked.dry_run else sent, asked)


def read_corrections(path: Path) -> dict[str, Correction]:
    """Read a corrected export; ``-`` is standard input. Raises UsageError."""
    if str(path) == "-":
        return corrections(sys.stdin.buffer, "standard input")
    try:
        with path.open("rb") as lines:
            return corrections(lines, str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _conclude(plans: Sequence[Plan], sent: int, asked: Retry) -> int:
    done = sum(plan.is_done for plan in plans)
    refused = sum(bool(plan.problem) for plan in plans) - done
    verb = "would be sent" if asked.dry_run else "sent"
    print(f"{sent:,} {verb}, {refused:,} refused, {done:,} were sent before", file=sys.stderr)
    return 1 if refused or (done and asked.selection.origins) else 0


def _all_of(
    settings: Settings, origins: Sequence[str], found: Sequence[DeadLetter]
) -> list[DeadLetter]:
    by_origin = {letter.origin: letter for letter in found}
    missing = [origin for origin in origins if origin not in by_origin]
    if missing:
        raise UsageError(
            f"there is no such dead letter (of this selection) at {settings.kafka}: "
            f"{', '.join(missing)}; `usage dead-letter list` has those there are"
        )
    return [by_origin[origin] for origin in dict.fromkeys(origins)]


def _newest(letters: Sequence[DeadLetter], limit: int) -> Sequence[DeadLetter]:
    return letters[-limit:] if limit else letters


def _print_lines(lines: Iterable[str]) -> None:
    for one in lines:
        sys.stdout.write(f"{one}\n")
    sys.stdout.flush()
