"""Every metric of a worker, declared once: name, type, meaning, labels.

``docs/metrics.md`` is generated from here; dashboards, alerts and rules are tested against it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.process.metrics import Metric, table

SECONDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
CHUNK_EVENTS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)


def _tenants(name: str, what: str) -> tuple[Metric, Metric]:
    total = (
        f"{what}, counted and committed by this worker since it started, of whatever time; the "
        "first tenants have labels for good, and all labels together are all that was counted."
    )
    window = (
        f"{what} in the window, of this worker's partitions: what is stored and what is in open "
        "chunks. `window` is 1m, 5m or 1h; `state` is current (it ends with the running minute) "
        "or last (it ends with the last full one)."
    )
    return (
        Metric(f"usage_{name}", "counter", total, ("tenant",)),
        Metric(f"usage_window_{name}", "gauge", window, ("tenant", "window", "state")),
    )


TENANT_MEASURES = {
    "requests": _tenants("requests", "Requests"),
    "failed": _tenants("failed_requests", "Requests with a status of 400 or more"),
    "input_tokens": _tenants("input_tokens", "Input tokens"),
    "output_tokens": _tenants("output_tokens", "Output tokens"),
    "tasks": _tenants("tasks", "Tasks"),
}
"""By measure (`pipeline.worker.live.MEASURES`): the counter and the gauge of its windows."""

PARTITION = ("topic", "partition")

EVENTS = Metric(
    "usage_events",
    "counter",
    "Events of committed chunks, by what became of them: counted, duplicate or rejected; and "
    "tombstones, skipped.",
    ("topic", "outcome"),
)
REJECTED = Metric(
    "usage_rejected_events", "counter", "Rejected events, by reason.", ("topic", "reason")
)
REFUSED = Metric(
    "usage_store_refused_events",
    "counter",
    "Events that the store refuses though they are valid; rejected as internal.",
    ("topic",),
)
CONFLICTS = Metric(
    "usage_conflicting_duplicates",
    "counter",
    "Duplicates, dropped as all are, whose data has other bytes than the last event of their id: "
    "a producer sends partial usage first, or uses an id twice.",
    ("topic",),
)
INCONSISTENT = Metric(
    "usage_inconsistent_requests",
    "counter",
    "Counted requests whose cached tokens are more than their input, or reasoning tokens more than "
    "their output; they count as sent.",
    ("topic",),
)
LATE = Metric(
    "usage_late_events",
    "counter",
    "Counted events of a minute that ended over 5 minutes before their chunk's first arrival.",
    ("topic",),
)
LOST = Metric(
    "usage_lost_offsets",
    "counter",
    "Offsets that retention deleted before they were counted.",
    ("topic",),
)
FRESHNESS_EVENT = Metric(
    "usage_freshness_event_seconds",
    "histogram",
    "Age of each chunk's newest event, by event time, when it could be queried.",
    ("topic",),
    SECONDS,
)
FRESHNESS_ARRIVAL = Metric(
    "usage_freshness_arrival_seconds",
    "histogram",
    "Age of each chunk's oldest record, by its timestamp, when it could be queried.",
    ("topic",),
    SECONDS,
)
CHUNK_SIZE = Metric("usage_chunk_events", "histogram", "Events per chunk.", (), CHUNK_EVENTS)
STEP_DURATION = Metric(
    "usage_step_duration_seconds",
    "histogram",
    "Duration of the chunk protocol's steps, retries included.",
    ("step",),
    STEP_SECONDS,
)
STORE_ERRORS = Metric(
    "usage_store_errors", "counter", "Calls of the store that failed and are tried again."
)
STORE_AWAY = Metric("usage_store_away", "gauge", "1 while the store does not answer.")
REBALANCES = Metric("usage_rebalances", "counter", "Assignments of partitions to this worker.")
COMMITS_FENCED = Metric(
    "usage_abandoned_chunks", "counter", "Chunks given up because the group had moved on."
)
LAG_RECORDS = Metric(
    "usage_lag_records", "gauge", "Offsets between the log's end and what is committed.", PARTITION
)
LAG_SECONDS = Metric(
    "usage_lag_seconds",
    "gauge",
    "Age of the oldest record that was fetched and is not committed.",
    PARTITION,
)
PARTITIONS = Metric(
    "usage_partitions", "gauge", "Assigned partitions: taken_up, or waiting for it.", ("state",)
)
REBUILD_REMAINING = Metric(
    "usage_rebuild_remaining_records",
    "gauge",
    "Offsets before the start of partitions that are yet to be read again, for the ids of "
    "their events; those partitions wait for it.",
)
REBUILD_RECORDS = Metric(
    "usage_rebuild_records", "counter", "Records that were read again for their ids only."
)
REBUILD_SECONDS = Metric(
    "usage_rebuild_seconds",
    "histogram",
    "How long it took, after an assignment, to read all of them.",
    (),
    SECONDS,
)
UNSEEN = Metric(
    "usage_duplicate_window_missing_offsets",
    "gauge",
    "Offsets within the duplicate window that Kafka had deleted before this worker could read "
    "them: what repeats an event from there counts again.",
    PARTITION,
)
BUFFER_EVENTS = Metric("usage_buffer_events", "gauge", "Events in open chunks and those under way.")
BUFFER_LIMIT = Metric("usage_buffer_limit_events", "gauge", "Where the worker stops reading.")
LABEL_OVERFLOW = Metric(
    "usage_label_overflow_tenants",
    "gauge",
    "Tenants of the last hour that share the label `other`, for want of places.",
)
PROGRESS = Metric(
    "usage_last_progress_timestamp_seconds",
    "gauge",
    "When a chunk was last committed, or there was nothing to commit, or records were read again "
    "for their ids.",
)
LEDGER_GAPS = Metric(
    "usage_ledger_gaps",
    "gauge",
    "Gaps and overlaps between the newest 1,000 ledger rows; looked at every 30 s.",
    PARTITION,
)
LEDGER_DIFFERENCE = Metric(
    "usage_ledger_difference_events",
    "gauge",
    "Events by which received differs from counted + duplicate + rejected in the newest 1,000 "
    "ledger rows; looked at every 30 s.",
    PARTITION,
)
USERS_DAYS_BEHIND = Metric(
    "usage_users_unsettled",
    "gauge",
    "Days of UTC that have been over for half an hour and whose users are not settled yet, so that "
    "views add them up from quarter hours; looked at every 60 s. 0 on a cluster.",
)
NEW_PROTOCOL = Metric(
    "usage_group_new_protocol",
    "gauge",
    "1 while a member of the new group protocol (group.protocol=consumer) is in the workers' "
    "group; looked at every 30 s.",
)
BUILD = Metric(
    "usage_build",
    "info",
    "Version of the program, and what reads events: compiled or python.",
    ("version", "reader"),
)

ALL: tuple[Metric, ...] = (
    *(metric for pair in TENANT_MEASURES.values() for metric in pair),
    EVENTS,
    REJECTED,
    REFUSED,
    CONFLICTS,
    INCONSISTENT,
    LATE,
    LOST,
    FRESHNESS_EVENT,
    FRESHNESS_ARRIVAL,
    CHUNK_SIZE,
    STEP_DURATION,
    STORE_ERRORS,
    STORE_AWAY,
    REBALANCES,
    COMMITS_FENCED,
    LAG_RECORDS,
    LAG_SECONDS,
    PARTITIONS,
    REBUILD_REMAINING,
    REBUILD_RECORDS,
    REBUILD_SECONDS,
    UNSEEN,
    BUFFER_EVENTS,
    BUFFER_LIMIT,
    LABEL_OVERFLOW,
    PROGRESS,
    LEDGER_GAPS,
    LEDGER_DIFFERENCE,
    USERS_DAYS_BEHIND,
    NEW_PROTOCOL,
    BUILD,
)


def markdown(metrics: Iterable[Metric] = ALL) -> str:
    """Return ``docs/metrics.md``."""
    head = [
        "# Metrics of a worker",
        "",
        "Each worker serves its own at `/metrics`; sums over workers are sums over the group.",
        "Beside these, `process_…` and `python_…` of the client library.",
        "",
    ]
    return "\n".join(head) + "\n" + table(metrics)
