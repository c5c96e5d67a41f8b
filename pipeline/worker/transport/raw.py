"""Records as aiokafka parsed them, without its copies; and what to say of those that it cannot."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition

from pipeline.errors import Halted
from pipeline.kafka.lenient import read_leniently

read_leniently()


def leave_records_raw(fetcher: Any) -> None:
    """Let a fetcher hand out what it has fetched as it is.

    aiokafka copies each record into a ConsumerRecord, in Python, at a quarter of the cost of
    fetching it; its own parsed record has all that a reader wants.
    """
    for fetched in fetcher._records.values():
        unpacking = getattr(fetched, "_partition_records", None)
        if unpacking is not None:
            unpacking._consumer_record = _as_it_is


def damaged(fetcher: Any, error: Exception) -> Halted:
    """What to say of a batch whose checksum is wrong: Kafka's copy of it is not what was sent.

    It is none of the log's records, so that passing over it would be a decision that no replay
    repeats. aiokafka's error names the partition, and what it had unpacked ends at the batch.
    """
    where, offset = "a partition", "an offset that is not known"
    for tp, fetched in fetcher._records.items():
        if str(error).endswith(str(tp)):
            where = f"{tp.topic}[{tp.partition}]"
            offset = f"offset {fetched._partition_records.next_fetch_offset}"
    return Halted(
        f"{where}: the batch of records at {offset} fails its checksum, so the broker's copy of it "
        "is damaged, and every start meets it again; nothing of it was counted. Let a replica that "
        "is whole lead the partition, or restore the broker's log. If no copy is whole, delete the "
        "partition's records up to the end of that batch (kafka-delete-records.sh): what is gone "
        "is then written down as lost"
    )


def _as_it_is(_: TopicPartition, record: Any) -> Any:
    return record
