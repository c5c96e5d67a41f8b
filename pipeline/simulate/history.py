"""Records of the past in a topic that forgets: Kafka would delete them before they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.kafka import topics
from pipeline.simulate.stream import TOPICS

if TYPE_CHECKING:
    from pipeline.settings import Settings

HOUR_MS = 3_600_000


def require_kept(settings: Settings, start_ms: int, now_ms: int) -> None:
    """Refuse to stamp records with times that the topics do not keep.

    Raises:
        BrokerError: Kafka could not be reached.
        UsageError: a topic's retention is too short.
    """
    names = [settings.topic(name) for name in TOPICS]
    for name, kept_ms in topics.retentions(settings, names).items():
        if 0 <= kept_ms < now_ms - start_ms + HOUR_MS:
            hours = (now_ms - start_ms) // HOUR_MS + 2
            raise UsageError(
                f"topic {name} keeps records for {kept_ms / HOUR_MS:g} hours, so Kafka would "
                "delete the older ones before they are counted; set its retention.ms to "
                f"{hours * HOUR_MS} or more ({hours} hours; -1: for good), or give --stamp-now: "
                "records then carry the time of their sending, events their own"
            )
