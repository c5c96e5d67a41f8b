"""docker-compose.yml and the Dockerfile: valid, and started here the way they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.clickhouse.client import Store
from pipeline.settings import load
from tests.support.harness import compose
from tests.support.harness.compose import Service
from tests.support.harness.engine_as import engine_as
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

SERVICES = compose.services()
OURS = {name: one for name, one in SERVICES.items() if compose.is_ours(one)}
USERS = "deploy/clickhouse/users.d/grafana.xml"
CONDITIONS = {"service_healthy", "service_completed_successfully"}


def test_valid_by_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(compose.FILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_environments_are_settings(name: str) -> None:
    """Names and values that `load` takes, with addresses of services that are there."""
    settings = load(compose.environment(OURS[name], {}))
    assert settings.kafka.partition(":")[0] in SERVICES
    assert settings.clickhouse.host in SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_waited_for_can_come(name: str) -> None:
    for other, condition in compose.dependencies(SERVICES[name]).items():
        assert condition in CONDITIONS
        if condition == "service_healthy":
            assert SERVICES[other]["healthcheck"]["test"]
        else:
            assert SERVICES[other].get("restart", "no") == "no", f"{other} never completes"


def test_ports_are_open_to_this_host_only() -> None:
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    """Files of this repository, read only; volumes and secrets that are declared."""
    declared = compose.read()
    for mounted in SERVICES[name].get("volumes", []):
        source, target, *mode = mounted.split(":")
        if source.startswith("./"):
            assert (compose.ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in declared["volumes"]
        assert target.startswith("/")
    for secret in SERVICES[name].get("secrets", []):
        assert declared["secrets"][secret]["file"] == "/dev/null", "none is needed to start"


def test_prometheus_finds_its_targets_and_its_key() -> None:
    config = compose.in_yaml("deploy/prometheus/prometheus.yml")
    targets = {
        one["job_name"]: one["dns_sd_configs"][0]["names"] for one in config["scrape_configs"]
    }
    assert all(name in SERVICES for names in targets.values() for name in names)
    key = config["scrape_configs"][1]["authorization"]["credentials_file"]
    assert key == f"/run/secrets/{SERVICES['prometheus']['secrets'][0]}"
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]


def test_grafana_finds_its_data_sources_and_dashboards() -> None:
    grafana, clickhouse = SERVICES["grafana"], SERVICES["clickhouse"]
    mounted = {target: source for source, target, _ in (v.split(":") for v in local(grafana))}
    provisioning = mounted["/etc/grafana/provisioning"]
    sources = compose.in_yaml(f"{provisioning}/datasources/usage.yaml")["datasources"]
    user = clickhouse_user()
    for one in sources:
        host = one["jsonData"].get("host") or one["url"].split("/")[2].partition(":")[0]
        assert host in SERVICES
        if one["type"] == "grafana-clickhouse-datasource":
            plugin = grafana["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
            assert plugin == f"{one['type']}@{one['jsonData']['version']}"
            assert one["jsonData"]["username"] == user.tag
            assert one["secureJsonData"]["password"] == "$GRAFANA_CLICKHOUSE_PASSWORD"
    same = {
        service["environment"]["GRAFANA_CLICKHOUSE_PASSWORD"] for service in (grafana, clickhouse)
    }
    assert len(same) == 1
    [password] = user.iter("password")
    assert password.attrib == {"from_env": "GRAFANA_CLICKHOUSE_PASSWORD"}
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    providers = compose.in_yaml(f"{provisioning}/dashboards/usage.yaml")["providers"]
    for path in (home, providers[0]["options"]["path"]):
        assert (
            compose.ROOT / path.replace("/etc/grafana/usage", mounted["/etc/grafana/usage"])
        ).exists()


def test_grafanas_user_reads_and_sees_no_keys(tmp_path: Path) -> None:
    """Its grants and its profile, in an engine."""
    tables = ("requests_1m", "_access", "_keys", "_key_uses")
    with engine_as(tmp_path / "store", tmp_path / "owner") as owner:
        owner.rows("CREATE DATABASE usage")
        for table in tables:
            owner.rows(f"CREATE TABLE usage.{table} (x Int64) ENGINE = MergeTree ORDER BY x")
        owner.rows("CREATE TABLE usage.j (n UInt8, x Int64) ENGINE = Join(ANY, LEFT, n)")
        owner.rows(
            "CREATE VIEW usage.v AS SELECT x FROM usage.requests_1m "
            "WHERE x > {since:Int64} AND x != joinGet('usage.j', 'x', toUInt8(0))"
        )
    user = clickhouse_user()
    grants = [str(one.text) for one in user.iter("query")]
    users = ET.parse(compose.ROOT / USERS).getroot()
    profile = users.find("profiles/grafana")
    assert profile is not None
    settings = "".join(ET.tostring(one, encoding="unicode") for one in profile)
    with engine_as(tmp_path / "store", tmp_path / "grafana", grants, settings) as grafana:
        assert (
            grafana.rows("SELECT * FROM usage.v(since = 1) SETTINGS max_execution_time = 64") == []
        )
        for refused in (
            *(f"SELECT * FROM usage.{table}" for table in tables[1:]),
            "INSERT INTO usage.requests_1m VALUES (1)",
            "SELECT 1 SETTINGS max_execution_time = 0",
            "SET readonly = 0",
            "DROP TABLE usage.requests_1m",
        ):
            assert isinstance(grafana.ask(refused), str), refused


def local(service: Service) -> list[str]:
    """What of this repository is mounted."""
    return [one for one in service["volumes"] if one.startswith("./")]


def clickhouse_user() -> ET.Element:
    """The user of ``users.d`` that is mounted."""
    assert f"./{USERS}:" in " ".join(SERVICES["clickhouse"]["volumes"])
    [user] = ET.parse(compose.ROOT / USERS).getroot().iterfind("users/*")
    return user


class ComposeKafka(KafkaBroker):
    """A broker with the properties of the file's service; addresses and folder are this test's."""

    def _format(self) -> None:
        properties = compose.kafka_properties(SERVICES["kafka"])
        addresses = {
            "kafka:9092": self.servers,
            ":9092": f"127.0.0.1:{self.servers.rpartition(':')[2]}",
            ":19092": f"127.0.0.1:{free_port()}",
            "9093": str(free_port()),
        }
        own = {"log.dirs": str(self._folder / "data")}
        lines = [f"{name}={_replaced(value, addresses)}" for name, value in properties.items()]
        lines += [f"{name}={value}" for name, value in own.items()]
        self._properties.write_text("\n".join(lines))
        cluster = SERVICES["kafka"]["environment"]["CLUSTER_ID"]
        tool = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c")
        subprocess.run(self._java(*tool), check=True, capture_output=True)


def _replaced(value: str, addresses: dict[str, str]) -> str:
    parts = []
    for part in value.split(","):
        name, slashes, address = part.partition("://")
        if not slashes:
            parts.append(part.replace("localhost:9093", f"127.0.0.1:{addresses['9093']}"))
        elif address in addresses:
            parts.append(name + slashes + addresses[address])
        else:
            port = address.rpartition(":")[2]
            parts.append(f"{name}{slashes}127.0.0.1:{addresses.get(port, port)}")
    return ",".join(parts)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[ComposeKafka]:
    kafka = ComposeKafka(tmp_path)
    kafka.start()
    yield kafka
    kafka.kill9()


def test_every_service_as_the_file_says(
    own_kafka: ComposeKafka, store: EmbeddedStore, tmp_path: Path
) -> None:
    """In the file's order, each when its conditions hold; a simulated event comes out."""
    hosts = {"kafka:9092": own_kafka.servers, "clickhouse:8123": f"127.0.0.1:{store.port}"}
    running: dict[str, Process] = {}
    folder = tmp_path / "working-folder"
    folder.mkdir()
    try:
        for name in compose.in_order(OURS | {n: {} for n in ("kafka", "clickhouse")}):
            if name in OURS:
                _await_conditions(OURS[name], running)
                running[name] = _start(name, OURS[name], hosts, folder)
        _await_events(hosts)
        for name, service in reversed(OURS.items()):
            if running[name].is_running:
                grace = float(service.get("stop_grace_period", "10s").removesuffix("s"))
                assert running[name].terminate(grace) == 0, running[name].tail()
        made = {path.name for path in folder.iterdir()} - {p.log.name for p in running.values()}
        assert not made, "an image's user may write nowhere"
    finally:
        for process in running.values():
            if process.is_running:
                process.kill9()


