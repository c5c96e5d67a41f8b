"""Rejected records on their way to the dead-letter topic, keyed by origin: a repeat overwrites."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.chunks import Source

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from pipeline.facts import Rejection

Header = tuple[str, bytes]


class DeadLetters:
    """Sends rejections and waits until Kafka has them."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def send(self, source: Source, rejections: Sequence[Rejection]) -> None:
        """Return when all of them are acknowledged by all replicas."""
        sent = [
            await self._producer.send(
                self._topic,
                value=rejection.value,
                key=origin(source, rejection).encode(),
                headers=headers(source, rejection),
            )
            for rejection in rejections
        ]
        await asyncio.gather(*sent)


def origin(source: Source, rejection: Rejection) -> str:
    """Return ``topic:partition:offset``, and ``:index`` of a batch's element."""
    key = f"{source.topic}:{source.partition}:{rejection.offset}"
    return key if rejection.index is None else f"{key}:{rejection.index}"


def headers(source: Source, rejection: Rejection) -> list[Header]:
    """Return the headers of ``events.md``, "Rejected": each a UTF-8 text under a ``dl_`` name."""
    texts = {
        "reason": rejection.reason,
        "message": rejection.message,
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(rejection.offset),
        "index": "" if rejection.index is None else str(rejection.index),
        "timestamp": str(rejection.timestamp),
        "tenant": rejection.tenant,
        "type": rejection.type,
    }
    optional = ("index", "tenant", "type")
    return [
        (f"dl_{name}", text.encode("utf-8", "replace"))
        for name, text in texts.items()
        if text or name not in optional
    ]
