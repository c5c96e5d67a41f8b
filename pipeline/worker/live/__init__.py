"""Live windows: what each tenant did in the last minute, five minutes and hour, for ``/metrics``.

Nothing is paid per event: sums by minute and tenant are made of a chunk's columns, in bulk, when it
is sealed or a scrape asks, and windows are moved on, added to and labelled in a thread of their own
(`thread`). What is stored of them (``partitions_1m``, through the same chunks) restores a
partition's windows wherever it is taken up, so that a gauge is always what is stored plus what is
in the open chunk.
"""

from pipeline.worker.live.tenants import OTHER, Labels
from pipeline.worker.live.thread import LiveThread, Seen
from pipeline.worker.live.windows import KEPT_MINUTES, WINDOWS, Live, Window

__all__ = [
    "KEPT_MINUTES",
    "OTHER",
    "WINDOWS",
    "Labels",
    "Live",
    "LiveThread",
    "Seen",
    "Window",
]
