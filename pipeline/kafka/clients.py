"""How the two Kafka clients are told where the brokers are and as whom to speak to them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.settings import Settings


def confluent_config(settings: Settings) -> dict[str, Any]:
    """Connection and security for confluent-kafka (librdkafka), for any of its clients."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka,
        "security.protocol": settings.kafka_security,
    }
    paths = {
        "ssl.ca.location": settings.kafka_ca,
        "ssl.certificate.location": settings.kafka_cert,
        "ssl.key.location": settings.kafka_key,
    }
    config |= {key: str(path) for key, path in paths.items() if path}
    if _sasl(settings):
        config["sasl.mechanisms"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_user
        config["sasl.password"] = settings.kafka_password.reveal()
    return config


def aiokafka_config(settings: Settings) -> dict[str, Any]:
    """Connection and security for aiokafka's clients, as keyword arguments.

    Raises:
        SettingsError: a certificate or key cannot be used.
    """
    config: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security.upper(),
    }
    if settings.kafka_security.endswith("ssl"):
        config["ssl_context"] = _ssl_context(settings)
    if _sasl(settings):
        config["sasl_mechanism"] = settings.kafka_sasl_mechanism
        config["sasl_plain_username"] = settings.kafka_user
        config["sasl_plain_password"] = settings.kafka_password.reveal()
    return config


def _sasl(settings: Settings) -> bool:
    return settings.kafka_security.startswith("sasl")


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    used = "USAGE_KAFKA_CA"
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca)
        if settings.kafka_cert:
            used = "USAGE_KAFKA_CERT and USAGE_KAFKA_KEY"
            context.load_cert_chain(settings.kafka_cert, settings.kafka_key)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"{used} cannot be used ({error}); allowed: PEM files, a key without a passphrase"
        ) from None
    return context
