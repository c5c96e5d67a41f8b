"""The panels of the pipeline itself (L2), and of its API and objectives: the list's second half.

Prometheus has their numbers, no view: they stand in Grafana and in ``usage panels``, and not on
the page, whose API does not ask Prometheus. Rates are of 5 minutes, as those that rules record.
"""

from __future__ import annotations

from pipeline.panels.panel import Board, Gauge, Kind, Series

_JOB = '{job=~"$job"}'


def _now(panel: str, title: str, expr: str, unit: str, sentence: str, *alerts: str) -> Gauge:
    """A number in the top row of the pipeline's board."""
    return Gauge(
        panel,
        title,
        Board.PIPELINE,
        Kind.STAT,
        (Series(expr, title),),
        unit,
        sentence,
        limits=_LIMITS.get(panel, ()),
        alerts=alerts,
        width=4,
        height=4,
    )


_LIMITS = {
    "lag-now": (30, 120),
    "freshness-now": (5, 10),
    "rejected-now": (0.001, 0.01),
    "ledger-now": (1, 1),
    "alerts-now": (1, 1),
}

_PIPELINE = (
    _now(
        "alerts-now",
        "Alerts firing",
        'count(ALERTS{alertname=~"Usage.*", alertstate="firing"}) or vector(0)',
        "alerts",
        "Alerts of this project that fire now, of all jobs; the runbook has a section for each.",
    ),
    _now(
        "lag-now",
        "Lag",
        f"max(topic:usage_lag_seconds:max{_JOB})",
        "seconds",
        "Age of the oldest record that was fetched and is not counted yet. Somebody is paged from "
        "2 minutes on.",
        "UsageLagging",
    ),
    _now(
        "freshness-now",
        "Arrival to queryable, p99",
        f"max(topic:usage_freshness_arrival_seconds:p99_rate5m{_JOB})",
        "seconds",
        "99 of 100 chunks can be queried this soon after their oldest record arrived; the "
        "objective is 10 s. The slowest topic.",
        "UsageFreshnessBurnsFast",
    ),
    _now(
        "events-now",
        "Events",
        f"sum(job:usage_events:rate5m{_JOB})",
        "events per second",
        "Events received a second, duplicates and rejected ones included.",
    ),
    _now(
        "rejected-now",
        "Rejected",
        f"max(topic:usage_rejected_events:ratio_rate5m{_JOB})",
        "ratio",
        "Share of events that were rejected, in the worst topic; a ticket from 1 % on. No value "
        "while nothing comes.",
        "UsageRejects",
    ),
    _now(
        "ledger-now",
        "Ledger gaps",
        f"sum(usage_ledger_gaps{_JOB})",
        "gaps",
        "Gaps and overlaps between chunks among the newest rows of the ledger. Other than 0: "
        "something was counted twice or not at all.",
        "UsageLedgerGaps",
        "UsageLedgerDifference",
    ),
    Gauge(
        "events-by-outcome",
        "Events by outcome",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"sum by (outcome) (topic_outcome:usage_events:rate5m{_JOB})", "{{outcome}}"),),
        "events per second",
        "What became of the events of committed chunks.",
    ),
    Gauge(
        "events-by-topic",
        "Events by topic",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"sum by (topic) (topic:usage_events:rate5m{_JOB})", "{{topic}}"),),
        "events per second",
        "Events received a second, by topic.",
    ),
    Gauge(
        "lag-records",
        "Lag in records",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"sum by (topic) (topic:usage_lag_records:sum{_JOB})", "{{topic}}"),),
        "records",
        "Offsets between the log's end and what is committed. It may jump with load; it must not "
        "grow for long.",
        alerts=("UsageLagging",),
    ),
    Gauge(
        "lag-seconds",
        "Lag in seconds",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (topic) (topic:usage_lag_seconds:max{_JOB})", "{{topic}}"),),
        "seconds",
        "Age of the oldest record that was fetched and is not counted.",
        limits=(30, 120),
        alerts=("UsageLagging",),
    ),
    Gauge(
        "freshness-arrival",
        "Arrival to queryable",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"max by (topic) (topic:usage_freshness_arrival_seconds:p50_rate5m{_JOB})",
                "{{topic}} p50",
            ),
            Series(
                f"max by (topic) (topic:usage_freshness_arrival_seconds:p99_rate5m{_JOB})",
                "{{topic}} p99",
            ),
        ),
        "seconds",
        "Age of each chunk's oldest record, by its timestamp, when it could be queried. The "
        "objective: 99 % within 10 s.",
        limits=(10, 10),
        alerts=("UsageFreshnessBurnsFast", "UsageFreshnessBurns", "UsageFreshnessBurnsSlowly"),
    ),
    Gauge(
        "freshness-event",
        "Event time to queryable",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"max by (topic) (topic:usage_freshness_event_seconds:p50_rate5m{_JOB})",
                "{{topic}} p50",
            ),
            Series(
                f"max by (topic) (topic:usage_freshness_event_seconds:p99_rate5m{_JOB})",
                "{{topic}} p99",
            ),
        ),
        "seconds",
        "Age of each chunk's newest event, by event time, when it could be queried; what producers "
        "hold back is in it.",
    ),
    Gauge(
        "freshness-buckets",
        "Arrival to queryable, chunks by age",
        Board.PIPELINE,
        Kind.BAR,
        (
            Series(
                f"sum by (le) (rate(usage_freshness_arrival_seconds_bucket{_JOB}[5m]))",
                "{{le}}",
            ),
        ),
        "seconds",
        "Chunks by how long they took, as a histogram over time: two bands are two kinds of "
        "partitions, or two workers.",
    ),
    Gauge(
        "steps",
        "Steps of the protocol, p99",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (step) (step:usage_step_duration_seconds:p99_rate5m{_JOB})", "{{step}}"),),
        "seconds",
        "How long each step of a chunk takes, retries included; the insert is among them. What is "
        "slow is here before it is lag.",
    ),
    Gauge(
        "duplicates",
        "Duplicates",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"max by (topic) (topic:usage_duplicate_events:ratio_rate5m{_JOB})", "{{topic}}"
            ),
            Series(
                "sum by (topic) "
                f"(rate(usage_conflicting_duplicates_total{_JOB}[5m])) "
                f"/ (sum by (topic) (topic:usage_events:rate5m{_JOB}) > 0)",
                "{{topic}} in conflict",
            ),
        ),
        "ratio",
        "Share of events that repeat an id and so were dropped. In conflict: their data differs "
        "from what counted.",
        alerts=("UsageConflicts",),
    ),
    Gauge(
        "rejects",
        "Rejected events by reason",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"sum by (topic, reason) (rate(usage_rejected_events_total{_JOB}[5m])) > 0",
                "{{topic}}: {{reason}}",
            ),
        ),
        "events per second",
        "Events set aside, each with its reason; nothing here means none. "
        "`usage dead-letter` shows them.",
        alerts=("UsageRejects", "UsageInternalRejects", "UsageStoreRefusesEvents"),
    ),
    Gauge(
        "late",
        "Late events",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (topic) (topic:usage_late_events:ratio_rate5m{_JOB})", "{{topic}}"),),
        "ratio",
        "Share of counted events of a minute that had ended 5 minutes before they came. They "
        "count, and change what was shown before.",
    ),
    Gauge(
        "refused",
        "Set aside though valid, or odd",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"sum by (topic) (increase(usage_store_refused_events_total{_JOB}[5m]))",
                "{{topic}}: refused by the store",
            ),
            Series(
                f"sum by (topic) (increase(usage_inconsistent_requests_total{_JOB}[5m]))",
                "{{topic}}: inconsistent tokens",
            ),
        ),
        "events",
        "In 5 minutes: valid events that the store refuses, which are set aside; and counted "
        "requests with more cached tokens than input, or more reasoning than output.",
        alerts=("UsageStoreRefusesEvents",),
    ),
    Gauge(
        "ledger-checks",
        "Ledger: gaps and differences",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(f"sum by (topic) (usage_ledger_gaps{_JOB})", "{{topic}}: gaps, overlaps"),
            Series(
                f"sum by (topic) (usage_ledger_difference_events{_JOB})",
                "{{topic}}: events of difference",
            ),
        ),
        "short",
        "Among the newest 1,000 rows, looked at every 30 s: gaps and overlaps of chunks, and "
        "events by which received is not counted + duplicate + rejected. Must be 0.",
        limits=(1, 1),
        alerts=("UsageLedgerGaps", "UsageLedgerDifference"),
    ),
    Gauge(
        "chunk-size",
        "Events per chunk",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (job) (job:usage_chunk_events:mean_rate5m{_JOB})", "mean of {{job}}"),),
        "events",
        "Mean size of chunks. Small ones under load: each event costs more than it must.",
    ),
    Gauge(
        "store-errors",
        "Calls of the store that failed",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(f"sum by (job) (job:usage_store_errors:rate5m{_JOB})", "failed, {{job}}"),
            Series(f"max by (job) (usage_store_away{_JOB})", "away, {{job}}"),
        ),
        "calls per second",
        "Failed calls are tried again. Away: 1 while the store does not answer; nothing is lost "
        "while Kafka keeps the records.",
        limits=(0.05, 0.05),
        alerts=("UsageStoreErrors", "UsageStoreAway"),
    ),
    Gauge(
        "buffer",
        "Buffer",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"instance:usage_buffer_events:ratio{_JOB}", "{{instance}}"),),
        "ratio",
        "Events in open chunks and under way, of what a worker may hold. At 100 % it reads no "
        "further until the store has taken some.",
        limits=(0.7, 0.9),
        alerts=("UsageBufferFull",),
    ),
    Gauge(
        "partitions",
        "Partitions",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"sum by (instance, state) (usage_partitions{_JOB})", "{{instance}} {{state}}"),),
        "partitions",
        "Partitions of each worker: taken up, or waiting for it. Waiting for long is not reading.",
        alerts=("UsageNotTakenUp", "UsageNothingAssigned"),
    ),
    Gauge(
        "rebalances",
        "Rebalances",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(f"sum by (job) (increase(usage_rebalances_total{_JOB}[5m]))", "assignments"),
            Series(
                f"sum by (job) (increase(usage_abandoned_chunks_total{_JOB}[5m]))",
                "chunks given up",
            ),
            Series(f"max by (job) (usage_group_new_protocol{_JOB})", "members of the new protocol"),
        ),
        "short",
        "Assignments and chunks given up, in 5 minutes; and 1 while a member of the new group "
        "protocol is in the group, which must not be.",
        alerts=("UsageRebalances", "UsageGroupProtocol"),
    ),
    Gauge(
        "rebuild",
        "Ids read again",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                f"sum by (instance) (usage_rebuild_remaining_records{_JOB})",
                "{{instance}}: left to read",
            ),
            Series(
                f"sum by (instance) (increase(usage_rebuild_records_total{_JOB}[5m]))",
                "{{instance}}: read",
            ),
        ),
        "records",
        "After an assignment a worker reads the records of the duplicate window again for their "
        "ids; its partitions wait for it.",
        alerts=("UsageNotTakenUp",),
    ),
    Gauge(
        "rebuild-time",
        "Ids read again, duration",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(
                "histogram_quantile(0.99, sum by (job, le) "
                f"(increase(usage_rebuild_seconds_bucket{_JOB}[1h])))",
                "p99 of an hour, {{job}}",
            ),
        ),
        "seconds",
        "How long it took, after an assignment, to read all of them.",
    ),
    Gauge(
        "progress",
        "Since the last commit",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"instance:usage_last_progress:age_seconds{_JOB}", "{{instance}}"),),
        "seconds",
        "Seconds since a worker committed anything, 0 where there is nothing to commit.",
        limits=(60, 120),
        alerts=("UsageNoProgress", "UsageWorkerBlocked"),
    ),
    Gauge(
        "memory",
        "Memory",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"process_resident_memory_bytes{_JOB}", "{{instance}}"),),
        "bytes",
        "Resident memory of each worker. It follows the ids of the duplicate window and the "
        "buffer, and must come to rest.",
        alerts=("UsageWorkerRestarts",),
    ),
    Gauge(
        "users-days",
        "Users' days behind",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (job) (usage_users_unsettled{_JOB})", "{{job}}"),),
        "days",
        "Days that are over and whose users are not settled: views of them add up quarter hours, "
        "and cost more. 1 for some minutes of each night.",
        limits=(1, 2),
        alerts=("UsageUsersDaysBehind",),
    ),
    Gauge(
        "lost",
        "Lost before they were counted",
        Board.PIPELINE,
        Kind.LINE,
        (
            Series(f"sum by (topic) (increase(usage_lost_offsets_total{_JOB}[5m]))", "{{topic}}"),
            Series(
                f"max by (topic) (usage_duplicate_window_missing_offsets{_JOB})",
                "{{topic}}, of the duplicate window",
            ),
        ),
        "records",
        "Offsets that Kafka's retention deleted before they were counted; and those of the "
        "duplicate window, whose repeats would count again. Must be 0.",
        limits=(1, 1),
        alerts=("UsageLostRecords",),
    ),
    Gauge(
        "label-overflow",
        "Tenants without a label",
        Board.PIPELINE,
        Kind.LINE,
        (Series(f"max by (instance) (usage_label_overflow_tenants{_JOB})", "{{instance}}"),),
        "tenants",
        "Tenants of the last hour that share the label `other` in live metrics; views have all.",
        limits=(1, 1),
        alerts=("UsageLabelOverflow",),
    ),
    Gauge(
        "workers",
        "Workers",
        Board.PIPELINE,
        Kind.TABLE,
        (
            Series(
                "sum by (job, instance, version, reader) "
                f"(usage_build_info{_JOB} * on (job, instance) group_left () up{_JOB})",
                "up",
            ),
        ),
        "short",
        "Each worker that was scraped: its version, what reads its events, and 1 while it answers.",
        alerts=("UsageWorkerDown", "UsageNoWorkers"),
    ),
)

