"""Rejected records on their way to the dead-letter topic, keyed by origin: a repeat overwrites.

With its own ``dl_`` headers a dead letter keeps the record's: the binary form has its attributes
there, so that nothing of what was sent is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.protocol.chunks import Source

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from pipeline.facts import Rejection

Header = tuple[str, bytes]

MAX_BYTES = 4 * 1_048_576
"""Of a record of the dead-letter topic."""

CUT = "dl_value_bytes"
"""How many bytes the value had, where it was too large for the topic and only its start is kept.

Kafka bounds what it was sent compressed, so a source topic can hold a record that is far larger.
"""

OWN = frozenset(
    f"dl_{name}"
    for name in (
        *("reason", "message", "topic", "partition", "offset", "index"),
        *("timestamp", "tenant", "type", "value_bytes"),
    )
)
"""The headers that say what was rejected and why."""

_ROOM = MAX_BYTES - 65_536
"""For headers and value, beside the key and what Kafka adds."""
_HEADER_BYTES = 1_048_576
"""Of a header that is longer than this, only the start is kept."""


class DeadLetters:
    """Sends rejections and waits until Kafka has them."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def send(self, source: Source, rejections: Sequence[Rejection]) -> None:
        """Return when all of them are acknowledged by all replicas."""
        sent = []
        for rejection in rejections:
            value, all_headers = fitted(rejection.value, headers(source, rejection))
            key = origin(source, rejection).encode()
            sent.append(
                await self._producer.send(self._topic, value=value, key=key, headers=all_headers)
            )
        await asyncio.gather(*sent)


def origin(source: Source, rejection: Rejection) -> str:
    """Return ``topic:partition:offset``, and ``:index`` of a batch's element."""
    key = f"{source.topic}:{source.partition}:{rejection.offset}"
    return key if rejection.index is None else f"{key}:{rejection.index}"


def headers(source: Source, rejection: Rejection) -> list[Header]:
    """Return the record's own headers, then those of ``events.md``, "Rejected".

    Each of the latter is a UTF-8 text under a ``dl_`` name; of repeated names the last holds.
    """
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
    return [header for header in rejection.headers if header[0] not in OWN] + [
        (f"dl_{name}", text.encode("utf-8", "replace"))
        for name, text in texts.items()
        if text or name not in optional
    ]


def fitted(value: bytes, all_headers: list[Header]) -> tuple[bytes, list[Header]]:
    """Return value and headers cut to what the topic takes; nearly always as they are."""
    taken = sum(len(name) + len(text or b"") + 16 for name, text in all_headers)
    if taken + len(value) <= _ROOM:
        return value, all_headers
    if taken > _ROOM // 2:  # never of a record that somebody meant: keep what says why
        all_headers = [(name, text[:_HEADER_BYTES]) for name, text in all_headers if name in OWN]
        taken = sum(len(name) + len(text) + 16 for name, text in all_headers)
    size = (CUT, str(len(value)).encode())
    return value[: max(0, _ROOM - taken - 64)], [*all_headers, size]
