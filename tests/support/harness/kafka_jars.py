"""Apache Kafka's jars from Maven, once, into a git-ignored cache in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "4.1.1"
_ROOT = Path(__file__).parents[3]
_POM = Path(__file__).parent / "kafka" / "pom.xml"
_CACHE = _ROOT / ".cache" / f"kafka-{VERSION}"
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
    require("java")
    if (_CACHE / "complete").exists():
        return _CACHE
    partial = _CACHE.with_name(f"{_CACHE.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = [require("mvn"), "-q", "-B", "-f", str(_POM), _GOAL, f"-DoutputDirectory={partial}"]
    done = subprocess.run(command, cwd=partial, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(partial)
        raise MissingTool(f"Maven could not fetch Apache Kafka {VERSION}:\n{done.stdout[-2000:]}")
    (partial / "complete").touch()
    shutil.rmtree(_CACHE, ignore_errors=True)
    partial.rename(_CACHE)
    return _CACHE


if __name__ == "__main__":
    print(kafka_jars())
