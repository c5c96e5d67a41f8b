"""A worker's state as metric families, when Prometheus asks: nothing is paid per event."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.core import (
    Metric as Family,
)

from pipeline.process.metrics import Metric
from pipeline.process.version import program_version
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.protocol.chunks import Source
    from pipeline.worker.telemetry.state import State


def families(state: State | None, buffer_limit: int, reader: str) -> Iterator[Family]:
    """Yield every family of a state but the tenants' (`exposition`); of none, what is certain.

    A worker has none while its loop is blocked.
    """
    info = InfoMetricFamily(metrics.BUILD.name, metrics.BUILD.meaning)
    info.add_metric([], {"version": program_version(), "reader": reader})
    yield info
    yield _one(metrics.BUFFER_LIMIT, buffer_limit)
    if state is None:
        return
    yield _one(metrics.BUFFER_EVENTS, state.held_events)
    yield _one(metrics.STORE_AWAY, int(state.store_away_since is not None))
    yield _one(metrics.PROGRESS, time.time() - (state.now - state.progress_at))
    yield _one(metrics.REBUILD_REMAINING, state.rebuild_remaining)
    yield _partitions(state)
    yield _by_partition(metrics.UNSEEN, state.unseen)
    yield from _lags(state)
    if state.tenants is not None:
        yield _one(metrics.LABEL_OVERFLOW, state.tenants.result().overflowing)


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
