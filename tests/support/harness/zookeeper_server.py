"""One real ZooKeeper on a free port of 127.0.0.1."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.harness.kafka_jars import require, zookeeper_jars
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.waiting import until

_PROPERTIES = """
dataDir={data}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
"""
_MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"


@contextmanager
def zookeeper(folder: Path) -> Iterator[int]:
    """Run it for the block; provide its port."""
    port = free_port()
    properties = folder / "zoo.cfg"
    properties.write_text(_PROPERTIES.format(data=folder / "zookeeper-data", port=port))
    java = [require("java"), "-Xmx128m", "-cp", f"{zookeeper_jars()}/*", _MAIN, str(properties)]
    server = Process("zookeeper", java, clean_environment(), folder)
    try:
        until(lambda: _listens(port), within=60, what="ZooKeeper", explain=server.tail)
        yield port
    finally:
        server.kill9()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
