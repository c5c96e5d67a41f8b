"""Reads topics as they grow, without a group and without committing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import UsageError
from pipeline.facts.judge import Judge
from pipeline.facts.rules import rules_of
from pipeline.facts.types import TYPES
from pipeline.kafka.faults import translate
from pipeline.kafka.group import bounds_of, log_consumer, partitions
from pipeline.operate.tail import screen
from pipeline.operate.tail.passing import Filter, Passing, SourceRecord, events
from pipeline.process import terminal
from pipeline.process.interrupts import Interrupts
from pipeline.process.printable import printable

if TYPE_CHECKING:
    from confluent_kafka import Message

    from pipeline.settings import Settings

AT_ONCE = 200
POLL_SECONDS = 0.1
PROBE_SECONDS = 1.0


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
    watch = _Watch(settings, next(iter(names)))
    consumer = log_consumer(settings, error_cb=watch.suspect)
    try:
        consumer.assign(_starts(consumer, settings, list(names), tail.from_beginning))
        if not tail.as_json:
            print(f"following {', '.join(names)}; Ctrl-C ends it", file=sys.stderr, flush=True)
        judge = Judge(rules_of(settings))
        passing = (
            event
            for message in _messages(consumer, stop, watch)
            for event in events(judge, _record(message, names))
        )
        _show((event for event in passing if tail.filter.takes(event)), tail)
    except KafkaException as error:
        raise translate(error, settings) from error
    except BrokenPipeError:  # who read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        consumer.close()


def _topic_names(settings: Settings, asked: Sequence[str]) -> Sequence[str]:
    names = [settings.topic_name(topic) for topic in asked]
    for name in names:
        if name not in TYPES:
            raise UsageError(f"{name} carries no events; allowed: {', '.join(TYPES)}")
    return names or tuple(TYPES)


def _starts(
    consumer: Consumer, settings: Settings, names: Sequence[str], from_beginning: bool
) -> list[TopicPartition]:
    """Where to begin: asked for now, so that nothing that comes later is missed."""
    starts = []
    for name in names:
        for source in partitions(consumer, settings, name):
            bounds = bounds_of(consumer, settings, source)
            at = bounds.first if from_beginning else bounds.last
            starts.append(TopicPartition(*source, at))
    return starts


def _messages(consumer: Consumer, stop: Interrupts, watch: _Watch) -> Iterator[Message]:
    while not stop:
        heard = consumer.consume(AT_ONCE, POLL_SECONDS)
        if not heard:
            watch.look(consumer)
        for message in heard:
            error = message.error()
            if error is None:
                yield message
            elif not error.retriable():
                raise KafkaException(error)
            if stop:
                return


class _Watch:
    """Says once that no broker answers, and once that one does again: silence looks like no events.

    The client itself goes on trying, and reads on where it was.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._is_suspected = False
        self._is_away = False

    def suspect(self, _error: KafkaError) -> None:
        """Look soon whether a broker answers: the client had trouble with one, maybe of many."""
        self._is_suspected = True

    def look(self, consumer: Consumer) -> None:
        """Ask for something, if there is a suspicion."""
        if not self._is_suspected:
            return
        try:
            consumer.list_topics(self._topic, PROBE_SECONDS)
        except KafkaException as error:
            if not self._is_away:
                why = translate(error, self._settings)
                print(
                    f"usage: {printable(str(why))}; trying until it does",
                    file=sys.stderr,
                    flush=True,
                )
            self._is_away = True
        else:
            if self._is_away:
                print("usage: Kafka answers again", file=sys.stderr, flush=True)
            self._is_suspected = self._is_away = False


def _record(message: Message, names: dict[str, str]) -> SourceRecord:
    return SourceRecord(
        names[str(message.topic())],
        int(message.partition() or 0),
        int(message.offset() or 0),
        message.timestamp()[1],
        message.headers() or (),  # type: ignore[arg-type]  # pairs, whatever its stub says
        message.value(),
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
