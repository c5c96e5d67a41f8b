"""The metrics that `usage run` has out of the box, of what its simulator sends.

They are sent once: what the store knows, as somebody changed it or retired it, stays so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.clickhouse.client import Store
from pipeline.facts.definitions.reading import read
from pipeline.kafka.sending import Sending
from pipeline.meters import stored
from pipeline.meters.events import HEADERS, record
from schemas.metric_definition import TOPIC

if TYPE_CHECKING:
    from pipeline.settings import Settings

OUT_OF_THE_BOX: tuple[dict[str, Any], ...] = (
    {
        "metric_id": "api_calls",
        "name": "API calls",
        "interval_days": 30,
        "match": ["api_request", "api_call"],
        "filters": [{"property": "status", "operator": "exact", "value": 200}],
    },
    {
        "metric_id": "revenue_eur",
        "name": "Revenue",
        "interval_days": 30,
        "format": "currency",
        "currency": "EUR",
        "display": "sparkline",
        "calculation": "sum",
        "property": "amount",
        "match": ["invoice.paid"],
        "filters": [{"property": "currency", "operator": "exact", "value": "EUR"}],
    },
    {
        "metric_id": "api_p95_ms",
        "name": "API calls, p95 in ms",
        "interval_days": 7,
        "calculation": "p95",
        "property": "duration_ms",
        "match": ["api_request", "api_call"],
    },
)
"""Of what the simulator sends."""


def define(settings: Settings) -> int:
    """Send them; returns how many are new. They are in force when a worker has counted them.

    Raises:
        BrokerError, StoreError: the broker or the store is not there.
    """
    store = Store.connect(settings)
    try:
        known = stored.newest(stored.versions(store))
    finally:
        store.close()
    new = [read(one) for one in OUT_OF_THE_BOX if one["metric_id"] not in known]
    if new:
        sending = Sending(settings)
        try:
            value = record([(one, 0) for one in new], datetime.now(UTC))
            sending.send(TOPIC, new[0].metric_id.encode(), value, HEADERS)
        finally:
            sending.close()
    return len(new)
