"""Reads topics as they grow, without a group and without committing anything."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException

from pipeline.errors import UsageError
from pipeline.facts.judge import Judge
from pipeline.facts.rules import rules_of
from pipeline.facts.types import TYPES
from pipeline.kafka.faults import translate
from pipeline.kafka.group import bounds_of, log_consumer, partitions
from pipeline.kafka.reading import LogReader, LogRecord
from pipeline.operate.tail import screen
from pipeline.operate.tail.passing import Filter, Passing, SourceRecord, events
from pipeline.process import terminal
from pipeline.process.interrupts import Interrupts
from pipeline.process.printable import printable

if TYPE_CHECKING:
    from pipeline.protocol.chunks import Source
    from pipeline.settings import Settings

AT_ONCE = 200
POLL_SECONDS = 0.1
PROBE_SECONDS = 1.0
"""How long an answer is waited for, and how long nothing may come before it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Tail:
    """What `usage tail` was asked for."""

    topics: Sequence[str] = ()
    """With or without the prefix; empty: all that carry events."""
    from_beginning: bool = False
    limit: int = 0
    """End after so many events were shown; 0: never."""
    as_json: bool = False
    filter: Filter = field(default_factory=Filter)


def main(settings: Settings, tail: Tail) -> None:
    """Show events until SIGINT or SIGTERM, or the limit.

    Raises:
        BrokerError: Kafka could not be reached, or lacks a topic.
        UsageError: a topic that carries no events.
    """
    stop = Interrupts()
    names = {settings.topic(name): name for name in _topic_names(settings, tail.topics)}
    with closing(log_consumer(settings)) as asking:
        starts = _starts(asking, settings, list(names), tail.from_beginning)
        watch = _Watch(asking, settings, next(iter(names)))
        with closing(LogReader(settings, skips_deleted=True)) as reader:
            reader.start(starts)
            if not tail.as_json:
                print(f"following {', '.join(names)}; Ctrl-C ends it", file=sys.stderr, flush=True)
            try:
                _follow(_records(reader, stop, watch), settings, tail, names)
            except BrokenPipeError:  # who read our output has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _follow(
    records: Iterator[LogRecord], settings: Settings, tail: Tail, names: Mapping[str, str]
) -> None:
    judge = Judge(rules_of(settings))
    passing = (event for one in records for event in events(judge, _record(one, names)))
    _show((event for event in passing if tail.filter.takes(event)), tail)


def _topic_names(settings: Settings, asked: Sequence[str]) -> Sequence[str]:
    names = [settings.topic_name(topic) for topic in asked]
    for name in names:
        if name not in TYPES:
            raise UsageError(f"{name} carries no events; allowed: {', '.join(TYPES)}")
    return names or tuple(TYPES)


def _starts(
    consumer: Consumer, settings: Settings, names: Sequence[str], from_beginning: bool
) -> dict[Source, int]:
    """Where to begin: asked for now, so that nothing that comes later is missed."""
    starts = {}
    for name in names:
        for source in partitions(consumer, settings, name):
            bounds = bounds_of(consumer, settings, source)
            starts[source] = bounds.first if from_beginning else bounds.last
    return starts


def _records(reader: LogReader, stop: Interrupts, watch: _Watch) -> Iterator[LogRecord]:
    while not stop:
        heard = reader.read(AT_ONCE, POLL_SECONDS)
        watch.look(bool(heard))
        for record in heard:
            yield record
            if stop:
                return


class _Watch:
    """Says once that no broker answers, and once that one does again: silence looks like no events.

    The client itself goes on trying, and reads on where it was.
    """

    def __init__(self, asking: Consumer, settings: Settings, topic: str) -> None:
        self._asking = asking
        self._settings = settings
        self._topic = topic
        self._next = time.monotonic() + PROBE_SECONDS
        self._is_away = False

    def look(self, was_heard: bool) -> None:
        """Ask for something, where nothing has come for a while."""
        now = time.monotonic()
        if was_heard and not self._is_away:
            self._next = now + PROBE_SECONDS
        if now < self._next:
            return
        self._say(self._fault())
        self._next = time.monotonic() + PROBE_SECONDS

    def _fault(self) -> KafkaException | None:
        try:
            self._asking.list_topics(self._topic, PROBE_SECONDS)
        except KafkaException as error:
            return error
        return None

    def _say(self, fault: KafkaException | None) -> None:
        if fault is not None and not self._is_away:
            why = printable(str(translate(fault, self._settings)))
            print(f"usage: {why}; trying until it does", file=sys.stderr, flush=True)
        elif fault is None and self._is_away:
            print("usage: Kafka answers again", file=sys.stderr, flush=True)
        self._is_away = fault is not None


def _record(record: LogRecord, names: Mapping[str, str]) -> SourceRecord:
    return SourceRecord(
        names[record.source.topic],
        record.source.partition,
        record.offset,
        record.timestamp,
        record.headers,
        record.value,
    )


def _show(shown: Iterator[Passing], tail: Tail) -> None:
    to = terminal.console()
    for number, event in enumerate(shown, 1):
        if tail.as_json:
            print(screen.for_programs(event), flush=True)
        else:
            to.print(screen.for_people(event), soft_wrap=True)
        if number == tail.limit:
            return
