"""Which product events are kept one by one: those of before that was so are not, unless filled in.

A chunk that was recorded before the migration that made ``product_events`` cannot be in it: the
view was not there, and the worker did not send what it keeps. ``product_events_filled`` has those
chunks that were read from Kafka again since.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.facts.rollups import PRODUCT_EVENTS

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

MIGRATION = "product_events_kept"
_QUARTER_SECONDS = 900

NOT_KEPT = f"""
kind = 'chunk' AND counted > 0 AND endsWith(topic, '{PRODUCT_EVENTS.kind}')
AND (recorded_at < (SELECT max(applied_at) FROM migrations WHERE name = '{MIGRATION}')
     OR rules = {{older_rules:String}})
AND (topic, partition, incarnation, from_offset) NOT IN
    (SELECT topic, partition, incarnation, from_offset FROM product_events_filled)
"""  # noqa: S608 - our own names
"""Of ``chunks``: what is not in ``product_events``; `older_rules` are of a worker of before."""


def complete_from(store: Store, older_rules: str = "none") -> int:
    """The first quarter hour (epoch seconds) of which, and behind, all events are kept."""
    [(last,)] = store.query(
        "SELECT toUnixTimestamp64Milli(max(last_event_time)) FROM chunks FINAL "  # noqa: S608
        f"WHERE {NOT_KEPT}",
        {"older_rules": older_rules},
        consistent=True,
    )
    return (math.floor(last / 1000) // _QUARTER_SECONDS + 1) * _QUARTER_SECONDS if last > 0 else 0
