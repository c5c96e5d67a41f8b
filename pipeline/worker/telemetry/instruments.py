"""The worker's own counters and histograms, made of their declarations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.facts.exact.reasons import REASONS
from pipeline.process.metrics import Metric
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.facts import Facts
    from pipeline.protocol.chunks import Range

LATE_SECONDS = 300
OUTCOMES = ("counted", "duplicate", "rejected", "skipped")


class Instruments:
    """Counts per chunk and per call, never per event."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        self._registry = registry
        self._clock = clock
        self._events = self._counter(metrics.EVENTS)
        self._rejected = self._counter(metrics.REJECTED)
        self._refused = self._counter(metrics.REFUSED)
        self._conflicts = self._counter(metrics.CONFLICTS)
        self._inconsistent = self._counter(metrics.INCONSISTENT)
        self._late = self._counter(metrics.LATE)
        self._lost = self._counter(metrics.LOST)
        self._freshness_event = self._histogram(metrics.FRESHNESS_EVENT)
        self._freshness_arrival = self._histogram(metrics.FRESHNESS_ARRIVAL)
        self._chunk_size = self._histogram(metrics.CHUNK_SIZE)
        self._steps = self._histogram(metrics.STEP_DURATION)
        self._store_errors = self._counter(metrics.STORE_ERRORS)
        self._rebalances = self._counter(metrics.REBALANCES)
        self._abandoned = self._counter(metrics.COMMITS_FENCED)
        self._rebuild_records = self._counter(metrics.REBUILD_RECORDS)
        self._rebuild_seconds = self._histogram(metrics.REBUILD_SECONDS)
        behind = metrics.USERS_DAYS_BEHIND
        self._users_days = Gauge(behind.name, behind.meaning, registry=registry)

    def chunk_counted(self, range_: Range, facts: Facts) -> None:
        """Take note of a chunk that is committed, and can be queried."""
        topic = range_.source.topic
        for outcome in OUTCOMES:
            number = getattr(facts, outcome)
            if number:
                self._events.labels(topic, outcome).inc(number)
        for rejection in facts.rejections:
            self._rejected.labels(topic, rejection.reason).inc()
        if facts.conflicts:
            self._conflicts.labels(topic).inc(facts.conflicts)
        if inconsistencies := facts.inconsistent():
            self._inconsistent.labels(topic).inc(inconsistencies)
        self._chunk_size.observe(facts.received)
        self._observe_ages(topic, facts)

    def refused(self, topic: str, events: int) -> None:
        """Take note of valid events that the store does not take."""
        self._refused.labels(topic).inc(events)

    def lost(self, range_: Range) -> None:
        """Take note of offsets that can never be counted."""
        self._lost.labels(range_.source.topic).inc(range_.b - range_.a)

    def abandoned(self, chunks: int) -> None:
        """Take note of chunks that are another worker's by now."""
        self._abandoned.inc(chunks)

    def remembered(self, records: int) -> None:
        """Take note of records that were read again for their ids."""
        self._rebuild_records.inc(records)

    def rebuilt(self, seconds: float) -> None:
        """Take note of how long it took to read all of them."""
        self._rebuild_seconds.observe(seconds)

    def rebalanced(self, topics: Iterable[str]) -> None:
        """Take note of an assignment; from now on the topics' series are there, if only as 0."""
        self._rebalances.inc()
        for topic in topics:
            for outcome in OUTCOMES:
                self._events.labels(topic, outcome)
            for reason in REASONS:
                self._rejected.labels(topic, reason)
            counters = (self._refused, self._conflicts, self._inconsistent, self._late, self._lost)
            for counter in counters:
                counter.labels(topic)

    def users_days(self, behind: int) -> None:
        """Take note of how many days of users are over and not settled."""
        self._users_days.set(behind)

    def store_failed(self) -> None:
        """Take note of a call of the store that will be tried again."""
        self._store_errors.inc()

    @contextmanager
    def step(self, step: str) -> Iterator[None]:
        """Measure one step of the protocol."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._steps.labels(step).observe(time.perf_counter() - began)

    def _observe_ages(self, topic: str, facts: Facts) -> None:
        now = self._clock()
        if facts.event_time is not None:
            self._freshness_event.labels(topic).observe(max(0.0, now - facts.event_time[1] / 1000))
        if facts.arrival is not None:
            first = facts.arrival[0] / 1000
            self._freshness_arrival.labels(topic).observe(max(0.0, now - first))
            late = first - LATE_SECONDS - 60
            events = facts.before(late)
            if events:
                self._late.labels(topic).inc(events)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(
            metric.name,
            metric.meaning,
            metric.labels,
            buckets=metric.buckets,
            registry=self._registry,
        )
