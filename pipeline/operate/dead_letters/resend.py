"""Which dead letters are to be sent again, and what each would come to."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.facts.judge import Judge
from pipeline.facts.rules import rules_of
from pipeline.kafka.dead_letters.exchange import Correction, corrections
from pipeline.kafka.dead_letters.letter import DeadLetter
from pipeline.kafka.dead_letters.reading import named, newest, read
from pipeline.kafka.dead_letters.selection import LetterSelection
from pipeline.operate.dead_letters.plan import Planner, RetryPlan

if TYPE_CHECKING:
    from pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What one `usage dead-letter retry` is asked to send again, and how."""

    selection: LetterSelection
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    limit: int = 0
    """Of the newest so many; 0: all."""
    dry_run: bool = False
    again: bool = False
    """Also those that were sent again before."""
    force: bool = False
    """Also what would be rejected, or is another event now."""


def plans(settings: Settings, asked: Retry) -> list[RetryPlan]:
    """Read what is asked for and decide about each, as if it arrived now.

    Raises:
        BrokerError: as `read`.
        UsageError: an origin is not there.
    """
    letters: Sequence[DeadLetter] = read(settings, asked.selection).letters
    if asked.selection.origins:
        letters = named(settings, asked.selection.origins, letters)
    judge = Judge(rules_of(settings))
    planner = Planner(settings=settings, judge=judge, again=asked.again, force=asked.force)
    now_ms = time.time_ns() // 1_000_000
    return [
        planner.plan(letter, asked.corrections.get(letter.origin), now_ms)
        for letter in newest(letters, asked.limit)
    ]


def read_corrections(path: Path) -> dict[str, Correction]:
    """Read a corrected export, by origin; ``-`` is standard input. Raises UsageError."""
    if str(path) == "-":
        return corrections(sys.stdin.buffer, "standard input")
    try:
        with path.open("rb") as lines:
            return corrections(lines, str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
