"""Facts without some of their counted events, which are rejected instead.

For events that are valid by the contract and that the store refuses all the same. Pure: the facts
that were folded stay as they are.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.facts.exact import forms
from pipeline.facts.exact.reasons import INTERNAL
from pipeline.facts.exact.times import arrival_minute
from pipeline.facts.interface import Facts, Record, Rejection
from pipeline.facts.python_facts import PythonFacts

Kept = NDArray[np.bool_]
"""For each row, whether it stays."""

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def only(facts: Facts, kept: Kept) -> PythonFacts:
    """The rows that are kept, with nothing else: what tables of events would get."""
    rows = PythonFacts(facts.head)
    rows.columns = [column.chosen(kept) for column in facts.columns]
    rows.counted = rows.received = int(kept.sum())
    rows.arrival = facts.arrival
    return rows


def without(facts: Facts, rejected: Mapping[int, Rejection]) -> PythonFacts:
    """The facts as if these rows, by number, had been rejected when they were read.

    But for two things: ``event_time`` still spans them, and their ids stay remembered, so that what
    is a duplicate remains a function of the log alone.
    """
    kept = np.ones(facts.counted, np.bool_)
    kept[list(rejected)] = False
    rest = only(facts, kept)
    rest.origins = type(facts.origins)("q", np.asarray(facts.origins)[kept].tobytes())
    rest.received, rest.duplicate, rest.skipped = facts.received, facts.duplicate, facts.skipped
    rest.conflicts = facts.conflicts
    rest.rejected = facts.rejected + len(rejected)
    rest.event_time, rest.size_bytes = facts.event_time, facts.size_bytes
    rest.rejections = sorted([*facts.rejections, *rejected.values()], key=_place)
    rest.outcomes = facts.outcomes.copy()
    for one in rejected.values():
        minute = arrival_minute(one.timestamp)
        rest.outcomes[minute, one.tenant, one.type, "counted", ""] -= 1
        rest.outcomes[minute, one.tenant, one.type, "rejected", one.reason] += 1
    rest.outcomes = +rest.outcomes
    return rest


def rejection(
    record: Record, place: int, tenant: str, type_: str, message: str, reason: str = INTERNAL
) -> Rejection:
    """The rejection of a record's event, by its place among the record's events."""
    value, index = record.value or b"", None
    if forms.form_of(record.headers, value) is forms.Form.BATCH:
        value, index = bytes(_ELEMENTS.decode(value)[place]), place
    headers = record.headers if index is None else ()
    what = (record.offset, index, record.timestamp, reason, message, tenant, type_)
    return Rejection(*what, value, headers)


def _place(rejection: Rejection) -> tuple[int, int]:
    return rejection.offset, rejection.index or 0
