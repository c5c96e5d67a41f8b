"""Reading the dead-letter topic from its start to its end, without a group and in no one's way.

The topic is compacted, but only in Kafka's own time: older versions may still be there. The newest
of each key holds; a tombstone takes the dead letter away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UsageError
from pipeline.kafka.dead_letters.letter import (
    MARK_SUFFIX,
    DeadLetter,
    Mark,
    parse,
    parse_mark,
)
from pipeline.kafka.faults import unanswered
from pipeline.kafka.group import bounds
from pipeline.kafka.reading import LogReader, LogRecord
from pipeline.kafka.topics import DEAD_LETTER

if TYPE_CHECKING:
    from pipeline.kafka.dead_letters.selection import LetterSelection
    from pipeline.protocol.chunks import Source
    from pipeline.settings import Settings

AT_ONCE = 500
SILENCE_SECONDS = 30.0
POLL_SECONDS = 0.1


class Found(NamedTuple):
    """What the topic holds of a selection."""

    letters: list[DeadLetter]
    """By arrival, the oldest first."""
    strangers: int
    """Records that are no dead letters."""
    whole: bool = True
    """Whether the topic was read from its start."""


def read(
    settings: Settings, selection: LetterSelection, *, values: bool = True, newest: int = 0
) -> Found:
    """Read the selected dead letters; without their values where a list is all that is wanted.

    Args:
        settings: where Kafka is, and what topics are called there.
        selection: which are meant.
        values: whether the letters have them.
        newest: from so many records before each partition's end; 0: from its start.

    Raises:
        BrokerError: Kafka could not be reached, has no such topic, or stopped answering.
    """
    topic = settings.topic(DEAD_LETTER.name)
    shelf = _Shelf(selection, values)
    logs = {source: at for source, at in bounds(settings, [topic]).items() if at.first < at.last}
    starts = {
        source: max(at.first, at.last - newest) if newest else at.first
        for source, at in logs.items()
    }
    if starts:
        for record in _to_the_end(settings, starts):
            shelf.add(record)
    whole = all(starts[source] == at.first for source, at in logs.items())
    return shelf.found()._replace(whole=whole)


def named(
    settings: Settings, origins: Sequence[str], found: Sequence[DeadLetter]
) -> list[DeadLetter]:
    """The letters of these origins among what was found, in the origins' order.

    Raises:
        UsageError: one is not there.
    """
    by_origin = {letter.origin: letter for letter in found}
    missing = [origin for origin in origins if origin not in by_origin]
    if missing:
        raise UsageError(
            f"there is no such dead letter (of this selection) at {settings.kafka}: "
            f"{', '.join(missing)}; `usage dead-letter list` has those there are"
        )
    return [by_origin[origin] for origin in dict.fromkeys(origins)]


def newest(letters: Sequence[DeadLetter], limit: int) -> Sequence[DeadLetter]:
    """The newest ``limit`` of letters that are in order; 0: all."""
    return letters[-limit:] if limit else letters


def _to_the_end(settings: Settings, starts: Mapping[Source, int]) -> Iterator[LogRecord]:
    """Yield what there is by now; what comes meanwhile may be among it."""
    silent_since = time.monotonic()
    with closing(LogReader(settings, skips_deleted=True)) as reader:
        reader.start(starts)
        waiting = reader.ends()
        while waiting:
            found = reader.read(AT_ONCE, POLL_SECONDS)
            yield from found
            waiting = {at: end for at, end in waiting.items() if reader.position(at) < end}
            if found:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > SILENCE_SECONDS:
                raise unanswered(settings, f"nothing comes for {SILENCE_SECONDS:g} s")


class _Shelf:
    """The newest of each key that is selected, and the marks."""

    def __init__(self, selection: LetterSelection, values: bool) -> None:
        self._selection = selection
        self._values = values
        self._letters: dict[str, DeadLetter] = {}
        self._marks: dict[str, Mark] = {}
        self._strangers = 0

    def add(self, record: LogRecord) -> None:
        key = (record.key or b"").decode("utf-8", "replace")
        headers, value = record.headers, record.value
        if key.endswith(MARK_SUFFIX):
            self._mark(key.removesuffix(MARK_SUFFIX), parse_mark(headers) if value else None)
            return
        self._letters.pop(key, None)
        if value is None:  # a tombstone
            return
        letter = parse(key, headers, value, record.source)
        if letter is None:
            self._strangers += 1
        elif self._selection.takes(letter):
            self._letters[key] = letter if self._values else letter.without_value()

    def _mark(self, origin: str, mark: Mark | None) -> None:
        if mark is None:
            self._marks.pop(origin, None)
        else:
            self._marks[origin] = mark

    def found(self) -> Found:
        letters = [one.marked(self._marks.get(key)) for key, one in self._letters.items()]
        letters.sort(key=lambda one: (one.timestamp, one.source, one.offset, one.index or 0))
        return Found(letters, self._strangers)
