"""Reading the dead-letter topic from its start to its end, without a group and in no one's way.

The topic is compacted, but only in Kafka's own time: older versions may still be there. The newest
of each key holds; a tombstone takes the dead letter away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import UsageError
from pipeline.kafka.faults import translate, unanswered
from pipeline.kafka.group import bounds_of, log_consumer, partitions
from pipeline.kafka.topics import DEAD_LETTER
from pipeline.operate.dead_letters.letter import (
    MARK_SUFFIX,
    DeadLetter,
    Headers,
    Mark,
    parse,
    parse_mark,
)
from pipeline.protocol.chunks import Source

if TYPE_CHECKING:
    from confluent_kafka import Message

    from pipeline.operate.dead_letters.selection import LetterSelection
    from pipeline.settings import Settings

AT_ONCE = 500
SILENCE_SECONDS = 30.0
POLL_SECONDS = 0.1
"""`consume` waits so long for a full lot, whatever it has."""

_TO_THE_END = {"enable.partition.eof": True, "fetch.wait.max.ms": 50}


class Found(NamedTuple):
    """What the topic holds of a selection."""

    letters: list[DeadLetter]
    """By arrival, the oldest first."""
    strangers: int
    """Records that are no dead letters."""


def read(settings: Settings, selection: LetterSelection, *, values: bool = True) -> Found:
    """Read the selected dead letters; without their values where a list is all that is wanted.

    Raises:
        BrokerError: Kafka could not be reached, has no such topic, or stopped answering.
    """
    topic = settings.topic(DEAD_LETTER.name)
    consumer = log_consumer(settings, **_TO_THE_END)
    shelf = _Shelf(selection, values)
    try:
        sources = partitions(consumer, settings, topic)
        starts = [_start(consumer, settings, source) for source in sources]
        consumer.assign([start for start in starts if start is not None])
        waiting = sum(start is not None for start in starts)
        for message in _to_the_end(consumer, settings, waiting):
            shelf.add(message)
    except KafkaException as error:
        raise translate(error, settings) from error
    finally:
        consumer.close()
    return shelf.found()


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


def _start(consumer: Consumer, settings: Settings, source: Source) -> TopicPartition | None:
    """Where to begin; None if there is nothing to read."""
    bounds = bounds_of(consumer, settings, source)
    return TopicPartition(*source, bounds.first) if bounds.first < bounds.last else None


def _to_the_end(consumer: Consumer, settings: Settings, waiting: int) -> Iterator[Message]:
    silent = 0.0
    while waiting:
        heard = consumer.consume(AT_ONCE, POLL_SECONDS)
        silent = 0.0 if heard else silent + POLL_SECONDS
        if silent > SILENCE_SECONDS:
            raise unanswered(settings, f"nothing comes for {SILENCE_SECONDS:g} s")
        for message in heard:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                waiting -= 1
            else:
                raise KafkaException(error)


class _Shelf:
    """The newest of each key that is selected, and the marks."""

    def __init__(self, selection: LetterSelection, values: bool) -> None:
        self._selection = selection
        self._values = values
        self._letters: dict[str, DeadLetter] = {}
        self._marks: dict[str, Mark] = {}
        self._strangers = 0

    def add(self, message: Message) -> None:
        key = (message.key() or b"").decode("utf-8", "replace")
        headers = cast("Headers", message.headers() or [])
        value = message.value()
        if key.endswith(MARK_SUFFIX):
            self._mark(key.removesuffix(MARK_SUFFIX), parse_mark(headers) if value else None)
            return
        self._letters.pop(key, None)
        if value is None:  # a tombstone
            return
        at = Source(str(message.topic()), int(message.partition() or 0))
        letter = parse(key, headers, value, at)
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
