"""The API's own counters and histograms, made of their declarations."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.access.decision import Reason
from pipeline.api import metrics
from pipeline.process.metrics import Metric


class Instruments:
    """Counts by request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = self._counter(metrics.REQUESTS)
        self._refusals = self._counter(metrics.REFUSALS)
        self._bytes = self._counter(metrics.BYTES)
        self._store_errors = self._counter(metrics.STORE_ERRORS)
        self._duration = Histogram(
            metrics.DURATION.name,
            metrics.DURATION.meaning,
            metrics.DURATION.labels,
            buckets=metrics.DURATION.buckets,
            registry=registry,
        )
        self._reports = self._counter(metrics.REPORTS)
        self.in_flight = self._gauge(metrics.IN_FLIGHT)
        self.live = self._gauge(metrics.LIVE)
        for reason in Reason:  # there from the first scrape on, if only as 0
            self._refusals.labels(str(reason))

    def answered(
        self, endpoint: str, form: str, status: str, seconds: float | None, size: int
    ) -> None:
        """Take note of a request that is over; without seconds it was a live stream."""
        self._requests.labels(endpoint, form, status).inc()
        self._bytes.labels(endpoint).inc(size)
        if seconds is not None:
            self._duration.labels(endpoint).observe(seconds)

    def refused(self, reason: Reason) -> None:
        """Take note of a refusal."""
        self._refusals.labels(str(reason)).inc()

    def report_ended(self, status: str) -> None:
        """Take note of a report that is over."""
        self._reports.labels(status).inc()

    def store_failed(self) -> None:
        """Take note of a request that the store did not answer."""
        self._store_errors.inc()

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self.registry)
