"""docker-compose.yml as text that is read, and its services as processes of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")

Service = dict[str, Any]


def read() -> dict[str, Any]:
    """Return the file, variables replaced by their defaults."""
    found: Any = YAML(typ="safe").load(_VARIABLE.sub(_default, FILE.read_text()))
    return dict(found)


def services() -> dict[str, Service]:
    """Return the services by name."""
    return dict(read()["services"])


def in_yaml(path: str) -> dict[str, Any]:
    """Return a file of the repository that is YAML."""
    return dict(YAML(typ="safe").load(ROOT / path))


def _default(found: re.Match[str]) -> str:
    return found[2] or ""


def is_ours(service: Service) -> bool:
    """Say whether it runs the image that this repository builds."""
    return "build" in service


def dependencies(service: Service) -> Mapping[str, str]:
    """Return the condition for each service that it depends on."""
    return {name: one["condition"] for name, one in service.get("depends_on", {}).items()}


def in_order(all_services: Mapping[str, Service]) -> Iterator[str]:
    """Yield the names, each after those it depends on."""
    graph = {name: set(dependencies(service)) for name, service in all_services.items()}
    yield from TopologicalSorter(graph).static_order()


def environment(service: Service, hosts: Mapping[str, str]) -> dict[str, str]:
    """Return a service's environment with other services' addresses replaced (host:port)."""
    found = {name: str(value) for name, value in service.get("environment", {}).items()}
    for name, value in found.items():
        for there, here in hosts.items():
            value = value.replace(there, here)
        found[name] = value
    return found


def kafka_properties(service: Service) -> dict[str, str]:
    """Return the broker's properties, as the image makes them of KAFKA_… variables."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in service["environment"].items()
        if name.startswith("KAFKA_")
    }


def dockerfile() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions: name and the rest, on one line each."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in found]
