"""Sending dead letters again: event and mark in one Kafka transaction, so both or neither.

1. The producer starts under the topic's transactional id. That ends whatever another retry has
   under way, and lets it send no more: there is one at a time.
2. Only then the dead letters are read, so that every mark of those before is seen.
3. In a transaction: the events, to the partitions of their origins; then, once it is known at which
   offsets they are, the marks.

Workers read what is committed. A retry that dies leaves a transaction open, behind which they do
not see; Kafka aborts it after ``OPEN_SECONDS``, the next retry at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.errors import BrokerError
from pipeline.kafka.clients import confluent_config
from pipeline.kafka.dead_letters.letter import MARK_VALUE, Headers, mark_record
from pipeline.kafka.entry import require
from pipeline.kafka.faults import translate
from pipeline.kafka.topics import DEAD_LETTER
from pipeline.protocol.chunks import Source
from pipeline.protocol.hooks import Hook, no_hook
from pipeline.protocol.rejected import MAX_BYTES

if TYPE_CHECKING:
    from confluent_kafka import Message

    from pipeline.operate.dead_letters.plan import RetryPlan
    from pipeline.settings import Settings

T = TypeVar("T")

OPEN_SECONDS = 20
TIMEOUT_SECONDS = 15.0
TRIES = 5
AT_ONCE = 500
BYTES_AT_ONCE = 8 * 1_048_576

Sent = list[tuple["RetryPlan", int]]
"""Each with the offset that its record got."""


class Resender:
    """The one producer that sends dead letters again.

    Raises:
        BrokerError: from every method, if Kafka could not be reached or refused; what was not
            committed then was not sent.
    """

    def __init__(self, settings: Settings, hook: Hook = no_hook) -> None:
        require(settings)
        topic = settings.topic(DEAD_LETTER.name)
        self._hook = hook
        self._producer = Producer(
            {
                **confluent_config(settings),
                "client.id": "usage-dead-letter-retry",
                "transactional.id": f"{topic}.retry",
                "transaction.timeout.ms": OPEN_SECONDS * 1000,
                "message.max.bytes": MAX_BYTES,
                "compression.type": "lz4",
                "log_level": 0,
            }
        )
        try:
            self._producer.list_topics(topic, TIMEOUT_SECONDS)
        except KafkaException as error:
            raise translate(error, settings) from error
        self._kafka(lambda: self._producer.init_transactions(TIMEOUT_SECONDS), "begin")

    def send(self, plans: Sequence[RetryPlan]) -> Iterator[Sent]:
        """Send all of them, some in each transaction; yields what was committed."""
        for some in _portions(plans):
            yield self._transaction(some)

    def _transaction(self, plans: Sequence[RetryPlan]) -> Sent:
        self._kafka(self._producer.begin_transaction, "begin")
        try:
            offsets = self._produce([_event(plan) for plan in plans])
            self._hook("after", "retry_send")
            now = time.time_ns() // 1_000_000
            self._produce([_mark(p, now, o) for p, o in zip(plans, offsets, strict=True)])
            self._hook("after", "retry_mark")
            self._kafka(lambda: self._producer.commit_transaction(TIMEOUT_SECONDS), "commit")
        except (BrokerError, KeyboardInterrupt):
            self._abort()
            raise
        self._hook("after", "retry_commit")
        return list(zip(plans, offsets, strict=True))

    def _produce(self, records: Sequence[_Outgoing]) -> list[int]:
        """Send records and wait; return their offsets."""
        delivery = _Delivery()
        for number, one in enumerate(records):
            self._kafka(partial(self._produce_one, one, delivery.noting(number)), "send")
        left = self._kafka(lambda: self._producer.flush(TIMEOUT_SECONDS), "take them", tries=1)
        if delivery.errors or left:
            errors = [error.str() for error in delivery.errors]
            why = errors[0] if errors else f"{left} records were not acknowledged in time"
            raise BrokerError(f"Kafka did not take them, nothing of this portion was sent: {why}")
        return [delivery.offsets[number] for number in range(len(records))]

    def _produce_one(self, one: _Outgoing, note: _Note) -> None:
        self._producer.produce(
            one.to.topic,
            one.value,
            one.key or None,
            partition=one.to.partition,
            headers=list(one.headers),
            on_delivery=note,
        )

    def _kafka(self, call: Callable[[], T], what: str, tries: int = TRIES) -> T:
        """Call Kafka, again where it says that this may help."""
        for left in range(tries - 1, -1, -1):
            try:
                return call()
            except (KafkaException, SystemError) as error:
                told = self._fatal(error) if isinstance(error, SystemError) else error
                reason: KafkaError = told.args[0]
                if not (reason.retriable() and left):
                    raise BrokerError(_words(reason, what)) from error
        raise AssertionError

    def _fatal(self, error: SystemError) -> KafkaException:
        """Why the producer is broken for good.

        confluent-kafka raises that amid its callbacks: out comes a SystemError of the
        interpreter's, with the reason or without. The transaction's next call tells it again.
        """
        try:
            self._producer.abort_transaction(TIMEOUT_SECONDS)
        except KafkaException as told:
            return told
        raise error

    def _abort(self) -> None:
        # Fenced, or away: Kafka aborts it by itself.
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.abort_transaction(TIMEOUT_SECONDS)


class _Outgoing(NamedTuple):
    """A record to send; an empty key is none."""

    to: Source
    key: bytes
    value: bytes
    headers: Headers


_Note = Callable[["KafkaError | None", "Message"], None]


class _Delivery:
    """What became of records, by their number."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] = {}
        self.errors: list[KafkaError] = []

    def noting(self, number: int) -> _Note:
        def note(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.errors.append(error)
            else:
                self.offsets[number] = int(message.offset() or 0)

        return note


def _event(plan: RetryPlan) -> _Outgoing:
    return _Outgoing(plan.letter.source, plan.tenant.encode(), plan.value, plan.headers)


def _mark(plan: RetryPlan, now: int, offset: int) -> _Outgoing:
    key, headers = mark_record(plan.letter, now, offset)
    return _Outgoing(plan.letter.at, key.encode(), MARK_VALUE, headers)


def _portions(plans: Sequence[RetryPlan]) -> Iterator[list[RetryPlan]]:
    portion: list[RetryPlan] = []
    size = 0
    for plan in plans:
        if portion and (len(portion) == AT_ONCE or size + len(plan.value) > BYTES_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(plan)
        size += len(plan.value)
    if portion:
        yield portion


def _words(reason: KafkaError, what: str) -> str:
    if reason.code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH}:  # noqa: SLF001
        return "another `usage dead-letter retry` has begun; see with `list` what was sent"
    return f"Kafka did not {what}: {reason.str()}"
