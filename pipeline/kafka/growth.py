"""How topics have grown: announced in Kafka before it is done, and read at every takeover.

A record per change in a compacted topic of one partition: the topic and its id, how many partitions
it had and gets, and where the log of each one ended. It is written before there are partitions of
the new layout, so whoever meets one of these finds it (``docs/decisions/growing-topics.md``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from pipeline.errors import BrokerError, Halted
from pipeline.kafka.faults import unanswered
from pipeline.kafka.reading import LogReader, LogRecord
from pipeline.kafka.sending import Sending
from pipeline.kafka.topics import GROWTH, partition_counts, require_may_see
from pipeline.protocol.chunks import Source
from pipeline.protocol.lineage import Change

if TYPE_CHECKING:
    from pipeline.settings import Settings

_BATCH = 1000
_READ_SECONDS = 0.1
_SILENCE_SECONDS = 15.0


def announce(settings: Settings, topic: str, incarnation: str, change: Change) -> None:
    """Write down how a topic (full name) is about to grow; in place of what a try before wrote.

    Raises BrokerError. Nothing has used what a command wrote that died before there were
    partitions, so the newest of a topic and its number of partitions counts.
    """
    sending = Sending(settings)
    try:
        sending.send(
            GROWTH.name, _key(topic, incarnation, change), _value(topic, incarnation, change)
        )
    finally:
        sending.close()


def changes(
    settings: Settings, incarnations: Mapping[str, str], known: Iterable[Source] = ()
) -> dict[str, tuple[Change, ...]]:
    """How topics have grown, by full name, in order; those that have not are absent.

    Args:
        settings: where Kafka is.
        incarnations: the topics' ids, by full name.
        known: partitions that are known to be there.

    Raises:
        BrokerError: Kafka could not be reached; or the broker that answered is behind, and does not
            know these partitions yet: then it may not know an announcement either.
        Halted: what is written there is no announcement; or it may not be read.
    """
    there = partition_counts(settings)
    for topic, partition in known:
        if partition >= there.get(topic, 0):
            raise BrokerError(
                f"Kafka at {settings.kafka} does not know {topic}[{partition}] yet; try again"
            )
    if settings.topic(GROWTH.name) not in there:
        require_may_see(settings, settings.topic(GROWTH.name), there)
        return {}
    found: dict[str, list[Change]] = {}
    newest: dict[bytes, LogRecord] = {one.key or b"": one for one in _records(settings)}
    for record in newest.values():
        if record.value is None:
            continue  # taken back
        topic, incarnation, change = _read(record)
        if incarnations.get(topic) == incarnation:
            found.setdefault(topic, []).append(change)
    return {topic: tuple(sorted(some)) for topic, some in found.items()}


def _records(settings: Settings) -> Collection[LogRecord]:
    source = Source(settings.topic(GROWTH.name), 0)
    found: list[LogRecord] = []
    with closing(LogReader(settings, skips_deleted=True)) as reader:
        reader.start({source: 0})
        end = reader.ends()[source]
        due = time.monotonic() + _SILENCE_SECONDS
        while reader.position(source) < end:
            some = reader.read(_BATCH, _READ_SECONDS)
            found += some
            if some:
                due = time.monotonic() + _SILENCE_SECONDS
            elif time.monotonic() > due:
                raise unanswered(settings, f"nothing comes of {source.topic}")
    return found


def _key(topic: str, incarnation: str, change: Change) -> bytes:
    return f"{topic}:{incarnation}:{change.before}".encode()


def _value(topic: str, incarnation: str, change: Change) -> bytes:
    return json.dumps(
        {
            "topic": topic,
            "topic_id": incarnation,
            "partitions_before": change.before,
            "partitions": change.after,
            "ends": change.ends,
        }
    ).encode()


def _read(record: LogRecord) -> tuple[str, str, Change]:
    try:
        value: Any = json.loads(record.value or b"")
        change = Change(value["partitions_before"], value["partitions"], tuple(value["ends"]))
        topic, incarnation = value["topic"], value["topic_id"]
    except (ValueError, TypeError, KeyError) as error:
        raise _unknown(record) from error
    if not _is_sound(change):
        raise _unknown(record)
    return topic, incarnation, change


def _unknown(record: LogRecord) -> Halted:
    return Halted(
        f"{record.source} has a record at offset {record.offset} that is no announcement of this "
        f"release, but {(record.value or b'')[:200]!r}: nobody else may write there; a record "
        f"without a value under its key ({record.key!r}) takes it back"
    )


def _is_sound(change: Change) -> bool:
    numbers = (change.before, change.after, *change.ends)
    if not all(type(number) is int and number >= 0 for number in numbers):
        return False
    if not 0 < change.before == len(change.ends):
        return False
    return change.after > change.before and change.after % change.before == 0
