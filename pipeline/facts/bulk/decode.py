"""The common form of a record: structured, valid, nothing unusual. Decoded and checked in C.

The types here accept less than the contract, never more: a record that they refuse takes the path
of ``decide``, which says what it comes to.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct

from pipeline.facts.exact.forms import Form, form_of
from pipeline.facts.exact.json_values import within_depth
from pipeline.facts.exact.requests import COST_DIGITS
from pipeline.facts.interface import Record
from pipeline.facts.rules import Rules
from schemas.envelope import Identifier, Tenant
from schemas.fields import MAX_INTEGER, MAX_TEXT, Count, OptionalText, Text, Tokens

Type = TypeVar("Type")

MAX_MS = 1_000_000
"""Durations up to this, in ms, are exact to a microsecond when read as doubles."""

MAX_COST = 10**COST_DIGITS
"""Costs are below it."""

Duration = Annotated[float, Meta(ge=0, le=MAX_MS)]
"""It may be -0.0 where the number was negative but too small for a double."""


Cost = Annotated[float, Meta(ge=0, lt=MAX_COST)] | Annotated[str, Meta(max_length=MAX_TEXT)] | None
"""Numbers as doubles; how many characters one had is not kept."""


class CommonRequest(Struct, gc=False):
    """The data of a request. Field by field as ``schemas.request.Request``."""

    operation: Text
    model: Text
    status_code: Annotated[int, Meta(ge=100, le=599)]
    duration_ms: Duration
    token_id: OptionalText = None
    user_id: OptionalText = None
    team_id: OptionalText = None
    agent_id: OptionalText = None
    input_tokens: Tokens = None
    output_tokens: Tokens = None
    cache_read_input_tokens: Tokens = None
    cache_creation_input_tokens: Tokens = None
    reasoning_output_tokens: Tokens = None
    cost: Cost = None
    currency: str | None = None
    provider: OptionalText = None
    response_model: OptionalText = None
    error_type: OptionalText = None


class CommonRecipeAction(Struct, gc=False):
    """The data of a recipe action. Field by field as ``schemas.recipe_action.RecipeAction``."""

    recipe_id: Text
    job_id: Text
    step: Text | Annotated[int, Meta(ge=-MAX_INTEGER - 1, le=MAX_INTEGER)]
    kind: Literal["trigger", "control", "action", "call"]
    outcome: Literal["succeeded", "failed", "skipped"]
    app: OptionalText = None
    connection_id: OptionalText = None
    items: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | None = None
    iteration: Count = None
    rerun: bool | None = None
    duration_ms: Duration | None = None


class CommonProductEvent(Struct, gc=False):
    """The data of a product event. Field by field as ``schemas.product_event.ProductEvent``."""

    name: Text
    user_id: OptionalText = None
    properties: Raw = Raw()


class CommonEvent(Struct, Generic[Type], gc=False):
    """A structured event of one type. Field by field as ``schemas.envelope.Envelope``.

    Its data stays as it was sent, to be decoded apart: its bytes are what a content is told by.
    """

    specversion: Literal["1.0"]
    id: Identifier
    source: Identifier
    type: Type
    subject: Tenant
    data: Raw
    time: str | None = None
    datacontenttype: Literal["application/json"] | None = None


Events = list[CommonEvent[str] | None]


class Decoded(NamedTuple):
    """What records of the common form hold; None in each list for each other record."""

    events: Events
    data: list[Any]


Decoder = msgspec.json.Decoder[Any]


@cache
def decoders(type_: str, form: type[Struct]) -> tuple[Decoder, Decoder]:
    """The decoders of a type's events, and of their data in the common form."""
    event: Any = CommonEvent[Literal[type_]]  # type: ignore[valid-type]
    return Decoder(event), Decoder(form)


_STRUCTURED = ("content-type", b"application/cloudevents+json")
_ORDINARY_CONTAINERS = 2  # the event and its data
_TOGETHER = 128
"""Values looked at together: the copy stays in the processor's cache, and off the page faults."""
_STRIDE = 128
_LONG_NUMBER = re.compile(rb"[0-9.eE+-]{8}")
"""A number of more than MAX_TEXT characters, by every 128th of them."""