_API = (
    Gauge(
        "api-requests",
        "Requests by status",
        Board.API,
        Kind.LINE,
        (
            Series(
                f"sum by (status) (rate(usage_api_requests_total{_JOB}[5m]))",
                "{{status}}",
            ),
        ),
        "requests per second",
        "Answers a second. `broken`: the answer broke off after its first byte; `left`: its "
        "reader went away.",
        alerts=("UsageApiFails",),
        rows=(),
    ),
    Gauge(
        "api-failures",
        "Answers that fail",
        Board.API,
        Kind.LINE,
        (Series(f"job:usage_api_failed:ratio_rate5m{_JOB}", "{{job}}"),),
        "ratio",
        "Share of answers that are a 5xx or broke off. Somebody is paged from 5 % on.",
        limits=(0.01, 0.05),
        alerts=("UsageApiFails",),
        rows=(),
    ),
    Gauge(
        "api-duration",
        "Duration of answers",
        Board.API,
        Kind.LINE,
        tuple(
            Series(
                f"histogram_quantile({quantile}, sum by (le, endpoint) "
                f"(rate(usage_api_request_duration_seconds_bucket{_JOB}[5m])))",
                f"{{{{endpoint}}}} {name}",
            )
            for quantile, name in ((0.5, "p50"), (0.99, "p99"))
        ),
        "seconds",
        "From a request's arrival to the last byte of its answer, by what was asked; a slow "
        "reader of a long answer is in it.",
        limits=(2, 10),
        alerts=("UsageApiSlow",),
        rows=(),
    ),
    Gauge(
        "api-buckets",
        "Answers about views by duration",
        Board.API,
        Kind.BAR,
        (
            Series(
                "sum by (le) (rate(usage_api_request_duration_seconds_bucket"
                '{job=~"$job", endpoint="view"}[5m]))',
                "{{le}}",
            ),
        ),
        "seconds",
        "Answers about views by how long they took, as a histogram over time.",
        rows=(),
    ),
    Gauge(
        "api-refusals",
        "Refusals by reason",
        Board.API,
        Kind.LINE,
        (
            Series(
                f"sum by (reason) (increase(usage_api_refusals_total{_JOB}[5m])) > 0",
                "{{reason}}",
            ),
        ),
        "requests",
        "Requests refused to who sent them, in 5 minutes. Many for `organization` or `identity` "
        "look like somebody who tries doors.",
        alerts=("UsageApiProbed",),
        rows=(),
    ),
    Gauge(
        "api-load",
        "Under way",
        Board.API,
        Kind.LINE,
        (
            Series(f"sum by (job) (usage_api_queries_in_flight{_JOB})", "queries"),
            Series(f"sum by (job) (usage_api_live_readers{_JOB})", "live readers"),
        ),
        "short",
        "Queries that run in ClickHouse for a caller, and readers of the live stream.",
        rows=(),
    ),
    Gauge(
        "api-bytes",
        "Bytes of answers",
        Board.API,
        Kind.LINE,
        (
            Series(
                f"sum by (endpoint) (rate(usage_api_response_bytes_total{_JOB}[5m]))",
                "{{endpoint}}",
            ),
        ),
        "bytes per second",
        "Bytes of answers' bodies a second.",
        rows=(),
    ),
    Gauge(
        "api-store",
        "Store errors and reports",
        Board.API,
        Kind.LINE,
        (
            Series(
                f"sum by (job) (increase(usage_api_store_errors_total{_JOB}[5m]))",
                "not answered by the store",
            ),
            Series(
                f"sum by (status) (increase(usage_api_reports_total{_JOB}[5m]))",
                "reports {{status}}",
            ),
        ),
        "requests",
        "Requests that ClickHouse did not answer, or not to the end, and reports that came to "
        "their end; in 5 minutes.",
        rows=(),
    ),
    Gauge(
        "api-memory",
        "Memory of the API",
        Board.API,
        Kind.LINE,
        (Series(f"process_resident_memory_bytes{_JOB}", "{{instance}}"),),
        "bytes",
        "Resident memory of each API process; streaming answers leave it flat.",
        rows=(),
    ),
)

