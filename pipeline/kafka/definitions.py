"""Definitions of metrics: sent to Kafka, and what became of them there.

A change is an event like any other, and is in force when a worker has counted it. What the log made
of it is known once the ledger has its offset: it became a version, or another change of the same
version stood before it, or it was refused (`pipeline.meters.events`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from pipeline.facts.definitions.definition import Definition
from pipeline.kafka.sending import Place, Sending
from pipeline.kafka.topics import incarnations
from pipeline.meters.events import HEADERS, record
from pipeline.meters.stored import Stored, versions
from schemas.metric_definition import TOPIC

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings

WAIT_SECONDS = 15.0
"""How long a change is waited for: a worker counts it within a second or two."""

POLL_SECONDS = 0.1

_COUNTED = """
SELECT count() FROM chunks
WHERE topic = {topic:String} AND partition = {partition:UInt32}
    AND incarnation = {incarnation:String} AND to_offset > {offset:Int64}
"""


class Wanted(NamedTuple):
    """A definition, and the version that it changes; 0: there was none."""

    definition: Definition
    version: int


class Outcome(NamedTuple):
    """What became of a change."""

    won: bool
    """Whether it is a version."""
    newest: Stored | None
    """That version; else the newest of the metric, by which it was overtaken."""


class Sent(NamedTuple):
    """Changes under way, one record."""

    wanted: tuple[Wanted, ...]
    place: Place
    incarnation: str


def send(settings: Settings, sending: Sending, wanted: Iterable[Wanted], at: datetime) -> Sent:
    """Send changes, so that they come into force together. Waits for Kafka.

    Raises:
        BrokerError: Kafka does not take them.
        UsageError: they are too many for one record.
    """
    wanted = tuple(wanted)
    value = record([(one.definition, one.version) for one in wanted], at)
    key = wanted[0].definition.metric_id.encode()
    place = sending.send(TOPIC, key, value, HEADERS)
    return Sent(wanted, place, incarnations(settings, [place.topic])[place.topic])


def outcomes(store: Store, sent: Sent) -> list[Outcome] | None:
    """What became of each of the changes; None: no worker has counted them yet."""
    parameters = {**sent.place._asdict(), "incarnation": sent.incarnation}
    [(counted,)] = store.query(_COUNTED, parameters, consistent=True)
    if not counted:
        return None
    found = versions(store)
    return [_outcome(sent, element, found) for element in range(len(sent.wanted))]


def wait(store: Store, sent: Sent, seconds: float = WAIT_SECONDS) -> list[Outcome] | None:
    """Wait so long for `outcomes`; None: they are not known yet."""
    end = time.monotonic() + seconds
    while (found := outcomes(store, sent)) is None and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return found


def _outcome(sent: Sent, element: int, found: Sequence[Stored]) -> Outcome:
    definition = sent.wanted[element].definition
    origin = (sent.place.partition, sent.place.offset, element)
    versions_of = [one for one in found if one.definition.metric_id == definition.metric_id]
    for one in reversed(versions_of):
        if one.origin == origin and one.definition == definition:
            return Outcome(True, one)
    return Outcome(False, versions_of[-1] if versions_of else None)
