"""All settings, in one typed object, read from the environment in one place.

Every field of :class:`Settings` is one variable, ``USAGE_`` and its name in capitals. Secrets may
be read from a file instead, named by the same variable with ``_FILE`` behind it.
They are declared in `pipeline.settings.sections`; ``docs/settings.md`` is generated from there.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, cast

from pipeline.errors import SettingsError
from pipeline.settings.kinds import Kind
from pipeline.settings.sections import (
    AccessSettings,
    ApiSettings,
    ChunkSettings,
    KafkaSettings,
    ProcessSettings,
    ReportSettings,
    RuleSettings,
    StoreSettings,
)

PREFIX = "USAGE_"
# Kubernetes adds these for every service whose name begins with "usage"; they are not settings.
_SERVICE_LINK = re.compile(
    r"_SERVICE_(HOST|PORT\w*)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$"
)


@dataclass(frozen=True, kw_only=True)
class Settings(  # a class's fields come after those of the bases behind it
    ProcessSettings,
    AccessSettings,
    ReportSettings,
    ApiSettings,
    RuleSettings,
    ChunkSettings,
    StoreSettings,
    KafkaSettings,
):
    """How one process of the pipeline runs. Without any variable: everything on this machine."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, or from what is given instead.

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
    if len(settings.clickhouse.addresses) > 1 and not settings.clickhouse_cluster:
        yield (
            "USAGE_CLICKHOUSE names several servers, but USAGE_CLICKHOUSE_CLUSTER no cluster: what "
            "is inserted at one of them would not be at the others; set both, or one address"
        )
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
