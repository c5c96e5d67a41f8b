"""deploy/kubernetes through Kustomize itself: the base, and an overlay with the component."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tests.support.harness import compose

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

FOLDER = compose.ROOT / "deploy" / "kubernetes"
PROGRAM = compose.ROOT / "tests" / "support" / "kustomize"
RELEASE = "1.37"
OVERLAY = """
resources: [{base}]
components: [{base}/scale-by-lag]
images:
  - name: usage-pipeline
    newName: images.example.com/usage-pipeline
    newTag: "2"
configMapGenerator:
  - name: usage-settings
    namespace: usage
    behavior: merge
    literals: ["USAGE_KAFKA=one:9093,two:9093"]
"""

Manifest = dict[str, Any]


def built(folder: Path) -> list[Manifest]:
    """What Kustomize makes of a folder, each object valid."""
    command = ["go", "-C", str(PROGRAM), "tool", "kustomize", "build", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = [dict(one) for one in YAML(typ="safe").load_all(text)]
    for one in objects:
        if not one["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(one, RELEASE, strict=True)
    return objects


def test_the_base_and_an_overlay(tmp_path: Path) -> None:
    base = built(FOLDER)
    assert {one["metadata"]["namespace"] for one in base} == {"usage"}

    path = os.path.relpath(FOLDER, tmp_path)
    (tmp_path / "kustomization.yaml").write_text(OVERLAY.format(base=path))
    overlay = built(tmp_path)
    [settings] = (one for one in overlay if one["kind"] == "ConfigMap")
    assert settings["data"]["USAGE_KAFKA"] == "one:9093,two:9093"
    assert settings["data"]["USAGE_REPLICATION"] == "3", "the base's others stay"
    pods = [one["spec"]["template"]["spec"] for one in overlay if "template" in one.get("spec", {})]
    [container] = (one for pod in pods for one in pod["containers"] if one["name"] == "worker")
    assert container["image"] == "images.example.com/usage-pipeline:2"
    assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    [worker] = (
        one
        for one in overlay
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "worker"
    )
    assert "replicas" not in worker["spec"], "KEDA sets how many there are"
    assert {one["kind"] for one in overlay} == {one["kind"] for one in base} | {"ScaledObject"}
