"""Settings: what is refused, how it is said, and that secrets stay secret."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.facts.rules import Rules, rules_of
from pipeline.settings import Settings, load, page, variable

WRONG = {
    "USAGE_KAFKA": ["", "kafka", "kafka:0", "kafka:65536", "a:1,,b:2", "a:1;b:2", "http://a:1"],
    "USAGE_KAFKA_SECURITY": ["", "tls", "plain"],
    "USAGE_KAFKA_CA": ["/nonexistent.pem"],
    "USAGE_KAFKA_CERT": ["/nonexistent.pem"],
    "USAGE_KAFKA_KEY": ["/nonexistent.pem"],
    "USAGE_KAFKA_SASL_MECHANISM": ["", "GSSAPI"],
    "USAGE_KAFKA_USER": ["a\nb"],
    "USAGE_GROUP": ["", "a b", "a" * 201, "a/b"],
    "USAGE_TOPIC_PREFIX": ["a b", "ä", "a" * 101],
    "USAGE_PARTITIONS": ["", "0", "-1", "1.5", "10001", "eight", "1e1", "٣"],
    "USAGE_REPLICATION": ["0", "11"],
    "USAGE_RETENTION_HOURS": ["0", "-1"],
    "USAGE_SESSION_TIMEOUT_SECONDS": ["0", "x", "1801"],
    "USAGE_REBALANCE_TIMEOUT_SECONDS": ["0", "3601"],
    "USAGE_CLICKHOUSE_CA": ["/nonexistent.pem"],
    "USAGE_CLICKHOUSE_CLUSTER": ["a b", "a" * 101, "it's"],
    "USAGE_KEEP_MINUTE_ROWS": ["-1", "36501"],
    "USAGE_KEEP_QUARTER_HOUR_ROWS": ["-1", "1.0"],
    "USAGE_KEEP_PRODUCT_EVENTS_DAYS": ["-1", "36501"],
    "USAGE_FLUSH_SECONDS": ["", "0", "-1", "nan", "inf", "1s", "301"],
    "USAGE_INSERTS_PER_SECOND": ["0", "1001"],
    "USAGE_CHUNK_EVENTS": ["0", "1000001"],
    "USAGE_CHUNK_BYTES": ["1048575", "268435457", "64MiB"],
    "USAGE_BUFFER_EVENTS": ["0"],
    "USAGE_BUFFER_BYTES": ["1048575"],
    "USAGE_QUIET_EVENTS": ["-1", "a few"],
    "USAGE_SETTLE_SECONDS": ["-1", "601"],
    "USAGE_TOO_EARLY_SECONDS": ["-1"],
    "USAGE_TOO_LATE_SECONDS": ["-1"],
    "USAGE_DUPLICATE_WINDOW": ["-1", "100000001"],
    "USAGE_OVERRIDE_RULES": ["", "1", "yes"],
    "USAGE_OVERRIDE_LOST_ENDS": ["", "1", "yes"],
    "USAGE_API_HOST": ["a\nb"],
    "USAGE_API_PORT": ["-1", "65536", "http"],
    "USAGE_API_REQUESTS_PER_MINUTE": ["0", "1.5"],
    "USAGE_API_QUERIES_AT_ONCE": ["0", "1001"],
    "USAGE_REPORTS": ["", __file__],
    "USAGE_REPORTS_AT_ONCE": ["0", "101"],
    "USAGE_KEEP_REPORTS": ["0", "3651"],
    "USAGE_OIDC_ISSUER": ["idp", "http://idp.example", "https://", "https://u@idp", "https://a b"],
    "USAGE_OIDC_AUDIENCE": ["a\nb"],
    "USAGE_OIDC_USER_CLAIM": ["", "a b"],
    "USAGE_PROXY_ADDRESSES": ["proxy", "10.0.0.300", "10.0.0.1/8", "0.0.0.0/0", "::/0"],
    "USAGE_PROXY_USER_HEADER": ["", "a b", "a:b"],
    "USAGE_READER": ["", "rust"],
    "USAGE_DATA": ["", __file__],
    "USAGE_WEB_PORT": ["0", "65536"],
    "USAGE_TENANT_LABELS": ["-1", "100001"],
    "USAGE_TENANTS_WITH_LABELS": ["a\nb"],
    "USAGE_LOG_LEVEL": ["", "loud"],
    "USAGE_LOG_FORMAT": ["xml"],
    "USAGE_HOOK": ["module", "module:", ":f", "a b:c"],
}
WRONG_URLS = [
    "",
    "127.0.0.1:8123/usage",
    "ftp://u:hunter2@host/usage",
    "http://u:hunter2@host",
    "http://u:hunter2@host:8123/",
    "http://u:hunter2@host:99999/usage",
    "http://u:hunter2@host:x/usage",
    "http://u:hunter2@/usage",
    "http://u:hunter2@host/usage?x=1",
    "http://u:hunter2@host/us-age",
    "http://u:hunter2@host/usage,host-2",
    "http://u:hunter2@host/usage;",
    "http://u:hunter2@host/usage,http://b,",
    "http://u:hunter2@host%2Cb/usage",
    "http://u:hunter2@a b/usage",
    "http://u:hunter2@host/usage,https://host-2",
    "http://u:hunter2@host/usage,http://u:other@host-2",
    "http://u:hunter2@host/usage;http://host-2/other",
    "http://u:hunter2@host/usage;http://host:8123",
]
CASES = [(name, value) for name, values in WRONG.items() for value in values]


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert caught.value.exit_code == 78
    return caught.value.message


def test_a_clusters_servers_are_read_shard_by_shard() -> None:
    url = "https://me:a,b;c@a1/usage,https://a2:9443 ; https://[::1]/usage,https://me:a,b;c@b2/"
    environ = {"USAGE_CLICKHOUSE": url, "USAGE_CLICKHOUSE_CLUSTER": "main"}
    store = load(environ).clickhouse
    assert store.shards == ((("a1", 8443), ("a2", 9443)), (("::1", 8443), ("b2", 8443)))
    assert (store.host, store.user, store.database) == ("a1", "me", "usage")
    assert store.password.reveal() == "a,b;c"
    shown = "https://me:***@a1:8443/usage,https://a2:9443;https://[::1]:8443,https://b2:8443"
    assert str(store) == shown
    assert load(environ | {"USAGE_CLICKHOUSE": shown}).clickhouse.shards == store.shards


def test_the_wrong_values_cover_every_setting() -> None:
    takes_any_text = {"USAGE_KAFKA_PASSWORD", "USAGE_API_SECRET"}
    known = {variable(one) for one in fields(Settings)}
    assert known == WRONG.keys() | takes_any_text | {"USAGE_CLICKHOUSE"}


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_wrong_value_is_refused_with_name_finding_and_allowed(name: str, value: str) -> None:
    message = refused(**{name: value})
    kind = next(one.metadata["kind"] for one in fields(Settings) if variable(one) == name)
    assert name in message
    assert repr(value)[:80] in message
    assert f"allowed: {kind.allowed}" in message


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_wrong_store_url_is_refused_without_showing_it(url: str) -> None:
    message = refused(USAGE_CLICKHOUSE=url)
    assert message.startswith("USAGE_CLICKHOUSE is something else (not shown); allowed: http(s)://")
    assert "hunter2" not in message


def test_every_problem_is_said_at_once() -> None:
    message = refused(USAGE_PARTITIONS="none", USAGE_FLUSH_SECONDS="x", USAGE_KAFAK="a:1")
    assert "USAGE_PARTITIONS" in message
    assert "USAGE_FLUSH_SECONDS" in message
    assert "USAGE_KAFAK is not a setting; did you mean USAGE_KAFKA?" in message


def test_the_links_that_kubernetes_adds_are_no_settings() -> None:
    load({"USAGE_STORE_SERVICE_HOST": "10.0.0.1", "USAGE_STORE_PORT_8123_TCP": "tcp://10.0.0.1"})


@pytest.mark.parametrize("one", fields(Settings), ids=variable)
def test_a_default_is_allowed_and_survives_being_written(one: object) -> None:
    listed = dict(line.split("=", 1) for line in page.listing(load({})).splitlines())
    name = variable(one)  # type: ignore[arg-type]  # pytest's parameters are objects
    written = {name: listed[name].replace("***", "")}
    assert load(written) == load({})


def test_values_reach_their_fields() -> None:
    settings = load(
        {
            "USAGE_KAFKA": "a:1, [::1]:2",
            "USAGE_CLICKHOUSE": "https://u:p%40ss@ch.example/numbers",
            "USAGE_TOPIC_PREFIX": "staging.",
            "USAGE_FLUSH_SECONDS": "2.5",
            "USAGE_TENANTS_WITH_LABELS": "a, b,",
            "USAGE_OVERRIDE_RULES": "TRUE",
        }
    )
    assert settings.kafka == "a:1,[::1]:2"
    assert (settings.clickhouse.host, settings.clickhouse.port) == ("ch.example", 8443)
    assert settings.clickhouse.password.reveal() == "p@ss"
    assert settings.topic("usage.requests") == "staging.usage.requests"
    assert settings.flush_seconds == 2.5
    assert settings.tenants_with_labels == ("a", "b")
    assert "USAGE_TENANTS_WITH_LABELS=a,b\n" in page.listing(settings)
    assert settings.override_rules is True


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    url = tmp_path / "url"
    url.write_text("http://u:hunter3@h:1/d")
    settings = load(
        {
            "USAGE_KAFKA_SECURITY": "sasl_plaintext",
            "USAGE_KAFKA_USER": "me",
            "USAGE_KAFKA_PASSWORD_FILE": str(secret),
            "USAGE_CLICKHOUSE_FILE": str(url),
        }
    )
    assert settings.kafka_password.reveal() == "hunter2"
    assert settings.clickhouse.password.reveal() == "hunter3"


def test_a_secret_given_twice_or_not_readable_is_refused(tmp_path: Path) -> None:
    both = refused(USAGE_KAFKA_PASSWORD="hunter2", USAGE_KAFKA_PASSWORD_FILE="x")
    assert "USAGE_KAFKA_PASSWORD and USAGE_KAFKA_PASSWORD_FILE are both set" in both
    assert "hunter2" not in both
    missing = str(tmp_path / "missing")
    assert missing in refused(USAGE_CLICKHOUSE_FILE=missing)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused(USAGE_CLICKHOUSE_FILE=str(binary))


def test_only_secrets_are_read_from_files() -> None:
    assert "USAGE_GROUP_FILE is not a setting" in refused(USAGE_GROUP_FILE="x")


def test_secrets_are_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    settings = load(
        {
            "USAGE_KAFKA_SECURITY": "sasl_ssl",
            "USAGE_KAFKA_USER": "me",
            "USAGE_KAFKA_PASSWORD": "hunter2",
            "USAGE_CLICKHOUSE": "http://u:hunter3@h:1/d",
        }
    )
    logging.getLogger().warning("%s %r %s", settings, settings, settings.clickhouse)
    shown = "".join(
        [
            repr(settings),
            str(settings.kafka_password),
            f"{settings.kafka_password!r} {settings.clickhouse} {settings.clickhouse!r}",
            page.listing(settings),
            caplog.text,
        ]
    )
    assert "hunter" not in shown
    assert "http://u:***@h:1/d" in shown


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"USAGE_KAFKA_SECURITY": "sasl_ssl"}, "needs USAGE_KAFKA_USER and USAGE_KAFKA_PASSWORD"),
        ({"USAGE_KAFKA_PASSWORD": "hunter2"}, "USAGE_KAFKA_PASSWORD is set, but"),
        ({"USAGE_KAFKA_CA": __file__}, "USAGE_KAFKA_CA is set, but USAGE_KAFKA_SECURITY"),
        ({"USAGE_KAFKA_SECURITY": "ssl", "USAGE_KAFKA_CERT": __file__}, "go together"),
        ({"USAGE_CLICKHOUSE_CA": __file__}, "USAGE_CLICKHOUSE_CA is set, but"),
        (
            {"USAGE_CLICKHOUSE": "http://a/usage,http://b"},
            "several servers, but USAGE_CLICKHOUSE_CLUSTER no cluster",
        ),
        ({"USAGE_BUFFER_EVENTS": "10"}, "USAGE_CHUNK_EVENTS is 100000, more than"),
        ({"USAGE_BUFFER_BYTES": "1048576"}, "USAGE_CHUNK_BYTES is 67108864, more than"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    environ: dict[str, str], said: str
) -> None:
    message = refused(**environ)
    assert said in message
    assert "hunter2" not in message


def test_the_page_of_settings_is_fresh() -> None:
    written = Path(__file__).parents[2] / "docs" / "settings.md"
    assert written.read_text(encoding="utf-8") == page.markdown(), "run `make docs`"


def test_rules_have_the_defaults_of_the_settings() -> None:
    assert rules_of(load({})) == Rules()
    assert rules_of(load({"USAGE_TOO_LATE_SECONDS": "60"})) == Rules(too_late_seconds=60)
