"""What both emitters share: an event as a record, and what becomes of those that fail."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

from schemas import encoding
from schemas.envelope import STRUCTURED

HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", STRUCTURED.encode())]
LINGER_MS = 50
COMPRESSION = "lz4"
MAX_REQUEST_BYTES = 2 * 1024 * 1024

_KEPT = 10_000
"""Failures that wait to be raised; of further ones only the number is known."""


class Outgoing(NamedTuple):
    """An event as a record of Kafka."""

    id: str
    topic: str
    key: bytes
    value: bytes


class Failure(NamedTuple):
    """An event that did not reach Kafka, or may not have: emit it again under its id."""

    id: str
    topic: str
    tenant: str
    value: bytes
    reason: str


OnFailure = Callable[[Failure], None]


class EmitError(Exception):
    """Events did not reach Kafka. ``failed`` has them, up to 10,000 of them."""

    def __init__(self, message: str, failed: list[Failure] | None = None) -> None:
        super().__init__(message)
        self.failed = failed or []


class Outbox:
    """Makes records, and keeps the failures until somebody is told. Safe to use from threads."""

    def __init__(self, source: str, topic_prefix: str, on_failure: OnFailure | None) -> None:
        self._source = source
        self._prefix = topic_prefix
        self._on_failure = on_failure
        self._failed: list[Failure] = []
        self._failures = 0
        self._lock = Lock()

    def record(
        self,
        data: Any,
        tenant: str,
        id: str | None,  # noqa: A002 -- CloudEvents' own name for it
        time: datetime | str | None,
    ) -> Outgoing:
        """The record of an event. Raises InvalidEvent."""
        event = encoding.event(data, tenant=tenant, source=self._source, id=id, time=time)
        value = encoding.encode(event)  # first: it refuses what has no UTF-8
        topic = self._prefix + encoding.kind_of(data).topic
        return Outgoing(event.id, topic, tenant.encode(), value)

    def failed(self, record: Outgoing, reason: str) -> None:
        """Tell, or keep, that a record was not delivered."""
        failure = Failure(record.id, record.topic, record.key.decode(), record.value, reason)
        if self._on_failure is not None:
            self._on_failure(failure)
            return
        with self._lock:
            self._failures += 1
            if len(self._failed) < _KEPT:
                self._failed.append(failure)

    def raise_failures(self) -> None:
        """Raise EmitError for what failed since the last time."""
        with self._lock:
            failed, self._failed = self._failed, []
            failures, self._failures = self._failures, 0
        if failures:
            first = failed[0]
            raise EmitError(
                f"{failures} events did not reach Kafka; the first, {first.id!r} for "
                f"{first.topic}: {first.reason}",
                failed,
            )


def needs(library: str, extra: str) -> ModuleNotFoundError:
    """The error of an emitter whose client is not installed."""
    return ModuleNotFoundError(
        f"this emitter needs {library}: pip install 'usage-pipeline[{extra}]'", name=library
    )
