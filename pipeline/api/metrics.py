"""Every metric of an API process, declared once."""

from __future__ import annotations

from pipeline.process.metrics import Metric, table

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

REQUESTS = Metric(
    "usage_api_requests",
    "counter",
    "Requests answered, by what was asked (`view`, `organizations`, `keys`, …), the format of the "
    "answer (empty where there is one only) and the status. An answer that broke off has the "
    "status `broken`, one whose reader left `left`.",
    ("endpoint", "format", "status"),
)
DURATION = Metric(
    "usage_api_request_duration_seconds",
    "histogram",
    "From a request's arrival to the last byte of its answer; live streams are not in it.",
    ("endpoint",),
    SECONDS,
)
REFUSALS = Metric(
    "usage_api_refusals",
    "counter",
    "Requests refused to who sent them, by reason: unidentified and identity (401), no_grant, "
    "role, organization, compares and cursor (403), choice (400), not_theirs (404), stale (503), "
    "rate and busy (429).",
    ("reason",),
)
BYTES = Metric("usage_api_response_bytes", "counter", "Bytes of answers' bodies.", ("endpoint",))
IN_FLIGHT = Metric(
    "usage_api_queries_in_flight", "gauge", "Queries that run in ClickHouse for a caller."
)
LIVE = Metric("usage_api_live_readers", "gauge", "Readers of `/v1/live` at the moment.")
STORE_ERRORS = Metric(
    "usage_api_store_errors",
    "counter",
    "Requests that ClickHouse did not answer, or not to the end.",
)

REPORTS = Metric(
    "usage_api_reports",
    "counter",
    "Reports that came to their end: `done` or `failed`.",
    ("status",),
)

ALL: tuple[Metric, ...] = (
    REQUESTS,
    DURATION,
    REFUSALS,
    BYTES,
    IN_FLIGHT,
    LIVE,
    STORE_ERRORS,
    REPORTS,
)


def markdown() -> str:
    """The part of ``docs/metrics.md`` about the API."""
    head = (
        "# Metrics of an API process",
        "",
        "Served at `/metrics` to whoever has an operator's key, beside `process_…` and `python_…`.",
        "",
    )
    return "\n".join(head) + "\n" + table(ALL)
