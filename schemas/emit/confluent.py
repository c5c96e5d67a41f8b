"""The emitter over confluent-kafka (librdkafka): for threads, and for most programs."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from schemas.emit.base import (
    COMPRESSION,
    HEADERS,
    LINGER_MS,
    MAX_REQUEST_BYTES,
    EmitError,
    OnFailure,
    Outbox,
    Outgoing,
    needs,
)

_ROOM_SECONDS = 0.1


class Emitter:
    """Emits events; see the package for what is guaranteed. Safe to use from several threads.

    Args:
        servers: ``host:port``, several with commas between.
        source: who emits, a URI reference such as ``/gateway/eu-1``: the events' ``source``.
        topic_prefix: what the installation puts before every topic's name.
        on_failure: told of each event that did not reach Kafka, from within ``emit`` and
            ``flush``; without it they are raised by ``flush``.
        config: of confluent-kafka, as for TLS and SASL; it has the last word.
        block_seconds: how long ``emit`` waits for room in a full buffer.
    """

    def __init__(
        self,
        servers: str,
        source: str,
        *,
        topic_prefix: str = "",
        on_failure: OnFailure | None = None,
        config: Mapping[str, Any] | None = None,
        block_seconds: float = 60.0,
    ) -> None:
        try:
            from confluent_kafka import KafkaException, Producer
        except ModuleNotFoundError as error:
            raise needs("confluent_kafka", "confluent") from error
        self._refusals = (KafkaException,)
        self._outbox = Outbox(source, topic_prefix, on_failure)
        self._block_seconds = block_seconds
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": COMPRESSION,
                "linger.ms": LINGER_MS,
                "message.max.bytes": MAX_REQUEST_BYTES,
                "partitioner": "murmur2_random",  # that of Java's clients and aiokafka
                **(config or {}),
            }
        )

    def emit(
        self,
        data: Any,
        *,
        tenant: str,
        id: str | None = None,  # noqa: A002 -- CloudEvents' own name for it
        time: datetime | str | None = None,
    ) -> str:
        """Hand an event to the client, which sends it soon; the event's id.

        Args:
            data: a ``Request``, ``RecipeAction``, ``ProductEvent`` or ``Entity``.
            tenant: whose it is; ``*`` of a model or an app.
            id: random if it is not given; give it where the event may be emitted again.
            time: when it happened; now if it is not given.

        Raises:
            InvalidEvent: the pipeline would refuse it. It is not sent.
            EmitError: the client's buffer stayed full, or it cannot go on. It is not sent.
        """
        record = self._outbox.record(data, tenant, id, time)
        deadline = clock.monotonic() + self._block_seconds
        while not self._has_taken(record):
            if clock.monotonic() > deadline:
                raise EmitError(f"no room for an event within {self._block_seconds:g} s")
            self._producer.poll(_ROOM_SECONDS)
        self._producer.poll(0)
        return record.id

    def _has_taken(self, record: Outgoing) -> bool:
        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                self._outbox.failed(record, str(error))

        try:
            self._producer.produce(
                record.topic, record.value, record.key, headers=HEADERS, on_delivery=delivered
            )
        except BufferError:
            return False
        except self._refusals as error:
            raise EmitError(f"Kafka's client cannot go on: {error}") from error
        return True

    def flush(self, timeout: float = 150.0) -> None:
        """Wait until Kafka has every event, for up to ``timeout`` seconds.

        The client itself gives an event up after ``delivery.timeout.ms``, two minutes.

        Raises:
            EmitError: some did not reach it.
        """
        left = self._producer.flush(timeout)
        self._outbox.raise_failures()
        if left:
            raise EmitError(f"{left} events are still under way after {timeout:g} s")

    close = flush

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            self.flush()
        except EmitError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # the error that ended the block comes first
