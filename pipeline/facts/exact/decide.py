"""One record at a time, by the contract's letter: what each of its events comes to.

This is the reference. The fast path of common records must give exactly what this gives.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from pipeline.facts.contents import content, content_of
from pipeline.facts.event_type import EventType
from pipeline.facts.exact import envelope, forms, json_values, times
from pipeline.facts.exact.envelope import Envelope
from pipeline.facts.exact.json_values import NotJSON
from pipeline.facts.exact.origin import Origin
from pipeline.facts.exact.reasons import (
    INTERNAL,
    INVALID_ENVELOPE,
    MALFORMED,
    MISSING,
    TOO_EARLY,
    TOO_LATE,
    UNKNOWN_TYPE,
    Refused,
    sentence,
)
from pipeline.facts.interface import Record, Rejection
from pipeline.facts.rules import Rules

T = TypeVar("T")

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class Counted(NamedTuple):
    """An event that counts."""

    tenant: str
    type: str
    time: int
    """Epoch milliseconds."""
    row: tuple[Any, ...]
    """A value for each column of the head."""
    source: str
    id: str
    content: int
    """The hash of its data's bytes (`contents.content`)."""


Verdict = Counted | Rejection


class Decider:
    """Decides about the records of one partition of a type's topic."""

    def __init__(self, known: EventType, rules: Rules, partition: int) -> None:
        self._known = known
        self._partition = partition
        self._rules = rules

    def decide(self, record: Record, value: bytes) -> list[Verdict]:
        """What each event of a record comes to, in order. Never raises but for want of memory.

        ``value`` is the record's, which is not null.
        """
        try:
            return _twice(lambda: list(self._events(record, value)))
        except Refused as refused:
            return [_rejection(record, None, value, refused)]

    def _events(self, record: Record, value: bytes) -> Iterator[Verdict]:
        form = forms.form_of(record.headers, value)
        decoded = self._json(value, form)
        if form is forms.Form.BATCH:
            yield from self._elements(record, value, decoded)
        elif form is forms.Form.BINARY:
            attributes = forms.attributes_of(record.headers)
            yield self._event(record, None, value, attributes, decoded, whole=True)
        else:
            yield self._structured(record, None, value, decoded)

    def _json(self, value: bytes, form: forms.Form) -> Any:
        limit = self._rules.max_record_bytes
        if len(value) > limit:
            raise Refused(
                MALFORMED, f"The value: found {len(value):,} bytes, expected up to {limit:,}."
            )
        try:
            return json_values.decode(value, self._rules.max_depth)
        except NotJSON as error:
            raise Refused(
                MALFORMED, f"The value: found what is not JSON ({error}), expected {form.value}."
            ) from None

    def _elements(self, record: Record, value: bytes, decoded: Any) -> Iterator[Verdict]:
        _must_be(list, decoded, forms.Form.BATCH)
        limit = self._rules.max_batch_elements
        if len(decoded) > limit:
            raise Refused(
                MALFORMED,
                f"The batch: found {len(decoded):,} elements, expected up to {limit:,}.",
            )
        originals = _ELEMENTS.decode(value)
        for index, (element, original) in enumerate(zip(decoded, originals, strict=True)):
            yield self._structured(record, index, bytes(original), element)

    def _structured(self, record: Record, index: int | None, value: bytes, event: Any) -> Verdict:
        try:
            _must_be(dict, event, forms.Form.STRUCTURED)
        except Refused as refused:
            return _rejection(record, index, value, refused)
        return self._event(record, index, value, event, event.get("data", MISSING))

    def _event(
        self,
        record: Record,
        index: int | None,
        value: bytes,
        attributes: Mapping[str, Any],
        data: Any,
        *,
        whole: bool = False,
    ) -> Verdict:
        """What an event comes to; ``whole`` where all of ``value`` is its data."""

        def hashed() -> int:
            return content(value) if whole else content_of(value)

        def counted() -> Counted:
            return self._counted(record, index, envelope.check(attributes, data), hashed)

        try:
            return _twice(counted)
        except Refused as refused:
            if refused.reason == INTERNAL:
                refused.tenant, refused.type = envelope.attribution(attributes)
            if refused.reason == INVALID_ENVELOPE and index is None:
                refused = _hinted(refused, record)
            return _rejection(record, index, value, refused)

    def _counted(
        self, record: Record, index: int | None, event: Envelope, hashed: Callable[[], int]
    ) -> Counted:
        try:
            if event.type != self._known.type:
                raise self._unknown(event.type)
            time = record.timestamp if event.time is None else event.time
            row = self._known.row(event.data, self._origin(record, index, event.tenant, time))
            check_time(time, record.timestamp, self._rules)
        except Refused as refused:
            refused.tenant, refused.type = event.tenant, event.type
            raise
        return Counted(event.tenant, event.type, time, row, event.source, event.id, hashed())

    def _origin(self, record: Record, index: int | None, tenant: str, time: int) -> Origin:
        return Origin(
            tenant,
            time,
            record.timestamp,
            self._partition,
            record.offset,
            index or 0,
            self._rules.task_rule_set,
        )

    def _unknown(self, type_: str) -> Refused:
        return Refused(
            UNKNOWN_TYPE,
            f"type: found {type_[:60]!r}, expected one that {self._known.topic} knows "
            f"({self._known.type}).",
        )


