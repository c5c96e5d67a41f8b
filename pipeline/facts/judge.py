"""What the counting code says of single records, for those who look at them one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.facts import Rejection, Rules
from pipeline.facts.exact.decide import Counted, Decider, Verdict
from pipeline.facts.types import TYPES

TOPIC_OF = {one.type: one.topic for one in TYPES.values()}
"""The topic of each event type; both without a prefix."""

_PARTS = re.compile(
    r"(?P<field>\S.*?): found (?P<found>.*), expected (?P<expected>.*)\.", re.DOTALL
)


class OneRecord(NamedTuple):
    """A record that somebody made up, as the reader wants it."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


class Judge:
    """Says what records come to on a topic, by the code that counts them. Duplicates aside."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._deciders: dict[tuple[str, int], Decider] = {}

    def verdicts(
        self,
        topic: str,
        value: bytes,
        headers: Sequence[tuple[str, bytes | None]],
        timestamp: int,
        *,
        partition: int = 0,
        offset: int = 0,
    ) -> list[Verdict]:
        """One for each of a record's events; ``topic`` is without its prefix. Raises KeyError."""
        decider = self._deciders.get((topic, partition))
        if decider is None:
            decider = Decider(TYPES[topic], self._rules, partition)
            self._deciders[topic, partition] = decider
        # A header may be null, in spite of the type that the client gives them.
        record = OneRecord(offset, timestamp, headers, value)  # type: ignore[arg-type]
        return decider.decide(record, value)


def parts(message: str) -> dict[str, str]:
    """A rejection's sentence taken apart: ``field``, ``found``, ``expected``; {} if it has none."""
    match = _PARTS.fullmatch(message)
    return match.groupdict() if match else {}


__all__ = ["TOPIC_OF", "Counted", "Judge", "OneRecord", "Rejection", "Verdict", "parts"]
