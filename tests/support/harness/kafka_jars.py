"""Apache Kafka's jars from Maven, and ZooKeeper's, once, into a git-ignored cache here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "4.1.1"
ZOOKEEPER_VERSION = "3.9.3"
_ROOT = Path(__file__).parents[3]
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class MissingTool(RuntimeError):
    """A program that the tests need is not installed; the message says which, and what to do."""


def require(tool: str) -> str:
    """Return the tool's path; raise `MissingTool` with one clear sentence without it."""
    path = shutil.which(tool)
    if path is None:
        raise MissingTool(
            f"The tests run a real Kafka broker and need Java 17 and Maven: `{tool}` is not on the "
            "PATH (Debian: apt-get install openjdk-17-jre-headless maven)."
        )
    return path


def kafka_jars() -> Path:
    """Return the folder of the broker's jars; fetched by Maven when it is not there yet."""
    return _jars("kafka", VERSION)


def zookeeper_jars() -> Path:
    """Return the folder of ZooKeeper's jars likewise."""
    return _jars("zookeeper", ZOOKEEPER_VERSION)


def _jars(what: str, version: str) -> Path:
    return fetched(Path(__file__).parent / what / "pom.xml", f"{what}-{version}")


def fetched(pom: Path, name: str) -> Path:
    """Return the folder of the jars that a pom names, called so in the cache; fetched when new."""
    cache = _ROOT / ".cache" / name
    require("java")
    if (cache / "complete").exists():
        return cache
    partial = cache.with_name(f"{cache.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = [require("mvn"), "-q", "-B", "-f", str(pom), _GOAL, f"-DoutputDirectory={partial}"]
    done = subprocess.run(command, cwd=partial, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(partial)
        raise MissingTool(f"Maven could not fetch {name}:\n{done.stdout[-2000:]}")
    (partial / "complete").touch()
    shutil.rmtree(cache, ignore_errors=True)
    partial.rename(cache)
    return cache


if __name__ == "__main__":
    print(kafka_jars())
