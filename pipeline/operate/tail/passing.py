"""What a record that passes holds: its events, and what each comes to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from pipeline.facts.exact import forms
from pipeline.facts.judge import Judge, Rejection, Verdict

_ANY = msgspec.json.Decoder()
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])

Headers = Sequence[tuple[str, bytes | None]]


class SourceRecord(NamedTuple):
    """A record of a source topic, which is named without its prefix."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Epoch milliseconds."""
    headers: Headers
    value: bytes | None


class Passing(NamedTuple):
    """One event of a record that passes, and what it comes to."""

    record: SourceRecord
    index: int | None  # type: ignore[assignment]  # hides tuple.index
    """Of a batch's element."""
    time: int
    """Epoch milliseconds; the record's where the event has none that can be read."""
    tenant: str
    type: str
    outcome: str
    """``valid``, ``rejected`` or ``skipped`` (a null value). A valid one may be a duplicate."""
    reason: str
    message: str
    value: bytes
    """The event's own bytes: of the binary form, its data's."""

    @property
    def data(self) -> Any:
        """What its data is, decoded; None if it cannot be."""
        try:
            decoded = _ANY.decode(self.value.decode())
        except (ValueError, RecursionError):
            return None
        if self.is_binary or not isinstance(decoded, dict):
            return decoded
        return decoded.get("data")

    @property
    def is_binary(self) -> bool:
        """Whether its attributes are the record's headers."""
        listed = list(self.record.headers)
        return forms.form_of(listed, self.record.value or b"") is forms.Form.BINARY


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which events are shown; empty: all."""

    tenants: Collection[str] = ()
    types: Collection[str] = ()
    rejected: bool = False

    def takes(self, event: Passing) -> bool:
        """Whether it is shown."""
        return (
            (not self.tenants or event.tenant in self.tenants)
            and (not self.types or event.type in self.types)
            and (not self.rejected or event.outcome == "rejected")
        )


def events(judge: Judge, record: SourceRecord) -> Iterator[Passing]:
    """The events of a record, in order."""
    if record.value is None:
        yield Passing(record, None, record.timestamp, "", "", "skipped", "", "", b"")
        return
    verdicts = judge.verdicts(
        record.topic,
        record.value,
        record.headers,
        record.timestamp,
        partition=record.partition,
        offset=record.offset,
    )
    elements = _elements(record.value) if _is_batch(record, verdicts) else None
    for number, verdict in enumerate(verdicts):
        index = None if elements is None else number
        value = record.value if elements is None else elements[number]
        yield _passing(record, index, value, verdict)


def _passing(record: SourceRecord, index: int | None, value: bytes, verdict: Verdict) -> Passing:
    if isinstance(verdict, Rejection):
        said = ("rejected", verdict.reason, verdict.message)
        return Passing(record, index, record.timestamp, verdict.tenant, verdict.type, *said, value)
    return Passing(
        record, index, verdict.time, verdict.tenant, verdict.type, "valid", "", "", value
    )


def _is_batch(record: SourceRecord, verdicts: Sequence[Verdict]) -> bool:
    """Whether the verdicts are those of a batch's elements."""
    form = forms.form_of(list(record.headers), record.value or b"")
    if form is not forms.Form.BATCH:
        return False
    first = verdicts[0] if verdicts else None
    return not isinstance(first, Rejection) or first.index is not None


def _elements(value: bytes) -> list[bytes]:
    return [bytes(element) for element in _ELEMENTS.decode(value)]
