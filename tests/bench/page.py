"""``docs/benchmarks.md``: each benchmark's lines stand between its own two markers."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.support.harness.kafka_jars import VERSION as KAFKA_VERSION

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_PACKAGES = (
    "faust-streaming",
    "aiokafka",
    "msgspec",
    "clickhouse-connect",
    "chdb",
    "confluent-kafka",
    "cramjam",
    "numpy",
)


def write(name: str, lines: Sequence[str]) -> None:
    """Replace a benchmark's lines in the page, which must have its markers."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = PAGE.read_text()
    assert begin in text, f"{PAGE.name} has no place for {name}"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text("\n".join([before + begin, *lines, end + after]))


def machine() -> list[str]:
    """What everything ran on: no names of hosts, no paths."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert cpu is not None
    assert memory is not None
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [
        (
            f"- {os.cpu_count()} cores of {cpu[1]}, {int(memory[1]) / 2**20:.0f} GiB, "
            f"Linux {platform.release().partition('-')[0]}"
        ),
        f"- Apache Kafka {KAFKA_VERSION} (one broker, KRaft; {java.stderr.splitlines()[0]})",
        f"- Python {platform.python_version()}; {packages}",
    ]


def load_average() -> str:
    """How busy the machine is, ours included."""
    one, five, _ = os.getloadavg()
    return f"load average {one:.1f} over 1 minute, {five:.1f} over 5"