WINDOWS = ("5m", "30m", "1h", "6h", "3d")
"""Over which shares of missed objectives are recorded."""


def _objective(
    panel: str, title: str, missed: str, budget: str, sentence: str, *alerts: str
) -> tuple[Gauge, ...]:
    """What is left of an objective's budget, how fast it is spent, and the shares themselves."""
    share = f"{missed}:ratio_rate3d{_JOB}"
    return (
        Gauge(
            f"{panel}-budget",
            f"{title}: left of three days' budget",
            Board.OBJECTIVES,
            Kind.STAT,
            (Series(f"1 - {share} / {budget}", "{{job}}"),),
            "ratio",
            f"{sentence} What is left of what may be missed, over the last three days; below 0 "
            "the objective is missed.",
            limits=(0, 0.25),
            falling=True,
            alerts=alerts,
            rows=(),
            width=6,
        ),
        Gauge(
            f"{panel}-burn",
            f"{title}: burn rate",
            Board.OBJECTIVES,
            Kind.LINE,
            tuple(
                Series(f"{missed}:ratio_rate{window}{_JOB} / {budget}", f"{window} {{{{job}}}}")
                for window in WINDOWS
            ),
            "times",
            f"{sentence} How many times faster than allowed the budget is spent, over each window: "
            "at 1 it lasts just as long as it is meant to, at 14.4 a month's is gone in two days.",
            limits=(1, 14.4),
            alerts=alerts,
            rows=(),
            width=18,
        ),
    )


_OBJECTIVES = (
    *_objective(
        "freshness",
        "Freshness",
        "job:usage_freshness_missed",
        "0.01",
        "99 % of chunks can be queried within 10 s of their oldest record's arrival.",
        "UsageFreshnessBurnsFast",
        "UsageFreshnessBurns",
        "UsageFreshnessBurnsSlowly",
    ),
    *_objective(
        "answers",
        "API",
        "job:usage_api_failed",
        "0.005",
        "99.5 % of the API's answers neither fail nor break off.",
        "UsageApiFails",
        "UsageApiBurnsSlowly",
    ),
)

GAUGES: tuple[Gauge, ...] = (*_PIPELINE, *_API, *_OBJECTIVES)
