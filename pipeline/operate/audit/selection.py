"""Which chunks `usage audit --recount` counts again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.operate.audit.ledger import Log
    from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class ChunkSelection:
    """Which chunks; all that Kafka still has without any bound."""

    topic: str = ""
    """With or without the settings' prefix; '' is all."""
    partition: int | None = None
    since_offset: int = 0
    """Chunks that begin here or behind."""
    last: int = 0
    """Only so many of each partition, the newest; 0 is all."""

    def takes(self, settings: Settings, log: Log) -> bool:
        """Whether chunks of this log are meant."""
        names = ("", log.topic, settings.topic_name(log.topic))
        return self.topic in names and self.partition in (None, log.partition)
