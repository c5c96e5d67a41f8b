"""``usage check``: a producer's payloads, line by line, by the code that counts them. Pure.

A file is either lines of JSON, each the value of one record (an event, or a batch of them), or one
JSON document that goes over several lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pipeline.facts import REQUESTS, inconsistent
from pipeline.facts.exact.reasons import UNKNOWN_TYPE, shown
from pipeline.facts.inconsistent import INCONSISTENT
from pipeline.facts.judge import TOPIC_OF, Judge, Rejection, Verdict, parts
from pipeline.facts.rules import Rules
from schemas.request import TOPIC as REQUESTS_TOPIC

DUPLICATE = "duplicate"
COUNTED = (DUPLICATE, INCONSISTENT)
"""What is said of events that are not wrong."""

_ANY = msgspec.json.Decoder()
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY_TOPIC = next(iter(TOPIC_OF.values()))


class Value(NamedTuple):
    """What would be the value of one record, and the line on which it begins, from 1."""

    line: int
    bytes: bytes


class EventFinding(NamedTuple):
    """One event that is wrong, or a repeat."""

    file: str
    line: int
    index: int | None  # type: ignore[assignment]  # hides tuple.index
    """Of a batch's element, from 0."""
    tenant: str
    type: str
    reason: str
    """As in the dead letters; or ``duplicate`` or ``inconsistent``, which are not wrong."""
    message: str

    @property
    def is_wrong(self) -> bool:
        """Whether the event would be rejected."""
        return self.reason not in COUNTED

    def as_json(self) -> dict[str, Any]:
        """The verdict for programs, with its field, found and expected where it has them."""
        return self._asdict() | parts(self.message)


@dataclass(kw_only=True)
class Checker:
    """Checks values as if they arrived at one moment."""

    judge: Judge
    now_ms: int
    topic: str = ""
    """Where they go, without prefix; ``''``: each where its (first) event's type belongs."""
    type: str = ""
    """What they must be; ``''``: anything."""
    remembered: int = Rules().duplicate_window
    """Events of which a repeat is noticed: as many as the window of duplicates has."""
    events: int = 0
    wrong: int = 0
    repeated: int = 0
    inconsistent: int = 0
    _seen: dict[tuple[str, str, str, str], tuple[str, int]] = field(default_factory=dict)

    def check(self, file: str, values: Iterable[Value]) -> Iterator[EventFinding]:
        """Check the values of one file; yields what is wrong, in its order."""
        for value in values:
            topic, is_known = self._topic(value.bytes)
            verdicts = self.judge.verdicts(topic, value.bytes, (), self.now_ms)
            lines = _element_lines(value, len(verdicts))
            for index, verdict in enumerate(verdicts):
                self.events += 1
                where = f"{file}:{lines[index]}"
                reason, message = self._said(verdict, where, topic, is_known)
                if reason:
                    self.wrong += reason not in COUNTED
                    self.repeated += reason == DUPLICATE
                    self.inconsistent += reason == INCONSISTENT
                    at = index if len(lines) > 1 or _is_element(verdict) else None
                    yield EventFinding(
                        file, lines[index], at, verdict.tenant, verdict.type, reason, message
                    )

    def _topic(self, value: bytes) -> tuple[str, bool]:
        """The topic to decide by, and whether somebody or the type said which."""
        if self.topic:
            return self.topic, True
        found = TOPIC_OF.get(self.type or _type_of(value))
        return found or _ANY_TOPIC, found is not None

    def _said(self, verdict: Verdict, where: str, topic: str, is_known: bool) -> tuple[str, str]:
        if isinstance(verdict, Rejection):
            if verdict.reason == UNKNOWN_TYPE and not is_known:
                known = ", ".join(TOPIC_OF)
                return (
                    verdict.reason,
                    f"type: found {shown(verdict.type)}, expected one of {known}.",
                )
            return verdict.reason, verdict.message
        if self.type and verdict.type != self.type:
            return UNKNOWN_TYPE, f"type: found {shown(verdict.type)}, expected {self.type}."
        identity = (topic, verdict.tenant, verdict.source, verdict.id)
        last = self._seen.get(identity)
        if last is not None or len(self._seen) < self.remembered:
            self._seen[identity] = where, verdict.content
        if last is not None:
            other = "" if last[1] == verdict.content else " (a conflict: its data is another)"
            return (
                DUPLICATE,
                f"subject, source and id are those of {last[0]}: it would be dropped{other}.",
            )
        if topic == REQUESTS_TOPIC:
            names = (name for name, _ in REQUESTS.columns)
            for sentence in inconsistent.sentences(dict(zip(names, verdict.row, strict=True))):
                return INCONSISTENT, sentence
        return "", ""


def values(file: Iterable[bytes]) -> Iterator[Value]:
    """The values of a file, given as its lines."""
    lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
    first = next(lines, None)
    if first is None:
        return
    if _is_container(first[1]):
        yield Value(first[0], first[1].rstrip(b"\r\n"))
        for number, line in lines:
            yield Value(number, line.rstrip(b"\r\n"))
        return
    yield from _document_or_lines([first, *lines])


def _document_or_lines(lines: list[tuple[int, bytes]]) -> Iterator[Value]:
    """Lines, if any is JSON by itself; a document that is broken somewhere has none that is.

    Nor does it have an object or an array begin at the margin on every line, as broken lines may.
    """
    document = b"".join(line for _, line in lines)
    are_lines = any(_is_container(line) for _, line in lines) or all(
        line.startswith((b"{", b"[")) for _, line in lines
    )
    if _is_container(document) or not are_lines:
        yield Value(lines[0][0], document)
    else:
        yield from (Value(number, line.rstrip(b"\r\n")) for number, line in lines)


def _is_container(text: bytes) -> bool:
    try:
        return isinstance(_ANY.decode(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _type_of(value: bytes) -> str:
    """The type of the event, or of a batch's first."""
    try:
        event = _ANY.decode(value)
    except (ValueError, RecursionError):
        return ""
    if isinstance(event, list):
        event = event[0] if event else None
    type_ = event.get("type") if isinstance(event, dict) else None
    return type_ if isinstance(type_, str) else ""


def _is_element(verdict: Verdict) -> bool:
    return isinstance(verdict, Rejection) and verdict.index is not None


def _element_lines(value: Value, count: int) -> list[int]:
    """The line on which each of a value's events begins."""
    if b"\n" not in value.bytes or count <= 1:
        return [value.line] * count
    lines, at, line = [], 0, value.line
    for element in _ELEMENTS.decode(value.bytes):
        text = bytes(element).strip()
        begins = value.bytes.index(text, at)
        line += value.bytes.count(b"\n", at, begins)
        lines.append(line)
        at = begins + len(text)  # behind it: the next one may be the same, or a part of it
        line += text.count(b"\n")
    return lines
