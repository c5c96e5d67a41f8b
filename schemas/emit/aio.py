"""The emitter over aiokafka: for programs that run in asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
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


class AsyncEmitter:
    """Emits events; see the package for what is guaranteed. For one event loop.

    Args:
        servers: ``host:port``, several with commas between.
        source: who emits, a URI reference such as ``/gateway/eu-1``: the events' ``source``.
        topic_prefix: what the installation puts before every topic's name.
        on_failure: told of each event that did not reach Kafka; without it they are raised by
            ``flush``.
        config: keyword arguments of ``AIOKafkaProducer``, as for TLS and SASL; it has the last
            word.
    """

    def __init__(
        self,
        servers: str,
        source: str,
        *,
        topic_prefix: str = "",
        on_failure: OnFailure | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._outbox = Outbox(source, topic_prefix, on_failure)
        self._config = {
            "bootstrap_servers": servers,
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": COMPRESSION,
            "linger_ms": LINGER_MS,
            "max_request_size": MAX_REQUEST_BYTES,
            **(config or {}),
        }
        self._producer: Any = None
        self._under_way: set[asyncio.Future[Any]] = set()

    async def start(self) -> None:
        """Connect. Raises aiokafka's errors if Kafka cannot be reached."""
        try:
            from aiokafka import AIOKafkaProducer
        except ModuleNotFoundError as error:
            raise needs("aiokafka", "aiokafka") from error
        producer = AIOKafkaProducer(**self._config)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def emit(
        self,
        data: Any,
        *,
        tenant: str,
        id: str | None = None,  # noqa: A002 -- CloudEvents' own name for it
        time: datetime | str | None = None,
    ) -> str:
        """Hand an event to the client, which sends it soon; the event's id.

        It waits while the client's buffer is full.

        Args:
            data: a ``Request``, ``RecipeAction``, ``ProductEvent`` or ``Entity``.
            tenant: whose it is; ``*`` of a model or an app.
            id: random if it is not given; give it where the event may be emitted again.
            time: when it happened; now if it is not given.

        Raises:
            InvalidEvent: the pipeline would refuse it. It is not sent.
            EmitError: the client cannot take it. It is not sent.
        """
        if self._producer is None:
            raise EmitError("the emitter is not started: use `async with`, or await start()")
        record = self._outbox.record(data, tenant, id, time)
        try:
            sent = await self._producer.send(
                record.topic, record.value, record.key, headers=HEADERS
            )
        except Exception as error:
            raise EmitError(f"Kafka's client cannot take an event: {error!r}") from error
        self._under_way.add(sent)
        sent.add_done_callback(partial(self._delivered, record))
        return record.id

    def _delivered(self, record: Outgoing, sent: asyncio.Future[Any]) -> None:
        self._under_way.discard(sent)
        if sent.cancelled():
            self._outbox.failed(record, "cancelled")
        elif error := sent.exception():
            self._outbox.failed(record, repr(error))

    async def flush(self) -> None:
        """Wait until Kafka has every event, or the client has given it up.

        Raises:
            EmitError: some did not reach it.
        """
        if self._producer is not None:
            await self._producer.flush()
        if self._under_way:
            await asyncio.wait(set(self._under_way))
        self._outbox.raise_failures()

    async def close(self) -> None:
        """Flush and disconnect. Raises EmitError as ``flush`` does."""
        try:
            await self.flush()
        finally:
            if self._producer is not None:
                await self._producer.stop()
                self._producer = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except EmitError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # the error that ended the block comes first
