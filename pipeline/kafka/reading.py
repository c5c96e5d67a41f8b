"""Reading the log beside the workers and as they do, without a group and in no one's way.

By aiokafka and `pipeline.kafka.lenient`: confluent-kafka ends the process where a header's name is
not UTF-8, which Kafka takes, and any producer may send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from pipeline.errors import BrokerError
from pipeline.kafka.clients import aiokafka_config
from pipeline.kafka.entry import require
from pipeline.kafka.faults import translate
from pipeline.kafka.lenient import read_leniently
from pipeline.protocol.chunks import Source

if TYPE_CHECKING:
    from pipeline.settings import Settings

T = TypeVar("T")

FETCH_BYTES = 4 * 1_048_576
"""Of one partition in one answer."""
FETCH_MAX_WAIT_MS = 50
TIMEOUT_SECONDS = 15.0

read_leniently()
# What goes wrong is raised; where a process has no log, aiokafka's lines are not for its stderr.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


class LogRecord(NamedTuple):
    """A record of Kafka, as `pipeline.facts` reads it too."""

    source: Source
    offset: int
    timestamp: int
    """Epoch milliseconds."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, Any]]
    """Their values are bytes or None."""


class LogReader:
    """A consumer of committed records, for programs without an event loop; it commits nothing.

    Args:
        settings: where Kafka is.
        skips_deleted: whether to go on at the log's first offset where Kafka has deleted what
            would be next; else that is a BrokerError.

    Raises:
        BrokerError: from every method, if Kafka could not be reached or refused. A broker that is
            away meanwhile is waited for.
    """

    def __init__(self, settings: Settings, *, skips_deleted: bool = False) -> None:
        require(settings)
        self._settings = settings
        self._starts: dict[Source, int] = {}
        self._runner = asyncio.Runner()
        self._consumer: Any = None
        try:
            self._run(self._connect("earliest" if skips_deleted else "none"))
        except BaseException:
            self.close()
            raise

    def start(self, starts: Mapping[Source, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self._starts = dict(starts)
        self._run(self._assign())

    def read(self, at_most: int, seconds: float) -> list[LogRecord]:
        """Return what comes next, each partition's in order; wait so long for the first of it."""
        fetched = self._run(
            self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=at_most)
        )
        return [
            LogRecord(Source(*tp), one.offset, one.timestamp, one.key, one.value, one.headers)
            for tp, records in fetched.items()
            for one in records
        ]

    def position(self, source: Source) -> int:
        """Return the offset before which all of a partition has been returned."""
        asked = self._consumer.position(TopicPartition(*source))  # waits where it is set anew
        return int(self._run(asyncio.wait_for(asked, TIMEOUT_SECONDS)))

    def ends(self) -> dict[Source, int]:
        """Return the offset that each partition can be read up to now: where the committed end."""
        tps = [TopicPartition(*source) for source in self._starts]
        found = self._run(self._consumer.end_offsets(tps)) if tps else {}
        return {Source(*tp): end for tp, end in found.items()}

    def close(self) -> None:
        """Close the connection to Kafka."""
        consumer, self._consumer = self._consumer, None
        try:
            if consumer is not None:
                self._runner.run(consumer.stop())
        finally:
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except OffsetOutOfRangeError as error:
            [(tp, offset), *_] = error.args[0].items()
            raise BrokerError(
                f"{tp.topic}[{tp.partition}] cannot be read from offset {offset} on: Kafka has "
                "deleted what was there; try again"
            ) from error
        except (KafkaError, OSError, TimeoutError) as error:
            topics = ", ".join(sorted({source.topic for source in self._starts}))
            what = f"the log of {topics} cannot be read" if topics else ""
            raise translate(error, self._settings, what) from error

    async def _connect(self, reset: str) -> None:
        self._consumer = AIOKafkaConsumer(
            **aiokafka_config(self._settings),
            client_id=f"usage-{self._settings.group}-audit",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset=reset,
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=60_000,
        )
        await self._consumer.start()

    async def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*source) for source in self._starts])
        for source, offset in self._starts.items():
            self._consumer.seek(TopicPartition(*source), offset)
