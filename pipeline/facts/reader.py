"""The reader of a partition: records in, columns and rejections out."""

from collections.abc import Sequence

from pipeline.facts import heads
from pipeline.facts.decide import Counted, Decider
from pipeline.facts.interface import Facts, Head, Reader, Record, widened
from pipeline.facts.rules import Rules
from pipeline.facts.times import arrival_minute

HEADS = {"usage.requests": heads.REQUESTS, "usage.recipe-actions": heads.RECIPE_ACTIONS}
"""By topic, without its prefix."""


def reader(topic_kind: str, rules: Rules) -> Reader:
    """A reader of one partition of a topic, named without its prefix. Raises KeyError."""
    return PythonReader(topic_kind, rules)


class PythonReader:
    """The reference: the contract in Python."""

    def __init__(self, topic: str, rules: Rules) -> None:
        self.head: Head = HEADS[topic]
        self._decider = Decider(topic, rules)

    def read(self, records: Sequence[Record], into: Facts) -> None:
        """See ``Reader``."""
        for record in records:
            self._read_one(record, into)

    def _read_one(self, record: Record, into: Facts) -> None:
        value, timestamp = record.value, record.timestamp
        into.arrival = widened(into.arrival, timestamp, timestamp)
        minute = arrival_minute(timestamp)
        if value is None:
            into.skipped += 1
            into.outcomes[minute, "", "", "skipped", ""] += 1
            return
        into.size_bytes += len(value)
        for verdict in self._decider.decide(record, value):
            into.received += 1
            if isinstance(verdict, Counted):
                into.counted += 1
                into.event_time = widened(into.event_time, verdict.time, verdict.time)
                into.outcomes[minute, verdict.tenant, verdict.type, "counted", ""] += 1
                for column, item in zip(into.columns, verdict.row, strict=True):
                    column.append(item)
            else:
                into.rejected += 1
                outcome = (minute, verdict.tenant, verdict.type, "rejected", verdict.reason)
                into.outcomes[outcome] += 1
                into.rejections.append(verdict)
