"""The embedded broker: librdkafka's in-process broker, in a process of its own.

It speaks Kafka's real protocol on a real port, consumer groups included, and serves the first
look, examples and quick tests. What it is not (measured with librdkafka 2.16):

- Nothing is on disk: its end is the end of its records, offsets and groups. A topic named
  ``__run.<hex>`` tells one run from another, for it has no topic ids.
- A partition keeps its newest 5 MiB of record batches (as sent, compressed or not) and 100,000
  batches, and drops older ones without a word; so 40 partitions hold at most 200 MiB. The worker
  that misses them says it (:mod:`pipeline.worker.takeover`), and the simulator waits for the worker
  before it comes to that (:mod:`pipeline.simulate.pace`).
- A batch is found by walking the partition's list from its start, so many small batches make
  fetching slow: let producers linger.
- No CreateTopics, no configuration, no ACLs, no TLS: the topics of
  :mod:`pipeline.kafka.topics` are made at its start with ``USAGE_PARTITIONS`` partitions; any
  other topic that a client asks about appears with 4.
- A group that gains or loses a member stands still for 9 s before it goes on (a real broker: until
  all have joined again), and forgets no member sooner than its session timeout, 10 s at most.
- No transactions visible to readers: an aborted one's records are read like all others.

librdkafka picks a port of its own. Clients come in by :mod:`pipeline.embedded.entrance` on the port
asked for, which is also the one in the metadata.
"""

from __future__ import annotations

import asyncio
import ctypes
import secrets
import signal
from typing import TYPE_CHECKING

from pipeline.embedded.entrance import Entrance
from pipeline.errors import BrokerError
from pipeline.kafka.topics import ALL, RUN_PREFIX

if TYPE_CHECKING:
    from pipeline.settings import Settings

HOST = "127.0.0.1"
_PRODUCER = 0  # rd_kafka_type_t


def main(port: int, settings: Settings) -> int:
    """Run the broker until SIGTERM or SIGINT; 0 picks a free port.

    Prints one line with its address when it is ready.

    Returns:
        The process's exit code, 0.

    Raises:
        BrokerError: the port is taken, or librdkafka has no in-process broker.
    """
    broker = InProcessBroker()
    for spec in ALL:
        broker.create(settings.topic(spec.name), spec.partitions(settings))
    broker.create(f"{RUN_PREFIX}{secrets.token_hex(8)}", 1)
    asyncio.run(_serve(broker, port))
    return 0


class InProcessBroker:
    """One mock cluster of one broker, by librdkafka's C interface: Python's sets no partitions.

    It lives as long as the process.
    """

    def __init__(self) -> None:
        from confluent_kafka import cimpl

        # The extension's own handle finds what it is linked with, wherever the wheel put it.
        self._c = ctypes.CDLL(cimpl.__file__)
        try:
            self._cluster = self._start()
        except AttributeError as error:
            raise BrokerError(f"this librdkafka has no in-process broker: {error}") from error
        # The first member of a group would otherwise wait 3 s for others.
        self._c.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)

    @property
    def port(self) -> int:
        """The port that librdkafka chose."""
        bootstraps = self._c.rd_kafka_mock_cluster_bootstraps
        bootstraps.restype = ctypes.c_char_p
        return int(bootstraps(self._cluster).decode().rpartition(":")[2])

    def announce(self, port: int) -> None:
        """Name ``port`` in the metadata instead of its own."""
        self._c.rd_kafka_mock_broker_set_host_port(self._cluster, 1, HOST.encode(), port)

    def create(self, topic: str, partitions: int) -> None:
        """Make a topic.

        Raises:
            BrokerError: librdkafka refused; the message has its error number.
        """
        code = self._c.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        if code:
            raise BrokerError(f"the embedded broker did not make topic {topic}: error {code}")

    def _start(self) -> ctypes.c_void_p:
        for function in ("conf_new", "new", "mock_cluster_new"):
            getattr(self._c, f"rd_kafka_{function}").restype = ctypes.c_void_p
        reason = ctypes.create_string_buffer(512)
        config = ctypes.c_void_p(self._c.rd_kafka_conf_new())
        # Warnings, of which it has one: that it was told no broker to connect to.
        self._c.rd_kafka_conf_set(config, b"log_level", b"3", None, 0)
        client = self._c.rd_kafka_new(_PRODUCER, config, reason, ctypes.c_size_t(512))
        if not client:
            raise BrokerError(f"the embedded broker did not start: {reason.value.decode()}")
        cluster = self._c.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), 1)
        if not cluster:
            raise BrokerError("the embedded broker did not start: no free port or memory")
        return ctypes.c_void_p(cluster)


async def _serve(broker: InProcessBroker, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        server = await asyncio.start_server(Entrance(HOST, broker.port).serve, HOST, port)
    except OSError as error:
        raise BrokerError(
            f"port {port} of {HOST} cannot be used: {error.strerror}; choose another with --port"
        ) from error
    bound = server.sockets[0].getsockname()[1]
    broker.announce(bound)
    print(f"broker ready: {HOST}:{bound}", flush=True)
    await stop.wait()
    server.close()
