"""Sends a stream to Kafka at its pace, until it ends or is told to stop."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TextIO

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Record

from pipeline.errors import BrokerError
from pipeline.kafka.clients import confluent_config
from pipeline.kafka.entry import require
from pipeline.kafka.topics import described
from pipeline.process.interrupts import Interrupts
from pipeline.settings import Settings
from pipeline.simulate.pace import Pace
from pipeline.simulate.stream import ANNOUNCED, KINDS, TOPICS, Message

if TYPE_CHECKING:
    from pipeline.simulate.truth import Truth

FLUSH_SECONDS = 3.0
FIRST_ANSWER_SECONDS = 10.0
_RECORD_BYTES = 100  # of a key, a time and what is around them, at most
_WAIT_SECONDS = 0.05  # at least, once there is nothing to send: far less than a record lingers
_TUNING = {
    "client.id": "usage-simulate",
    "compression.type": "lz4",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # where a producer in Java would put them
    "linger.ms": 250,  # each request costs the broker and us the same, however few it brings
    "batch.size": 262_144,
    "queue.buffering.max.messages": 200_000,
    "log_level": 2,  # a broker that is away would be reported twenty times a second; we say it once
}


class Clock:
    """Simulated time: it runs `speed` times as fast as the wall's, from `start_ms` on."""

    def __init__(self, start_ms: int, speed: float = 1.0) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._began = time.monotonic()

    def seconds_until(self, at_ms: int) -> float:
        """Wall seconds until a simulated instant; negative once it has passed."""
        return (at_ms - self._start_ms) / 1000 / self._speed - (time.monotonic() - self._began)


class Sender:
    """A producer of messages that counts what it sent by topic and kind.

    Args:
        settings: where Kafka is.
        stamped: whether a record's timestamp is the message's time, not that of its sending.
        truth: what is told of each record that Kafka has taken.

    Raises:
        BrokerError: from the constructor, if the broker does not answer or lacks a topic.
    """

    def __init__(
        self, settings: Settings, *, stamped: bool = False, truth: Truth | None = None
    ) -> None:
        require(settings)
        self._stamped = stamped
        self._truth = truth
        self.sent: Counter[tuple[str, str]] = Counter()
        """By topic (without prefix) and kind; what Kafka says that it did not take is not in it."""
        self.failed: Counter[str] = Counter()
        self._names = {topic: settings.topic(topic) for topic in TOPICS}
        self._told_of = {what: partial(self._delivered, what) for what in product(TOPICS, KINDS)}
        self._ready = False
        self._told: set[str] = set()
        config: dict[str, Any] = {
            **confluent_config(settings),
            **_TUNING,
            "error_cb": self._trouble,
            "delivery.report.only.error": truth is None,  # a callback costs as much as sending
        }
        self._producer = Producer(config)
        for name in self._names.values():
            described(self._producer, settings, name, FIRST_ANSWER_SECONDS)
        self._ready = True
        self._pace = Pace(settings, self._names.values())

    def send(self, blocks: Iterable[list[Message]], clock: Clock, stop: Interrupts) -> None:
        """Send each message soon after its time; returns at the end, or soon after `stop`."""
        poll = self._producer.poll
        for block in blocks:
            for message in block:
                if (left := clock.seconds_until(message.at_ms)) > 0:
                    poll(0)
                    if stop.wait(max(_WAIT_SECONDS, left)):
                        return
                self._produce(message, stop)
            poll(0)
            if stop:
                return

    def flush(self) -> None:
        """Wait for what is under way, a few seconds at most; what is left counts as failed."""
        left = self._producer.flush(FLUSH_SECONDS)
        if left:
            self.failed["not acknowledged in time"] += left

    def report(self, seconds: float, out: TextIO) -> None:
        """Say what was sent in how many seconds.

        Raises:
            BrokerError: the broker did not take everything.
        """
        print(_summary(self.sent, seconds), file=out)
        if self.failed:
            why = ", ".join(f"{count:,} × {error}" for error, count in self.failed.most_common(3))
            raise BrokerError(f"Kafka did not take all of them: {why}")

    def _produce(self, message: Message, stop: Interrupts) -> None:
        sent_ms = message.at_ms if self._stamped else time.time_ns() // 1_000_000
        what = message.topic, message.kind
        told = self._told_of[what] if self._truth is None else partial(self._note, message, sent_ms)
        while not stop:
            if self._pace.is_full:
                self._producer.poll(0.05)
                continue
            try:
                self._producer.produce(
                    self._names[message.topic],
                    message.value,
                    message.key,
                    timestamp=sent_ms,
                    on_delivery=told,
                )
            except BufferError:  # the queue is full: the broker is slower than we are
                self._producer.poll(0.1)
            else:
                self.sent[what] += 1
                self._pace.sent(len(message.value) + _RECORD_BYTES)
                return

    def _delivered(self, what: tuple[str, str], error: KafkaError | None, _record: Record) -> None:
        if error is not None:
            self.failed[error.str()] += 1
            self.sent[what] -= 1

    def _note(
        self, message: Message, sent_ms: int, error: KafkaError | None, record: Record
    ) -> None:
        self._delivered((message.topic, message.kind), error, record)
        if error is None and self._truth is not None:
            self._truth.note(message, sent_ms, record)

    def _trouble(self, error: KafkaError) -> None:
        """Say each kind of trouble once; librdkafka goes on trying."""
        if self._ready and error.name() not in self._told:
            self._told.add(error.name())
            print(f"usage: Kafka: {error.str()}; trying again", file=sys.stderr)


def _summary(sent: Counter[tuple[str, str]], seconds: float) -> str:
    """What was sent, by kind and by topic; the rate is that of the stream alone."""
    kinds, topics = Counter[str](), Counter[str]()
    for (topic, kind), count in sent.items():
        kinds[kind] += count
        topics[topic] += count
    rate = (kinds.total() - kinds[ANNOUNCED]) / max(seconds, 0.001)
    by_kind = ", ".join(f"{kinds[kind]:,} {kind}" for kind in KINDS if kinds[kind])
    by_topic = ", ".join(f"{topic} {topics[topic]:,}" for topic in sorted(topics))
    return (
        f"sent {kinds.total():,} events in {seconds:.1f} s: {by_kind} "
        f"({rate:,.0f}/s without announcements)\n{by_topic}"
    )
