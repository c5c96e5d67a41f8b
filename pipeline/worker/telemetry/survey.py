"""Takes a worker's `State` when it is asked for, in the event loop, between two folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipeline.process.waits import now
from pipeline.worker.telemetry.state import Lag, State

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pipeline.protocol.chunks import Source
    from pipeline.protocol.partition import Partition
    from pipeline.worker.flusher import Flusher
    from pipeline.worker.live import LiveThread, Seen
    from pipeline.worker.transport import ConsumerThread
    from pipeline.worker.work import Work


class Survey:
    """Looks at the parts of one worker."""

    def __init__(
        self,
        work: Work,
        live: LiveThread,
        flusher: Flusher,
        batches: Callable[[], ConsumerThread],
        duplicate_window: int,
        join_seconds: float,
    ) -> None:
        self._work = work
        self._live = live
        self._flusher = flusher
        self._consumer = batches
        self._window = duplicate_window
        self._join_seconds = join_seconds

    async def state(self, with_tenants: bool) -> State:
        """Return how things stand now; what tenants did costs more, the more there are."""
        return await self._work.folding.between(partial(self._state, with_tenants))

    def _state(self, with_tenants: bool) -> State:
        partitions, standing = self._work.partitions, self._work.standing
        lag = self._lag(partitions)
        return State(
            now=now(),
            assigned=standing.assigned if standing.assigned_at is not None else 0,
            taken_up=sum(p.is_ready for p in partitions.values()) if standing.reading else 0,
            lag=lag,
            held_events=sum(p.held.events for p in partitions.values()),
            store_away_since=self._flusher.store_away_since,
            store_call_since=self._flusher.store_call_since,
            progress_at=standing.progress_at,
            assigned_at=standing.assigned_at,
            round_seconds=standing.round_seconds,
            unassigned_at=standing.unassigned_at,
            join_seconds=self._join_seconds,
            stopping=standing.stopping,
            tenants=self._tenants(partitions) if with_tenants else None,
            rebuild_remaining=sum(p.to_remember for p in partitions.values()),
            unseen={s: p.unseen(self._window) for s, p in partitions.items()},
        )

    def _tenants(self, partitions: Mapping[Source, Partition]) -> Future[Seen]:
        held = [p for p in partitions.values() if self._live.is_restored(p.source)]
        return self._live.look([minutes for p in held for minutes in p.open_minutes])

    def _lag(self, partitions: Mapping[Source, Partition]) -> dict[Source, Lag]:
        batches = self._consumer()
        lag = {}
        for source, partition in partitions.items():
            end = batches.log_end(source)
            if end is not None:
                records = max(0, end - partition.committed_to)
                lag[source] = Lag(records, _age(partition.oldest_arrival_ms) if records else 0.0)
        return lag


def _age(timestamp_ms: int | None) -> float:
    return 0.0 if timestamp_ms is None else max(0.0, time.time() - timestamp_ms / 1000)
