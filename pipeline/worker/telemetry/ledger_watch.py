"""Looks at the newest rows of the ledger now and then: do they tile the log, do they add up?

A part of `usage audit`, cheap enough to run always: only the newest rows of the worker's own
partitions are read, of all of them at once, whatever the table's size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.errors import StoreError
from pipeline.protocol.chunks import Source
from pipeline.protocol.ledger_rows import From, conditions
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.clickhouse.shards import Shards

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
NEWEST_ROWS = 1000
"""Of each partition; at the first look, among those of its last `REACH` offsets."""
REACH = 50_000

_NEWEST = """
SELECT topic, partition, countIf(reached != a), sum(difference), min(a) FROM
(
    SELECT topic, partition, a, difference,
        if(count() OVER before = 0, a, max(b) OVER before) AS reached
    FROM
    (
        SELECT * FROM
        (
            SELECT
                topic, partition, from_offset AS a, to_offset AS b,
                abs(toInt64(received) - toInt64(counted + duplicate + rejected)) AS difference
            FROM chunks
            WHERE {logs}
            ORDER BY topic, partition, from_offset, recorded_at DESC
            LIMIT 1 BY topic, partition, from_offset
        )
        ORDER BY topic, partition, a DESC
        LIMIT {rows} BY topic, partition
    )
    WINDOW before AS (
        PARTITION BY topic, partition ORDER BY a ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
GROUP BY topic, partition
"""


class Held(NamedTuple):
    """What a worker has of a partition: its topic's incarnation, and how far it has read."""

    incarnation: str
    position: int

    @property
    def reach(self) -> int:
        """From which offset on rows are looked at for the first time."""
        return max(0, self.position - REACH)


class Look(NamedTuple):
    """What the newest ledger rows of one partition show; both are 0 when all is well."""

    breaks: int
    """Gaps and overlaps between them."""
    difference: int
    """Events by which received differs from counted + duplicate + rejected."""


class Looked(NamedTuple):
    """A look, and the first offset of the rows that were looked at: the next one begins there."""

    look: Look
    since: int


def looks(store: Store, logs: Sequence[From]) -> dict[Source, Looked]:
    """Read the newest rows of partitions, of each from an offset on. Raises `StoreError`."""
    found = {log.source: Looked(Look(0, 0), log.offset) for log in logs}
    for sql, parameters in conditions(logs):
        asked = _NEWEST.format(logs=sql, rows=NEWEST_ROWS)
        for topic, partition, *numbers in store.query(asked, parameters, consistent=True):
            breaks, difference, since = map(int, numbers)
            found[Source(topic, partition)] = Looked(Look(breaks, difference), since)
    return found


class LedgerWatch(Collector):
    """Looks at the partitions that are held, and shows what was seen last."""

    def __init__(self, shards: Shards, held: Callable[[], Mapping[Source, Held]]) -> None:
        self._shards = shards
        self._held = held
        """Gives the partitions that the worker reads."""
        self._looks: dict[Source, Look] = {}
        self._since: dict[tuple[Source, str], int] = {}
        """By source and incarnation, where the newest rows began at the last look."""
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

    def _all(self, held: Mapping[Source, Held]) -> dict[Source, Look]:
        known = self._since
        logs = [
            From(source, one.incarnation, known.get((source, one.incarnation), one.reach))
            for source, one in held.items()
        ]
        seen = {
            source: looked
            for store, some in self._shards.parted(logs, lambda log: log.source.partition)
            for source, looked in looks(store, some).items()
        }
        self._since = {(log.source, log.incarnation): seen[log.source].since for log in logs}
        return {source: looked.look for source, looked in seen.items()}

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
