"""What was sent, a line of JSON for each record that Kafka has taken: for recounts.

``topic``, ``partition``, ``offset`` and ``timestamp`` (of the record, epoch ms); ``kind``
(``announced``, ``new``, ``late``, ``duplicate`` or ``malformed``); ``duplicate``; and either the
``event``, byte for byte, or the ``reason`` for which it must be rejected and ``value_base64``.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from confluent_kafka import Message as Record

    from pipeline.simulate.stream import Message

IN_PROCESS_MS = 1234
"""What the in-process broker answers for every record; it keeps the one that it was sent."""


class Truth:
    """Writes the file, if there is to be one; a context. Raises UsageError if it cannot."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise UsageError(f"{self._path} cannot be written: {error.strerror}") from None
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def note(self, message: Message, sent_ms: int, record: Record) -> None:
        """Write down a record that Kafka has taken; ``sent_ms`` is the timestamp it was given."""
        if self._file is not None:
            self._file.write(line(message, sent_ms, record))


def line(message: Message, sent_ms: int, record: Record) -> str:
    """The line of one record."""
    kind, appended_ms = record.timestamp()
    if kind == TIMESTAMP_LOG_APPEND_TIME and appended_ms != IN_PROCESS_MS:
        sent_ms = appended_ms
    content: dict[str, Any] = {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": sent_ms,
        "kind": message.kind,
        "duplicate": message.kind == "duplicate",
    }
    if message.reason:
        content["reason"] = message.reason
        content["value_base64"] = base64.b64encode(message.value).decode()
        return json.dumps(content) + "\n"
    return f'{json.dumps(content)[:-1]}, "event": {message.value.decode()}}}\n'
