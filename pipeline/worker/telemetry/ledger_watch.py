"""Looks at the newest rows of the ledger now and then: do they tile the log, do they add up?

A part of `usage audit`, cheap enough to run always: only the newest rows of the worker's own
partitions are read, from the end of the table's order, whatever its size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.errors import StoreError
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.shards import Shards
    from pipeline.protocol.chunks import Source

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
NEWEST_ROWS = 1000

_NEWEST = """
SELECT countIf(reached != a), sum(difference) FROM
(
    SELECT a, difference, if(count() OVER before = 0, a, max(b) OVER before) AS reached
    FROM
    (
        SELECT
            from_offset AS a, to_offset AS b,
            abs(toInt64(received) - toInt64(counted + duplicate + rejected)) AS difference
        FROM chunks
        WHERE topic = {topic:String} AND partition = {partition:UInt32}
            AND incarnation = {incarnation:String}
        ORDER BY topic DESC, partition DESC, incarnation DESC, from_offset DESC, recorded_at DESC
        LIMIT 1 BY from_offset LIMIT {rows:UInt32}
    )
    WINDOW before AS (ORDER BY a ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
"""


class Look(NamedTuple):
    """What the newest ledger rows of one partition show; both are 0 when all is well."""

    breaks: int
    """Gaps and overlaps between them."""
    difference: int
    """Events by which received differs from counted + duplicate + rejected."""


def look(store: Store, source: Source, incarnation: str) -> Look:
    """Read one partition's newest rows. Raises `StoreError`."""
    [(breaks, difference)] = store.query(
        _NEWEST,
        {
            "topic": source.topic,
            "partition": source.partition,
            "incarnation": incarnation,
            "rows": NEWEST_ROWS,
        },
        consistent=True,
    )
    return Look(int(breaks), int(difference))


class LedgerWatch(Collector):
    """Looks at the partitions that are held, and shows what was seen last."""

    def __init__(self, shards: Shards, held: Callable[[], Mapping[Source, str]]) -> None:
        self._shards = shards
        self._held = held
        """Gives the partitions that the worker reads, and their topics' incarnations."""
        self._looks: dict[Source, Look] = {}
        # Of its own: a call that hangs must keep neither chunks nor the worker's end waiting.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-watch")

    async def run_forever(self, every_seconds: float = EVERY_SECONDS) -> None:
        """Look at every partition, again and again; a store that fails is passed over."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(every_seconds)
                held = dict(self._held())
                try:
                    self._looks = await loop.run_in_executor(self._thread, self._all, held)
                except StoreError as error:
                    log.debug("the ledger was not looked at: %s", error)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _all(self, held: Mapping[Source, str]) -> dict[Source, Look]:
        return {
            source: look(self._shards.of(source.partition), source, incarnation)
            for source, incarnation in held.items()
        }

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name nothing beforehand."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what the last looks have shown."""
        breaks, differences = (
            GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for metric in (metrics.LEDGER_GAPS, metrics.LEDGER_DIFFERENCE)
        )
        for (topic, partition), seen in self._looks.items():
            breaks.add_metric([topic, str(partition)], seen.breaks)
            differences.add_metric([topic, str(partition)], seen.difference)
        yield breaks
        yield differences
