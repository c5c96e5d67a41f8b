"""Dead letters as lines of JSON: what ``export`` writes, and ``retry --file`` reads, corrected.

A line has the value as text, byte for byte, or ``value_base64`` where it is not UTF-8. In a
corrected line ``value`` may also be the event itself, as JSON; other fields than ``origin``, the
value and ``headers`` are for people and programs to choose by, and are not read again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import UsageError
from pipeline.kafka.dead_letters.letter import DeadLetter, Headers
from pipeline.process.printable import printable_json
from pipeline.process.times import moment


class Correction(NamedTuple):
    """What is to be sent in place of what was rejected."""

    value: bytes
    headers: Headers | None
    """None: as they were."""


class _Line(msgspec.Struct):
    origin: str
    value: msgspec.Raw = msgspec.Raw()
    value_base64: str | None = None
    headers: list[dict[str, str | None]] | None = None


_LINE = msgspec.json.Decoder(_Line)
_TEXT = msgspec.json.Decoder(str)


def summary(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter without its value and headers, as `list --json` has it."""
    retried = letter.retried
    return {
        "origin": letter.origin,
        "topic": letter.source.topic,
        "partition": letter.source.partition,
        "offset": letter.offset,
        "index": letter.index,
        "time": moment(letter.timestamp),
        "timestamp": letter.timestamp,
        "tenant": letter.tenant,
        "type": letter.type,
        "reason": letter.reason,
        "message": letter.message,
        "size_bytes": letter.size,
        "retried_at": moment(retried.at) if retried else None,
        "retried_offset": retried.offset if retried else None,
    }


def document(letter: DeadLetter) -> dict[str, Any]:
    """Everything that is kept of a dead letter."""
    headers = [{"name": name, **_either("value", text)} for name, text in letter.headers]
    return summary(letter) | {"headers": headers} | _either("value", letter.value)


def line(letter: DeadLetter) -> str:
    """Everything that is kept of a dead letter, in one line."""
    return printable_json(msgspec.json.encode(document(letter)).decode())


def corrections(lines: Iterable[bytes], name: str) -> dict[str, Correction]:
    """Read corrected lines, by origin.

    Raises:
        UsageError: a line cannot be used; it is named.
    """
    found: dict[str, Correction] = {}
    for number, text in _numbered(lines):
        try:
            origin, correction = _correction(text)
        except (ValueError, binascii.Error) as error:
            raise UsageError(f"{name}, line {number}: {error}") from None
        if origin in found:
            raise UsageError(f"{name}, line {number}: {origin} was there before")
        found[origin] = correction
    return found


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, text) for number, text in enumerate(lines, 1) if text.strip())


def _correction(text: bytes) -> tuple[str, Correction]:
    read = _LINE.decode(text)
    raw = bytes(read.value)
    if raw and read.value_base64 is not None:
        raise ValueError("it has `value` and `value_base64`; leave one of them out")
    if read.value_base64 is not None:
        value = base64.b64decode(read.value_base64, validate=True)
    elif not raw:
        raise ValueError("it has neither `value` nor `value_base64`")
    else:
        value = _TEXT.decode(raw).encode() if raw.startswith(b'"') else raw
    headers = None if read.headers is None else [_header(one) for one in read.headers]
    return read.origin, Correction(value, headers)


def _header(one: dict[str, str | None]) -> tuple[str, bytes | None]:
    name, text, coded = one.get("name"), one.get("value"), one.get("value_base64")
    if name is None:
        raise ValueError("a header has no `name`")
    if coded is not None:
        return name, base64.b64decode(coded, validate=True)
    return name, None if text is None else text.encode()


def _either(name: str, content: bytes | None) -> dict[str, str | None]:
    """As text, or as base64 where it is not UTF-8."""
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}