class CommonForm:
    """Decodes the records of one topic that are of the common form."""

    def __init__(self, type_: str, form: type[Struct], rules: Rules) -> None:
        self._envelope, self._data = decoders(type_, form)
        self._rules = rules

    def decode(self, records: Sequence[Record], values: Sequence[bytes]) -> Decoded:
        """What each record of the common form holds.

        ``values`` are the records'; empty for a tombstone.
        """
        seen = self._of_fit_length(values)
        _drop_other_forms(records, seen)
        survey = _survey(seen)
        # The decoders skip what we do not know, and let invalid UTF-8 and any depth pass there.
        texts = seen if survey.ascii else [_unicode(value) for value in seen]
        events: Events = _decode_each(self._envelope.decode, texts)
        found: Any = events
        if None in events:
            found = [event for event in events if event is not None]
        data: list[Any] = _decode_each(self._data.decode, [event.data for event in found])
        if len(found) < len(events) or None in data:
            data = _placed(events, data)
        if not self._surely_shallow(seen, events, survey):
            for place, value in enumerate(seen):
                if not within_depth(value, self._rules.max_depth):
                    events[place] = None
        return Decoded(events, data)

    def _of_fit_length(self, values: Sequence[bytes]) -> list[bytes]:
        """The values; empty where one is too long, or may hold a number that is."""
        limit = self._rules.max_record_bytes
        if max(map(len, values)) <= min(limit, MAX_TEXT):
            return list(values)
        return [
            b"" if len(value) > limit or _LONG_NUMBER.search(value[::_STRIDE]) else value
            for value in values
        ]

    def _surely_shallow(self, values: Sequence[bytes], events: Events, survey: "_Survey") -> bool:
        """Whether no event nests too deep, told from all of them together.

        Each has two containers at least, so the deepest has at most those that are left over.
        """
        common, containers = len(values), survey.containers
        if None in events:
            others = [value for value, event in zip(values, events, strict=True) if event is None]
            common -= len(others)
            containers -= _survey(others).containers
        spare = containers - _ORDINARY_CONTAINERS * common
        return spare + _ORDINARY_CONTAINERS <= self._rules.max_depth


class _Survey(NamedTuple):
    """What can be told of many values from their bytes alone."""

    ascii: bool
    containers: int
    """How many containers begin in all of them together, at the most."""


def _survey(values: Sequence[bytes]) -> _Survey:
    is_ascii, containers = True, 0
    for first in range(0, len(values), _TOGETHER):
        text = b"".join(values[first : first + _TOGETHER])
        is_ascii = is_ascii and text.isascii()
        octets = np.frombuffer(text or b" ", np.uint8)
        containers += int(np.count_nonzero(octets == ord("{")))
        if b"[" in text:
            containers += int(np.count_nonzero(octets == ord("[")))
    return _Survey(is_ascii, containers)


def _drop_other_forms(records: Sequence[Record], values: list[bytes]) -> None:
    """Empty the values of records whose headers say another form than structured.

    Where they do not say, an object is structured, and nothing else is decoded.
    """
    headers = [record.headers for record in records]
    first = headers[0]
    if headers.count(first) == len(headers) and _may_be_structured(first):
        return
    for place, one in enumerate(headers):
        if one and not _may_be_structured(one):
            values[place] = b""


def _may_be_structured(headers: Sequence[tuple[str, bytes]]) -> bool:
    if not headers or (len(headers) == 1 and headers[0] == _STRUCTURED):
        return True
    return form_of(headers, b"{") is Form.STRUCTURED


def _unicode(value: bytes) -> bytes | str:
    """The value if it is UTF-8, else what no decoder accepts."""
    try:
        return value if value.isascii() else value.decode()
    except UnicodeDecodeError:
        return b""


def _placed(events: Events, data: Sequence[Any]) -> list[Any]:
    """The data of each event, where there is one; an event of invalid data becomes None."""
    rest = iter(data)
    placed: list[Any] = []
    for place, event in enumerate(events):
        placed.append(None if event is None else next(rest))
        if placed[-1] is None:
            events[place] = None
    return placed


def _decode_each(decode: Any, values: Iterable[bytes | str]) -> list[Any]:
    """What ``decode`` makes of each value, None where it raises."""
    events: list[Any] = []
    rest = iter(values)
    while True:
        try:
            # What was decoded before one that raises stays in the list; half the cost of a loop.
            events.extend(map(decode, rest))
        except (ValueError, RecursionError):
            events.append(None)
        else:
            return events
