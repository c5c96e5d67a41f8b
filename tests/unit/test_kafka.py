"""What the two Kafka clients are told, from the same settings."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.kafka.clients import aiokafka_config, confluent_config
from pipeline.settings import load

SASL = {
    "USAGE_KAFKA": "a:1,b:2",
    "USAGE_KAFKA_SECURITY": "sasl_ssl",
    "USAGE_KAFKA_SASL_MECHANISM": "scram-sha-256",
    "USAGE_KAFKA_USER": "me",
    "USAGE_KAFKA_PASSWORD": "hunter2",
}


def test_plaintext_is_told_nothing_more() -> None:
    settings = load({"USAGE_KAFKA": "a:1,b:2"})
    assert confluent_config(settings) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "plaintext",
    }
    assert aiokafka_config(settings) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }


def test_both_clients_log_in_alike() -> None:
    settings = load(SASL)
    assert confluent_config(settings) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "sasl_ssl",
        "sasl.mechanisms": "SCRAM-SHA-256",
        "sasl.username": "me",
        "sasl.password": "hunter2",
    }
    config = aiokafka_config(settings)
    context = config.pop("ssl_context")
    assert config == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hunter2",
    }
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_sasl_without_tls_gets_no_context() -> None:
    settings = load(SASL | {"USAGE_KAFKA_SECURITY": "sasl_plaintext"})
    assert "ssl_context" not in aiokafka_config(settings)


def test_certificates_are_named_to_librdkafka(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("ca", "cert", "key")}
    for path in paths.values():
        path.write_text("")
    environ = {f"USAGE_KAFKA_{name.upper()}": str(path) for name, path in paths.items()}
    config = confluent_config(load(environ | {"USAGE_KAFKA_SECURITY": "ssl"}))
    assert config["ssl.ca.location"] == str(paths["ca"])
    assert config["ssl.certificate.location"] == str(paths["cert"])
    assert config["ssl.key.location"] == str(paths["key"])


def test_a_file_that_is_no_certificate_is_refused_by_its_setting(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    ssl_only = {"USAGE_KAFKA_SECURITY": "ssl"}
    with pytest.raises(SettingsError, match="USAGE_KAFKA_CA cannot be used"):
        aiokafka_config(load(ssl_only | {"USAGE_KAFKA_CA": str(wrong)}))
    pair = {"USAGE_KAFKA_CERT": str(wrong), "USAGE_KAFKA_KEY": str(wrong)}
    with pytest.raises(SettingsError, match="USAGE_KAFKA_CERT and USAGE_KAFKA_KEY cannot be used"):
        aiokafka_config(load(ssl_only | pair))
