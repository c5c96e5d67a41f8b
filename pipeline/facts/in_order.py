"""A reader for types whose events depend on those before: one at a time, in the log's order.

So what is refused, and what a row says, is a function of the whole log before it. Such a topic is
small, keeps everything, and is read from its first record before a worker goes on with it
(`types.remembered_offsets`).
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.facts.bulk.path import nothing
from pipeline.facts.event_type import EventType, State
from pipeline.facts.exact.decide import Counted, Decider, Verdict
from pipeline.facts.exact.reasons import Refused
from pipeline.facts.interface import Facts, Log, Record, parsed, widened
from pipeline.facts.python_facts import PythonFacts, own
from pipeline.facts.repeats.seen import Seen
from pipeline.facts.rules import Rules
from pipeline.facts.set_aside import rejection

Place = tuple[int, Verdict, str | None]
"""Place in the record, what the event comes to, and why it is a duplicate; None: it is none."""


class InOrder:
    """Reads one partition; see `interface.Reader`."""

    def __init__(self, known: EventType, state: State, rules: Rules, partition: int) -> None:
        self.head = known.head
        self._type = known.type
        self._state = state
        self._decider = Decider(known, rules, partition)
        self._seen = Seen(rules.duplicate_window) if rules.duplicate_window else None

    def facts(self) -> PythonFacts:
        """See ``Reader``."""
        return PythonFacts(self.head)

    def remember(self, log: Log) -> None:
        """See ``Reader``."""
        for record in parsed(log):
            for _ in self._events(record):
                pass

    def continue_after(self, end: int) -> None:
        """See ``Reader``. Never asked for: a topic whose events are in order has one partition."""
        raise NotImplementedError(f"{self._type} is of one partition")

    def read(self, log: Log, into: Facts) -> None:
        """See ``Reader``."""
        into = own(into)
        for record in parsed(log):
            into.arrival = widened(into.arrival, record.timestamp, record.timestamp)
            into.size_bytes += len(record.value or b"")
            if record.value is None:
                into.skip(record)
            for place, verdict, repeated in self._events(record):
                into.add(record, place, verdict, repeated, self._type)

    def _events(self, record: Record) -> Iterator[Place]:
        if record.value is None:
            return
        for place, verdict in enumerate(self._decider.decide(record, record.value)):
            yield self._event(record, place, verdict)

    def _event(self, record: Record, place: int, verdict: Verdict) -> Place:
        if not isinstance(verdict, Counted):
            return place, verdict, None
        try:
            self._state.admit(verdict.row)
        except Refused as refused:
            who, what = verdict.tenant, verdict.type
            told = rejection(record, place, who, what, str(refused), refused.reason)
            return place, told, None
        repeated = self._repeated(record, verdict)
        if repeated is None:
            verdict = verdict._replace(row=self._state.accepted(verdict.row))
        return place, verdict, repeated

    def _repeated(self, record: Record, verdict: Counted) -> str | None:
        if self._seen is None:
            return None
        found = self._seen.repeated([record], nothing(self.head, 1), {0: [verdict]})
        return found.alone.get(id(verdict))
