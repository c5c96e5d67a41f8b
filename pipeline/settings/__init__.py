"""All settings, in one typed object, read from the environment in one place.

Every field of :class:`Settings` is one variable, ``USAGE_`` and its name in capitals. Secrets may
be read from a file instead, named by the same variable with ``_FILE`` behind it.
``docs/settings.md`` is generated from here.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from pipeline.errors import SettingsError
from pipeline.settings import kinds
from pipeline.settings.kinds import Kind, Secret, StoreUrl

T = TypeVar("T")

PREFIX = "USAGE_"
_DAY_SECONDS = 86_400
# Kubernetes adds these for every service whose name begins with "usage"; they are not settings.
_SERVICE_LINK = re.compile(
    r"_SERVICE_(HOST|PORT\w*)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$"
)


def _setting(default: str, kind: Kind[T], meaning: str) -> T:
    """A field of :class:`Settings`: its default as it would be written, its kind, its meaning."""
    made: Any = field(
        default_factory=lambda: kind.read(default),
        metadata={"default": default, "kind": kind, "meaning": meaning},
    )
    return cast("T", made)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one process of the pipeline runs. Without any variable: everything on this machine."""

    # Kafka
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

    # ClickHouse
    clickhouse: StoreUrl = _setting(
        "http://default:@127.0.0.1:8123/usage",
        kinds.store_url(),
        "Where ClickHouse is, and as whom.",
    )
    clickhouse_ca: Path | None = _setting(
        "", kinds.file(), "Certificates (PEM) that sign the server's; empty: the system's."
    )
    keep_minute_rows: int = _setting(
        "35", kinds.integer(0, 36_500), "Days that 1-minute rows are kept; 0: for good."
    )
    keep_quarter_hour_rows: int = _setting(
        "0", kinds.integer(0, 36_500), "Days that 15-minute rows are kept; 0: for good."
    )

    # Chunks
    flush_seconds: float = _setting(
        "1", kinds.number(0.05, 300), "How long a chunk stays open, at least."
    )
    inserts_per_second: float = _setting(
        "10",
        kinds.number(0.1, 1000),
        "Chunks per second of the whole group; with many active partitions, they stay open longer.",
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

    # Rules: what they decide is part of every chunk's content
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
        "Offsets of a partition within which a repeated `source` and `id` is a duplicate; 0: none "
        "is looked for. A worker needs up to 20 bytes for each, in each of its partitions, and "
        "reads them again when it takes a partition up.",
    )
    override_rules: bool = _setting(
        "false",
        kinds.boolean(),
        "Replay a chunk that was begun under other rules. It may count differently.",
    )

    # The API
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

    # Who is let in
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

    # The process
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

    def topic(self, name: str) -> str:
        """The name under which Kafka knows the topic: the prefix before it."""
        return self.topic_prefix + name


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: values are missing or wrong, or variables are unknown; all of them are named.
    """
    environ = os.environ if environ is None else environ
    problems = list(_unknown(environ))
    values: dict[str, Any] = {}
    for one in fields(Settings):
        try:
            found = _find(one, environ)
            if found is not None:
                values[one.name] = _read(one, *found)
        except SettingsError as error:
            problems.append(error.message)
    if not problems:
        settings = Settings(**values)
        problems = list(_contradictions(settings))
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def variable(one: Field[Any]) -> str:
    """The environment variable of a field of :class:`Settings`."""
    return PREFIX + one.name.upper()


def _kind(one: Field[Any]) -> Kind[Any]:
    return cast("Kind[Any]", one.metadata["kind"])


def _find(one: Field[Any], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable that was set and its value, from a file if it names one; None: neither."""
    name = variable(one)
    from_file = f"{name}_FILE"
    if not _kind(one).secret or from_file not in environ:
        return (name, environ[name]) if name in environ else None
    if name in environ:
        raise SettingsError(f"{name} and {from_file} are both set; set one of them")
    try:
        return from_file, Path(environ[from_file]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(
            f"{from_file} names {environ[from_file]!r}, which cannot be read ({why}); "
            "allowed: the path of a readable text file"
        ) from None


def _read(one: Field[Any], name: str, value: str) -> Any:
    kind = _kind(one)
    try:
        return kind.read(value)
    except (ValueError, OSError):
        found = "something else (not shown)" if kind.secret else _shortened(value)
        raise SettingsError(f"{name} is {found}; allowed: {kind.allowed}") from None


def _shortened(value: str) -> str:
    longest = 80
    return repr(value if len(value) <= longest else value[:longest] + "…")


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {variable(one) for one in fields(Settings)}
    known |= {f"{variable(one)}_FILE" for one in fields(Settings) if _kind(one).secret}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or _SERVICE_LINK.search(name):
            continue
        close = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {close[0]}?" if close else "`usage settings` lists those there are"
        yield f"{name} is not a setting; {hint}"


def _contradictions(settings: Settings) -> Iterator[str]:
    """What is wrong between settings that are each right."""
    yield from _of_kafka(settings)
    if settings.clickhouse_ca and not settings.clickhouse.secure:
        yield "USAGE_CLICKHOUSE_CA is set, but USAGE_CLICKHOUSE begins with http://; allowed: https://"
    if bool(settings.oidc_issuer) != bool(settings.oidc_audience):
        yield "USAGE_OIDC_ISSUER and USAGE_OIDC_AUDIENCE go together; one of them is not set"
    if settings.chunk_events > settings.buffer_events:
        yield (
            f"USAGE_CHUNK_EVENTS is {settings.chunk_events}, more than USAGE_BUFFER_EVENTS "
            f"({settings.buffer_events}); allowed: at most that"
        )
    if settings.chunk_bytes > settings.buffer_bytes:
        yield (
            f"USAGE_CHUNK_BYTES is {settings.chunk_bytes}, more than USAGE_BUFFER_BYTES "
            f"({settings.buffer_bytes}); allowed: at most that"
        )


def _of_kafka(settings: Settings) -> Iterator[str]:
    sasl = settings.kafka_security.startswith("sasl")
    if sasl and not (settings.kafka_user and settings.kafka_password):
        yield (
            f"USAGE_KAFKA_SECURITY is {settings.kafka_security!r}, which needs USAGE_KAFKA_USER "
            "and USAGE_KAFKA_PASSWORD (or USAGE_KAFKA_PASSWORD_FILE)"
        )
    if not sasl and settings.kafka_password:
        yield (
            "USAGE_KAFKA_PASSWORD is set, but USAGE_KAFKA_SECURITY is "
            f"{settings.kafka_security!r}, which sends none; allowed with it: sasl_ssl, "
            "sasl_plaintext"
        )
    if not settings.kafka_security.endswith("ssl"):
        for name in ("kafka_ca", "kafka_cert"):
            if getattr(settings, name):
                yield (
                    f"{PREFIX}{name.upper()} is set, but USAGE_KAFKA_SECURITY is "
                    f"{settings.kafka_security!r}; allowed with it: ssl, sasl_ssl"
                )
    if bool(settings.kafka_cert) != bool(settings.kafka_key):
        yield "USAGE_KAFKA_CERT and USAGE_KAFKA_KEY go together; one of them is not set"
