"""Sends single records and waits until Kafka has them: for what people do, not for streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException, Producer

from pipeline.errors import BrokerError
from pipeline.kafka.clients import confluent_config
from pipeline.kafka.entry import require
from pipeline.kafka.faults import translate
from pipeline.kafka.topics import described

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from pipeline.settings import Settings

FIRST_ANSWER_SECONDS = 3.0
TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.05


class Place(NamedTuple):
    """Where a record stands in the log."""

    topic: str
    """With the prefix of the settings."""
    partition: int
    offset: int


class Sending:
    """A producer that is opened when it is first needed, and kept. Thread safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._producer: Any = None

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Place:
        """Send a record; returns once all in-sync replicas have it. Waits: call it in a thread.

        Args:
            topic: without the prefix of the settings.
            key: as producers key the topic.
            value: the record's.
            headers: the record's.

        Raises:
            BrokerError: Kafka does not answer, refuses it, or did not take it in time; then it may
                still come.
        """
        name = self._settings.topic(topic)
        producer = self._opened(name)
        told: list[tuple[KafkaError | None, Message]] = []
        try:
            producer.produce(
                name,
                value,
                key,
                headers=list(headers),
                on_delivery=lambda error, record: told.append((error, record)),
            )
        except (KafkaException, BufferError) as error:
            raise self._refused(name, str(error)) from error
        end = time.monotonic() + TIMEOUT_SECONDS + 1
        while not told:
            producer.poll(_POLL_SECONDS)
            if time.monotonic() > end:
                raise self._refused(name, "it was not acknowledged in time")
        [(fault, record)] = told
        if fault is not None:
            raise self._refused(name, fault.str())
        return Place(name, record.partition() or 0, record.offset() or 0)

    def close(self) -> None:
        """Let the connections go."""
        with self._opening:
            if self._producer is not None:
                self._producer.flush(0)
                self._producer = None

    def _opened(self, topic: str) -> Any:
        with self._opening:
            if self._producer is None:
                require(self._settings)
                producer = Producer(
                    {
                        **confluent_config(self._settings),
                        "client.id": f"usage-{self._settings.group}-send",
                        "enable.idempotence": True,
                        "delivery.timeout.ms": int(TIMEOUT_SECONDS * 1000),
                        "message.max.bytes": 2 * 1_048_576,
                        "log_level": 0,
                    }
                )
                try:
                    described(producer, self._settings, topic, FIRST_ANSWER_SECONDS)
                except KafkaException as error:
                    raise translate(error, self._settings) from error
                self._producer = producer
            return self._producer

    def _refused(self, topic: str, why: str) -> BrokerError:
        return BrokerError(f"Kafka at {self._settings.kafka} did not take it for {topic}: {why}")
