"""Records as aiokafka parsed them, without its copies."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition

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


def _as_it_is(_: TopicPartition, record: Any) -> Any:
    return record
