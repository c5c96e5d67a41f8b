"""The settings by section: each field its default as it would be written, its kind, its meaning.

:class:`pipeline.settings.Settings` is all of them; what needs one section alone may ask for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pipeline.settings import kinds
from pipeline.settings.kinds import Kind, Secret, StoreUrl

T = TypeVar("T")

_DAY_SECONDS = 86_400


def _setting(default: str, kind: Kind[T], meaning: str) -> T:
    """A field: its default as it would be written, its kind, its meaning."""
    made: Any = field(
        default_factory=lambda: kind.read(default),
        metadata={"default": default, "kind": kind, "meaning": meaning},
    )
    return cast("T", made)


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Kafka: where it is, as whom it is spoken to, its topics and the workers' group."""

    kafka: str = _setting(
        "127.0.0.1:9092", kinds.brokers(), "Where Kafka is: its bootstrap servers."
    )
    kafka_security: str = _setting(
        "plaintext",
        kinds.one_of("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        "How Kafka is spoken to.",
    )
    kafka_ca: Path | None = _setting(
        "", kinds.file(), "Certificates (PEM) that sign the brokers'; empty: the system's."
    )
    kafka_cert: Path | None = _setting("", kinds.file(), "Our own certificate (PEM) for Kafka.")
    kafka_key: Path | None = _setting("", kinds.file(), "The key (PEM) of that certificate.")
    kafka_sasl_mechanism: str = _setting(
        "SCRAM-SHA-512",
        kinds.one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        "How we log in to Kafka, with `sasl_…`.",
    )
    kafka_user: str = _setting("", kinds.text(), "The user's name in Kafka.")
    kafka_password: Secret = _setting("", kinds.secret(), "The user's password in Kafka.")
    group: str = _setting(
        "usage",
        kinds.name("1 to 200 letters, digits, '.', '_' and '-'", 200),
        "The consumer group; workers of one group share the work.",
    )
    topic_prefix: str = _setting(
        "",
        kinds.name("at most 100 letters, digits, '.', '_' and '-', or empty", 100, empty=True),
        "Put before every topic's name: `staging.` makes `staging.usage.requests`.",
    )
    partitions: int = _setting(
        "8", kinds.integer(1, 10_000), "Partitions of each topic that `usage topics create` makes."
    )
    replication: int = _setting(
        "1", kinds.integer(1, 10), "Copies of each topic that `usage topics create` makes."
    )
    retention_hours: int = _setting(
        "168",
        kinds.integer(1, 876_000),
        "How long Kafka keeps events: no less than the longest outage to survive.",
    )
    session_timeout_seconds: float = _setting(
        "30", kinds.number(1, 1800), "Silence after which Kafka gives a worker's partitions away."
    )
    rebalance_timeout_seconds: float = _setting(
        "60", kinds.number(1, 3600), "How long a rebalance waits for a worker to join again."
    )

    def topic(self, name: str) -> str:
        """The name under which Kafka knows a topic: the prefix before ours."""
        return self.topic_prefix + name

    def topic_name(self, topic: str) -> str:
        """Our name of a topic, given either with the prefix or without."""
        return topic.removeprefix(self.topic_prefix)


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """ClickHouse: where it is, as whom it is spoken to, how long rows are kept."""

    clickhouse: StoreUrl = _setting(
        "http://default:@127.0.0.1:8123/usage",
        kinds.store_url(),
        "Where ClickHouse is, and as whom; of a cluster, all its servers ([scaling](scaling.md)).",
    )
    clickhouse_cluster: str = _setting(
        "",
        kinds.name("a cluster's name in ClickHouse's `remote_servers`, or empty", 100, empty=True),
        "The cluster whose tables are replicated and sharded; empty: one server. It is chosen "
        "before the first `usage migrate` ([scaling](scaling.md)).",
    )
    clickhouse_ca: Path | None = _setting(
        "", kinds.file(), "Certificates (PEM) that sign the server's; empty: the system's."
    )
    keep_minute_rows: int = _setting(
        "35", kinds.integer(0, 36_500), "Days that 1-minute rows are kept; 0: for good."
    )
    keep_quarter_hour_rows: int = _setting(
        "0",
        kinds.integer(0, 36_500),
        "Days that 15-minute rows are kept, and users' days and months with them, but these for 67 "
        "at least; 0: for good.",
    )
    keep_product_events_days: int = _setting(
        "200",
        kinds.integer(0, 36_500),
        "Days that product events are kept with their properties, which user-defined metrics are "
        "made of; 0: for good.",
    )


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """Chunks: how large they become, and how much a worker holds."""

    flush_seconds: float = _setting(
        "1", kinds.number(0.05, 300), "How long a chunk stays open, at least."
    )
    quiet_events: int = _setting(
        "6000",
        kinds.integer(0, 100_000_000),
        "Events in all its chunks below which a worker leaves them open for another "
        "`USAGE_FLUSH_SECONDS`, for a round costs the store the same however little it holds; "
        "0: never.",
    )
    inserts_per_second: float = _setting(
        "10",
        kinds.number(0.1, 1000),
        "Inserts per second of all workers of a group, each of a topic's chunks at one shard that "
        "were sealed together; with many workers, chunks stay open longer.",
    )
    chunk_events: int = _setting(
        "100000", kinds.integer(1, 1_000_000), "Events after which a chunk is sealed early."
    )
    chunk_bytes: int = _setting(
        "67108864",
        kinds.integer(1_048_576, 268_435_456),
        "Bytes of its records' values after which a chunk is sealed early.",
    )
    buffer_events: int = _setting(
        "200000",
        kinds.integer(1, 100_000_000),
        "Events that a worker holds in all its chunks before it stops reading.",
    )
    buffer_bytes: int = _setting(
        "268435456",
        kinds.integer(1_048_576, 1 << 40),
        "Bytes of the records in all those chunks, with the same effect.",
    )
    settle_seconds: float = _setting(
        "5",
        kinds.number(0, 600),
        "How long a worker that stops or loses partitions waits for chunks under way.",
    )


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """Rules of counting: what they decide is part of every chunk's content."""

    too_early_seconds: int = _setting(
        "600",
        kinds.integer(0, 10 * 366 * _DAY_SECONDS),
        "An event whose time is further than this after its record's is rejected.",
    )
    too_late_seconds: int = _setting(
        "34560000",
        kinds.integer(0, 100 * 366 * _DAY_SECONDS),
        "An event whose time is further than this before its record's is rejected.",
    )
    duplicate_window: int = _setting(
        "1000000",
        kinds.integer(0, 100_000_000),
        "Offsets of a partition within which a repeated `subject`, `source` and `id` is a "
        "duplicate; 0: none is looked for. A worker needs up to 27 bytes for each, in "
        "each of its partitions, and "
        "reads them again when it takes a partition up.",
    )
    override_rules: bool = _setting(
        "false",
        kinds.boolean(),
        "Replay a chunk that was begun under other rules. It may count differently.",
    )
    override_lost_ends: bool = _setting(
        "false",
        kinds.boolean(),
        "Take partitions up though the log that they go on from, since their topic has grown, is "
        "shorter than it was then. Repeats of what it has lost count again.",
    )


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The API: where it listens, what a caller may ask of it."""

    api_host: str = _setting(
        "127.0.0.1",
        kinds.text(),
        "Address that `usage api` listens at; `0.0.0.0` is all of them, behind something that "
        "speaks TLS.",
    )
    api_port: int = _setting("8080", kinds.integer(0, 65_535), "Port of `usage api`; 0: any.")
    api_requests_per_minute: int = _setting(
        "1000",
        kinds.integer(1, 10_000_000),
        "Requests that a caller may make in a minute, at each API process.",
    )
    api_queries_at_once: int = _setting(
        "4",
        kinds.integer(1, 1000),
        "Queries of one caller that run at once, at each API process.",
    )
    api_secret: Secret = _setting(
        "",
        kinds.secret(),
        "What cursors are signed with, the same for all API processes; empty: made of the store's "
        "password and its first migration.",
    )


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """Reports: where they are kept, how many are made at a time."""

    reports: Path = _setting(
        "data/reports",
        kinds.folder(),
        "Folder of the reports that `usage api` makes; API processes that share it share them.",
    )
    reports_at_once: int = _setting(
        "2", kinds.integer(1, 100), "Reports that one API process makes at a time."
    )
    keep_reports: int = _setting(
        "7", kinds.integer(1, 3650), "Days that a report and its file are kept."
    )


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Who is let in: tokens of an issuer, users that a proxy names."""

    oidc_issuer: str = _setting(
        "",
        kinds.safe_url(),
        "The OpenID Connect issuer whose tokens are taken, as they name it in `iss`; empty: none.",
    )
    oidc_audience: str = _setting("", kinds.text(), "What those tokens must name in `aud`.")
    oidc_user_claim: str = _setting(
        "sub",
        kinds.name("1 to 100 letters, digits, '.', '_' and '-'", 100),
        "The claim of those tokens that is the user of `usage access`; `email` is taken where "
        "`email_verified` is true.",
    )
    proxy_addresses: tuple[str, ...] = _setting(
        "",
        kinds.networks(),
        "The proxies that are believed when they name the user in a header; empty: nobody is.",
    )
    proxy_user_header: str = _setting(
        "X-Forwarded-User",
        kinds.name("1 to 100 letters, digits, '.', '_' and '-'", 100),
        "That header; the proxy must take it out of what comes from others.",
    )


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """The process: its folder, port, metrics and log."""

    reader: str = _setting(
        "auto",
        kinds.one_of("auto", "python", "compiled"),
        "What reads events: `auto`, the compiled reader where `usage-pipeline[native]` is "
        "installed; `compiled`, which wants it; or `python`. All count the same.",
    )
    data: Path = _setting("data", kinds.folder(), "Folder of the embedded store.")
    web_port: int = _setting("6066", kinds.integer(1, 65_535), "Port of a worker's web server.")
    tenant_labels: int = _setting(
        "500",
        kinds.integer(0, 100_000),
        "Tenants that have live metrics of their own; the others share the label `other`.",
    )
    tenants_with_labels: tuple[str, ...] = _setting(
        "",
        kinds.words(),
        "Tenants, separated by commas, that alone have live metrics of their own; empty: the "
        "first that are seen.",
    )
    log_level: str = _setting(
        "info", kinds.one_of("debug", "info", "warning", "error"), "The least severe level logged."
    )
    log_format: str = _setting("text", kinds.one_of("text", "json"), "How log lines look.")
    hook: str = _setting(
        "", kinds.hook(), "A function called at every step of the chunk protocol, for fault tests."
    )
