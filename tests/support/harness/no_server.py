"""A store without a server: it encodes, and sends nothing."""

from __future__ import annotations

from pipeline.clickhouse.client import Store


class NoServer(Store):
    """A store that only encodes."""

    where = "nowhere"

    def __init__(self) -> None:
        self._compression = None
