"""A dead letter, read from its record: what was rejected, why, and whether it was sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.protocol.chunks import Source
from pipeline.protocol.rejected import CUT, OWN

Headers = Sequence[tuple[str, bytes | None]]

MARK_SUFFIX = ":retried"
"""After an origin it makes the key of the mark that says that the dead letter was sent again.

A key of its own, not a new version of the dead letter: a chunk that is replayed writes its dead
letters again, which would undo the mark.
"""
MARK_VALUE = b"retried"
"""Not null: that would be a tombstone."""

RETRY_OF = "dl_retry_of"
"""Header of an event that was sent again: the origin of its dead letter."""

RETRIED_AT, RETRIED_OFFSET = "dl_retried_at", "dl_retried_offset"


class Mark(NamedTuple):
    """That a dead letter was sent again: when (epoch ms), and at which offset of its partition."""

    at: int
    offset: int
    timestamp: int
    """Of the rejected record: a topic that was made anew has the same origins again."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected event, as its record in the dead-letter topic has it."""

    origin: str
    """``topic:partition:offset``, and ``:index`` of a batch's element."""
    source: Source
    offset: int
    index: int | None
    timestamp: int
    """Of the rejected record, in epoch milliseconds."""
    tenant: str
    """``''`` where it could not be read; so for ``type``."""
    type: str
    reason: str
    message: str
    value: bytes
    headers: Headers
    """The record's own, without those that say why it was rejected."""
    size: int
    """Of the value as it was sent; larger than what is kept if it was cut."""
    at: Source
    """The partition of the dead-letter topic that it is in."""
    retried: Mark | None = None

    @property
    def is_cut(self) -> bool:
        """Whether only the start of the value is kept."""
        return self.size > len(self.value)

    def marked(self, mark: Mark | None) -> DeadLetter:
        """The letter with its mark, unless that is another incarnation's."""
        if mark is None or mark.timestamp != self.timestamp:
            return self
        return replace(self, retried=mark)

    def without_value(self) -> DeadLetter:
        """The dead letter without its value, which a list does not need."""
        return replace(self, value=b"")


def parse(key: str, headers: Headers, value: bytes, at: Source) -> DeadLetter | None:
    """Read a record of the dead-letter topic; None if it is no dead letter."""
    texts = _texts(headers)
    try:
        source = Source(texts["dl_topic"], int(texts["dl_partition"]))
        return DeadLetter(
            origin=key,
            source=source,
            offset=int(texts["dl_offset"]),
            index=int(texts["dl_index"]) if "dl_index" in texts else None,
            timestamp=int(texts["dl_timestamp"]),
            tenant=texts.get("dl_tenant", ""),
            type=texts.get("dl_type", ""),
            reason=texts["dl_reason"],
            message=texts["dl_message"],
            value=value,
            headers=tuple(header for header in headers if header[0] not in OWN),
            size=int(texts.get(CUT, len(value))),
            at=at,
        )
    except (KeyError, ValueError):
        return None


def parse_mark(headers: Headers) -> Mark | None:
    """Read a mark; None if it is none."""
    texts = _texts(headers)
    try:
        return Mark(int(texts[RETRIED_AT]), int(texts[RETRIED_OFFSET]), int(texts["dl_timestamp"]))
    except (KeyError, ValueError):
        return None


def mark_record(letter: DeadLetter, at: int, offset: int) -> tuple[str, list[tuple[str, bytes]]]:
    """Key and headers of the mark of a dead letter that was sent again."""
    texts = {
        RETRIED_AT: at,
        RETRIED_OFFSET: offset,
        "dl_topic": letter.source.topic,
        "dl_partition": letter.source.partition,
        "dl_timestamp": letter.timestamp,
    }
    return letter.origin + MARK_SUFFIX, [(name, str(text).encode()) for name, text in texts.items()]


def _texts(headers: Headers) -> dict[str, str]:
    return {
        name: (text or b"").decode("utf-8", "replace")
        for name, text in headers
        if name.startswith("dl_")
    }