def check_time(time: int, arrival: int, rules: Rules) -> None:
    """Refuse an event time (epoch ms) too far from its record's timestamp, or past any column."""
    if time - arrival > rules.too_early_seconds * 1000:
        raise _untimely(TOO_EARLY, time, arrival, rules.too_early_seconds, "after")
    if arrival - time > rules.too_late_seconds * 1000:
        raise _untimely(TOO_LATE, time, arrival, rules.too_late_seconds, "before")
    if times.minute_of(time) > times.LAST_MINUTE:
        raise Refused(TOO_EARLY, f"time: found {time} ms since 1970, expected one before 2106.")
    if time < 0:
        raise Refused(TOO_LATE, f"time: found {time} ms since 1970, expected none before 1970.")


def _untimely(reason: str, time: int, arrival: int, limit: int, side: str) -> Refused:
    return Refused(
        reason,
        f"time: found {abs(time - arrival) / 1000:,.3f} s {side} the record's timestamp, "
        f"expected up to {limit:,} s.",
    )


def _twice(attempt: Callable[[], T]) -> T:
    """What ``attempt`` comes to; Refused (``internal``) if our own code fails on it twice."""
    try:
        return attempt()
    except (Refused, MemoryError):
        raise  # want of memory is not of the record's making: a replay may decide otherwise
    except Exception:  # noqa: BLE001 - whatever it is, it must not stop the partition
        return _once_more(attempt)


def _once_more(attempt: Callable[[], T]) -> T:
    try:
        return attempt()
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise Refused(INTERNAL, traceback.format_exc()) from error


def _must_be(kind: type, value: Any, form: forms.Form) -> None:
    if not isinstance(value, kind):
        raise Refused(MALFORMED, sentence("The value", value, form.value))


def _hinted(refused: Refused, record: Record) -> Refused:
    """A message with how headers are spelled, where the record has some that are nearly right."""
    name = forms.misspelled(record.headers)
    if not name:
        return refused
    message = f"{str(refused).removesuffix('.')} ({forms.spelling(name)})."
    return Refused(refused.reason, message, refused.tenant, refused.type)


def _rejection(record: Record, index: int | None, value: bytes, refused: Refused) -> Rejection:
    return Rejection(
        record.offset,
        index,
        record.timestamp,
        refused.reason,
        str(refused),
        refused.tenant,
        refused.type,
        value,
        record.headers if index is None else (),
    )
