"""What else is used for this, in Java, from Maven Central: a consumer, Kafka Streams, Flink.

Each reads the preloaded topic and adds up requests and tokens by tenant and minute, its JSON read
by Jackson: no validation, money, duplicates, ledger or store. A process of its own, which prints
the CPU seconds between the event at which it is warm and the end.
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.bench.bed import Bed
from tests.bench.measure import Spread
from tests.bench.throughput import said_cpu, worker
from tests.bench.workload import WORKLOADS, Loaded
from tests.support.harness.kafka_jars import fetched, require
from tests.support.harness.process import Process, clean_environment
from tests.support.harness.readers import SETTINGS

_SOURCES = Path(__file__).with_name("java")
_POM = _SOURCES / "pom.xml"
_OPENED = ("java.base/java.util=ALL-UNNAMED", "java.base/java.time=ALL-UNNAMED")
"""What Flink's serializers look into."""


WARM = 0.25
"""The share of the events in which the virtual machine compiles, which is a start-up of its own."""


class Rival(NamedTuple):
    """One of them: the class that is its program, and what it is called."""

    main: str
    artifact: str
    """Whose version says which it is."""
    name: str


RIVALS = (
    Rival("Plain", "kafka-clients", "Java consumer {}, HashMap"),
    Rival("Flink", "flink-streaming-java", "Flink {} as documented, in one process"),
    Rival("Streams", "kafka-streams", "Kafka Streams {} as documented, store and changelog"),
)


def named(rival: Rival) -> str:
    """Return what a rival is called, with its version."""
    own = {"m": "http://maven.apache.org/POM/4.0.0"}
    versions = {
        one.findtext("m:artifactId", "", own): one.findtext("m:version", "", own)
        for one in ET.parse(_POM).iterfind("m:dependencies/m:dependency", own)
    }
    return rival.name.format(versions[rival.artifact])


def rivals(bed: Bed) -> list[str]:
    """The worker by each reader, and all of them, in turn, on one workload."""
    loaded = bed.loaded(WORKLOADS[1])
    found: dict[str, list[float]] = {}
    for number in range(bed.scale.runs):
        for reader in reversed(SETTINGS):
            name = f"worker, everything on, {reader} reader"
            found.setdefault(name, []).append(worker(bed, loaded, reader).worker_us)
        for rival in RIVALS:
            warm = round(loaded.events * WARM)
            process = start(bed, rival, loaded, f"{rival.main}-{number}", warm)
            found.setdefault(named(rival), []).append(said_cpu(process, loaded.events - warm))
        print(found, flush=True)
    bed.forget(loaded)
    least = Spread.of(next(iter(found.values()))).median
    return [
        (
            f"{loaded.events:,} events as above, {loaded.rows_per_event:.2f} rows per event, "
            f"{bed.scale.runs} runs in turn. The worker with everything on; the others only add up "
            "requests and tokens by tenant and minute, their JSON read by Jackson, without "
            "validation, money, duplicates, a ledger or a store, and without the first quarter, in "
            "which Java compiles. CPU µs per event, all threads."
        ),
        "",
        "| | best / median | ÷ worker |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {Spread.of(taken).text()} | {Spread.of(taken).median / least:.1f} |"
            for name, taken in found.items()
        ),
    ]


def start(bed: Bed, rival: Rival, loaded: Loaded, name: str, warm: int) -> Process:
    """Start one over a topic, as a group of that name; it is warm after so many events."""
    folder = Path(tempfile.mkdtemp(dir=bed.folder))
    opened = [f"--add-opens={module}" for module in _OPENED]
    java = [
        require("java"),
        "-Xmx1g",
        f"-Dwarm={warm}",
        *opened,
        "-cp",
        _classes(bed.folder),
        rival.main,
    ]
    topic = [bed.kafka.servers, loaded.topic, str(loaded.partitions), str(loaded.events)]
    return Process(rival.main, [*java, *topic, name, str(folder)], clean_environment(), folder)


@cache
def _classes(folder: Path) -> str:
    """Return the class path, with the programs compiled into a folder."""
    jars = fetched(_POM, f"rivals-{sha256(_POM.read_bytes()).hexdigest()[:12]}")
    classes = folder / "java-classes"
    command = [require("javac"), "-d", str(classes), "-cp", f"{jars}/*"]
    subprocess.run([*command, *map(str, _SOURCES.glob("*.java"))], check=True)
    return f"{classes}:{jars}/*"
