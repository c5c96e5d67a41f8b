"""Reads a worker's state when Prometheus asks: nothing is paid per event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from pipeline.facts.minutes import MEASURES
from pipeline.process.metrics import Metric
from pipeline.process.version import program_version
from pipeline.protocol.chunks import Source
from pipeline.worker.telemetry import metrics
from pipeline.worker.telemetry.state import State


class StateCollector(Collector):
    """Turns a `State` into metric families; without one (a blocked loop) only what is certain."""

    def __init__(self, state: Callable[[], State | None], buffer_limit: int, reader: str) -> None:
        self._state = state
        self._reader = reader
        self._buffer_limit = buffer_limit

    def describe(self) -> Iterable[Family]:
        """Name nothing beforehand: asking for a state is not for the registration."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield every family of the state."""
        info = InfoMetricFamily(metrics.BUILD.name, metrics.BUILD.meaning)
        info.add_metric([], {"version": program_version(), "reader": self._reader})
        yield info
        yield _one(metrics.BUFFER_LIMIT, self._buffer_limit)
        state = self._state()
        if state is None:
            return
        yield _one(metrics.BUFFER_EVENTS, state.held_events)
        yield _one(metrics.STORE_AWAY, int(state.store_away_since is not None))
        yield _one(metrics.LABEL_OVERFLOW, state.overflowing)
        yield _one(metrics.PROGRESS, time.time() - (state.now - state.progress_at))
        yield _one(metrics.REBUILD_REMAINING, state.rebuild_remaining)
        yield _partitions(state)
        yield _by_partition(metrics.UNSEEN, state.unseen)
        yield from _lags(state)
        yield from _tenants(state)


def _one(metric: Metric, value: float) -> Family:
    return GaugeMetricFamily(metric.name, metric.meaning, value=value)


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def _partitions(state: State) -> Family:
    family = _gauge(metrics.PARTITIONS)
    family.add_metric(["taken_up"], state.taken_up)
    family.add_metric(["waiting"], state.assigned - state.taken_up)
    return family


def _by_partition(metric: Metric, values: Mapping[Source, int]) -> Family:
    family = _gauge(metric)
    for (topic, partition), value in values.items():
        family.add_metric([topic, str(partition)], value)
    return family


def _lags(state: State) -> Iterator[Family]:
    records, seconds = _gauge(metrics.LAG_RECORDS), _gauge(metrics.LAG_SECONDS)
    for (topic, partition), lag in state.lag.items():
        records.add_metric([topic, str(partition)], lag.records)
        seconds.add_metric([topic, str(partition)], lag.seconds)
    yield records
    yield seconds


def _tenants(state: State) -> Iterator[Family]:
    for index, measure in enumerate(MEASURES):
        counted, windowed = metrics.TENANT_MEASURES[measure]
        counter = CounterMetricFamily(counted.name, counted.meaning, labels=counted.labels)
        for label, sums in state.totals.items():
            counter.add_metric([label], sums[index])
        yield counter
        gauge = _gauge(windowed)
        for window, by_label in state.windows.items():
            current = "current" if window.current else "last"
            for label, sums in by_label.items():
                gauge.add_metric([label, window.size, current], sums[index])
        yield gauge