def _start(name: str, service: Service, hosts: dict[str, str], folder: Path) -> Process:
    entrypoint = dict(compose.dockerfile())["ENTRYPOINT"]
    assert json.loads(entrypoint) == ["usage"]
    # Not in containers, so the services' own ports would be this machine's.
    ports = {"USAGE_WEB_PORT": str(free_port()), "USAGE_API_PORT": str(free_port())}
    environment = compose.environment(service, hosts) | ports
    before = Path.cwd()
    os.chdir(folder)
    try:
        return usage(name, *service["command"], environment=environment, folder=folder)
    finally:
        os.chdir(before)


def _await_conditions(service: Service, running: dict[str, Process]) -> None:
    for other, condition in compose.dependencies(service).items():
        if condition == "service_completed_successfully":
            assert running[other].wait(60) == 0, running[other].tail()


def _await_events(hosts: dict[str, str]) -> None:
    store = Store.connect(load(compose.environment(OURS["worker"], hosts)))
    try:
        for table, column in (("requests_15m", "requests"), ("tasks_15m", "tasks")):
            until(
                lambda t=table, c=column: store.query(f"SELECT sum({c}) FROM {t}")[0][0],  # type: ignore[misc]
                within=60,
                what=f"events in {table}",
            )
    finally:
        store.close()
