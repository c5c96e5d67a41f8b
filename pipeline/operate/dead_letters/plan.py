"""What sending a dead letter again would mean: the record, and why it must not be sent, if so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.facts.exact.decide import Verdict
from pipeline.facts.judge import Judge, Rejection
from pipeline.facts.types import TYPES
from pipeline.kafka.dead_letters.exchange import Correction
from pipeline.kafka.dead_letters.letter import RETRY_OF, DeadLetter, Mark
from pipeline.operate.dead_letters import events
from pipeline.process.times import moment

if TYPE_CHECKING:
    from pipeline.settings import Settings

HeaderList = list[tuple[str, bytes | None]]

STRUCTURED = ("content-type", b"application/cloudevents+json")


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """One dead letter, and the record that would go to its origin's partition."""

    letter: DeadLetter
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]
    tenant: str
    """The record's key; ``''``: it has none."""
    problem: str = ""
    """Why it is not sent."""
    is_done: bool = False
    """Whether the problem is only that it was sent before."""


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Decides about dead letters, by the rules that the workers have."""

    settings: Settings
    judge: Judge
    again: bool = False
    """Send those that were sent before once more."""
    force: bool = False
    """Send what would be rejected, or is another event now."""

    def plan(self, letter: DeadLetter, correction: Correction | None, now_ms: int) -> RetryPlan:
        """What is to be sent, as if it arrived now."""
        value, headers = _record(letter, correction)
        topic = self.settings.topic_name(letter.source.topic)
        verdicts = (
            self.judge.verdicts(topic, value, headers, now_ms, partition=letter.source.partition)
            if topic in TYPES
            else []
        )
        problem = self._problem(letter, correction, verdicts, topic, value, headers)
        tenant = next((one.tenant for one in verdicts if one.tenant), letter.tenant)
        if letter.retried is not None and not self.again:
            return RetryPlan(letter, value, headers, tenant, _done(letter.retried), is_done=True)
        return RetryPlan(letter, value, headers, tenant, problem)

    def _problem(
        self,
        letter: DeadLetter,
        correction: Correction | None,
        verdicts: list[Verdict],
        topic: str,
        value: bytes,
        headers: HeaderList,
    ) -> str:
        if topic not in TYPES:
            return f"no worker of USAGE_TOPIC_PREFIX {self.settings.topic_prefix!r} reads its topic"
        if letter.is_cut and correction is None:
            return (
                f"only the first {len(letter.value):,} of its {letter.size:,} bytes are kept; "
                "correct it with --file"
            )
        return "" if self.force else _refusal(letter, verdicts, value, headers)


def _refusal(letter: DeadLetter, verdicts: list[Verdict], value: bytes, headers: HeaderList) -> str:
    """Why sending it again would not count; what `--force` overrides."""
    if not verdicts:
        return "it holds no event"
    for verdict in verdicts:
        if isinstance(verdict, Rejection):
            where = "" if verdict.index is None else f"element {verdict.index}: "
            return f"it would be rejected again: {where}{verdict.reason}: {verdict.message}"
    was, is_ = events.identity(letter.value, letter.headers), events.identity(value, headers)
    if was is not None and is_ is not None and was != is_:
        return (
            f"it is another event now (source {is_.source!r}, id {is_.id!r}; it was "
            f"{was.source!r}, {was.id!r}), so a second one could not be told from the first"
        )
    return ""


def _record(letter: DeadLetter, correction: Correction | None) -> tuple[bytes, HeaderList]:
    value = letter.value if correction is None else correction.value
    headers: HeaderList = list(letter.headers)
    if letter.index is not None:  # an element goes alone, whatever its batch was
        headers = [STRUCTURED]
    if correction is not None and (correction.headers or _drops_headers(letter, correction)):
        headers = list(correction.headers or ())
    headers = [header for header in headers if header[0] != RETRY_OF]
    if letter.timestamp >= 0:
        value, headers = events.dated(value, headers, letter.timestamp)
    return value, [*headers, (RETRY_OF, letter.origin.encode())]


def _drops_headers(letter: DeadLetter, correction: Correction) -> bool:
    """Whether the correction says that there are none; an exported element never had any."""
    return letter.index is None and correction.headers is not None


def _done(mark: Mark) -> str:
    return f"sent at {moment(mark.at)} to offset {mark.offset}; --again sends it once more"
