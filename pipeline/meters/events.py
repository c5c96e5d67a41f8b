"""Definitions as the records that are sent to Kafka. Pure.

Two doors that change the same version give their events the same id: the log takes the first for
good, the second is a duplicate. So of two changes of version 3 exactly one becomes version 4,
whoever sends them, and neither has to ask the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipeline.errors import UsageError
from pipeline.facts.definitions.definition import Definition, written
from pipeline.facts.exact.json_values import compact
from schemas.envelope import BATCH, MAX_RECORD_BYTES, NOBODY
from schemas.metric_definition import TYPE

SOURCE = "/usage/metrics"
HEADERS = (("content-type", BATCH.encode()),)


def event(definition: Definition, version: int, at: datetime) -> dict[str, Any]:
    """The event by which a definition becomes the version after ``version``."""
    return {
        "specversion": "1.0",
        "id": f"{definition.metric_id}@{version + 1}",
        "source": SOURCE,
        "type": TYPE,
        "subject": NOBODY,
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": written(definition),
    }


def record(changes: Iterable[tuple[Definition, int]], at: datetime) -> bytes:
    """One record with all changes, so that they come into force together.

    ``changes``: each with the version that it changes; 0: there is none.

    Raises:
        UsageError: they are more than a record holds.
    """
    events = [event(definition, version, at) for definition, version in changes]
    value = compact(events).encode()
    if len(value) > MAX_RECORD_BYTES:
        raise UsageError(
            f"these definitions are {len(value):,} bytes, and at most {MAX_RECORD_BYTES:,} come "
            "into force together: give them in several files"
        )
    return value
