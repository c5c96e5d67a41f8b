"""deploy/kubernetes as its files say it: Kubernetes' own schemas, and what this program takes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from pipeline.api.application import ROUTES
from pipeline.cli.main import cli
from pipeline.kafka.topics import COUNTED
from pipeline.settings import load
from tests.support.harness import compose

FOLDER = compose.ROOT / "deploy" / "kubernetes"
RELEASES = ("1.29", "1.37")
KINDS = {"Deployment", "Job"}

Manifest = dict[str, Any]


def manifests(folder: Path = FOLDER) -> Iterator[Manifest]:
    """The objects of a folder's files, but its kustomization."""
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from YAML(typ="safe").load_all(path)


def kustomization() -> Manifest:
    return dict(YAML(typ="safe").load(FOLDER / "kustomization.yaml"))


OBJECTS = {f"{one['kind']} {one['metadata']['name']}": one for one in manifests()}
PODS = {
    name: one["spec"]["template"]["spec"] for name, one in OBJECTS.items() if one["kind"] in KINDS
}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", OBJECTS)
def test_valid_by_kubernetes(name: str, release: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], release, strict=True)


def test_every_file_is_a_resource() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization()["resources"]) == files


def test_the_image_is_this_release() -> None:
    project = tomllib.loads((compose.ROOT / "pyproject.toml").read_text())["project"]
    [image] = kustomization()["images"]
    assert image["newTag"] == project["version"]
    assert {one["image"] for pod in PODS.values() for one in pod["containers"]} == {image["name"]}


@pytest.mark.parametrize("name", PODS)
def test_pods_may_do_nothing_but_run(name: str) -> None:
    pod = PODS[name]
    user = int(dict(compose.dockerfile())["USER"])
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == user
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("name", PODS)
def test_environments_are_settings(name: str, tmp_path: Path) -> None:
    """Names and values that `load` takes; secrets are files of a mounted secret."""
    pod = PODS[name]
    [container] = pod["containers"]
    [literals] = kustomization()["configMapGenerator"]
    assert container["envFrom"] == [{"configMapRef": {"name": literals["name"]}}]
    found = dict(str(one).split("=", 1) for one in literals["literals"])
    [mount] = (one for one in container["volumeMounts"] if one["name"] == "secrets")
    for one in container["env"]:
        value = str(one["value"])
        if one["name"].endswith("_FILE"):
            folder, _, key = value.rpartition("/")
            assert folder == mount["mountPath"]
            value = str(tmp_path / key)
            Path(value).write_text(SECRETS[key])
        found[one["name"]] = value
    reports = tmp_path / "reports"
    if "USAGE_REPORTS" in found:
        mounted = {one["mountPath"] for one in container["volumeMounts"]}
        assert found["USAGE_REPORTS"] in mounted
        found["USAGE_REPORTS"] = str(reports)
    settings = load(found)
    assert settings.clickhouse.host == "clickhouse.example.com"
    assert settings.log_format == "json"


SECRETS = {
    "clickhouse": "https://usage:word@clickhouse.example.com:8443/usage",
    "kafka-password": "",
    "api-secret": "a" * 64,
}


def test_the_secrets_are_those_of_the_command_in_the_file() -> None:
    text = (FOLDER / "kustomization.yaml").read_text()
    assert all(f"--from-literal={name}=" in text for name in SECRETS)


@pytest.mark.parametrize("name", PODS)
def test_commands_are_known(name: str) -> None:
    [container] = PODS[name]["containers"]
    words = [str(one) for one in container["args"] if not str(one).startswith(("-", "0"))]
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert done.exit_code == 0, done.output


def test_probes_ask_what_is_answered() -> None:
    """A worker's port and paths, the API's routes; services and policies name the same ports."""
    defaults = load({})
    ports = {"worker": defaults.web_port, "api": defaults.api_port}
    served = {"worker": {"/healthz", "/readyz"}, "api": {route.path for route in ROUTES}}
    for name, port in ports.items():
        [container] = PODS[f"Deployment {name}"]["containers"]
        [open_port] = container["ports"]
        assert open_port["containerPort"] == port
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            asked = container[probe]["httpGet"]
            assert asked["path"] in served[name]
            assert asked["port"] == open_port["name"]
        [rule] = OBJECTS[f"NetworkPolicy {name}"]["spec"]["ingress"]
        assert rule["ports"] == [{"port": open_port["name"]}]


def test_workers_end_before_they_are_killed() -> None:
    settle = load({}).settle_seconds
    for name in ("worker", "api"):
        assert PODS[f"Deployment {name}"]["terminationGracePeriodSeconds"] > settle + 30


def test_lag_of_every_topic_that_can_be_shared_scales_workers() -> None:
    """A topic in order has one partition: more workers would not make it faster."""
    [scaled] = manifests(FOLDER / "scale-by-lag")
    triggers = [one["metadata"] for one in scaled["spec"]["triggers"]]
    assert {one["topic"] for one in triggers} == {
        spec.name for spec in COUNTED if not spec.in_order
    }
    assert {one["consumerGroup"] for one in triggers} == {load({}).group}
    assert scaled["spec"]["maxReplicaCount"] == load({}).partitions
    target = scaled["spec"]["scaleTargetRef"]["name"]
    assert f"Deployment {target}" in OBJECTS
