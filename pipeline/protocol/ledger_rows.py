"""Which rows of the ledger are asked for: of many logs at once, of each from some offset on.

The table `chunks` is ordered by log and offset, so a condition that names both for each log reads
the ends of the logs, whatever their size. A question for each of them would cost the store the
same some milliseconds, and a worker has hundreds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pipeline.protocol.chunks import Source

NEAR = 1_000_000
"""Offsets before a log's end in which its newest rows are: more than a chunk has, as a rule."""

_AT_ONCE = 500
"""Logs in one condition, of which each takes some 40 characters."""


class From(NamedTuple):
    """A log, and the first offset of its rows that are asked for."""

    source: Source
    incarnation: str
    offset: int


class Condition(NamedTuple):
    """An expression over the columns of `chunks`, and the parameters that are bound in it."""

    sql: str
    parameters: Mapping[str, str]


def conditions(logs: Sequence[From]) -> Iterator[Condition]:
    """Yield conditions that hold for these rows, each of a bounded size; none without logs."""
    in_order = sorted(logs)
    for first in range(0, len(in_order), _AT_ONCE):
        yield _condition(in_order[first : first + _AT_ONCE])


def _condition(logs: Sequence[From]) -> Condition:
    parts: list[str] = []
    parameters: dict[str, str] = {}
    for n, ((topic, incarnation), some) in enumerate(groupby(logs, _topic)):
        parameters |= {f"topic_{n}": topic, f"incarnation_{n}": incarnation}
        # Numbers are written out: as parameters they would be hundreds.
        offsets = " OR ".join(
            f"(partition = {one.source.partition:d} AND from_offset >= {one.offset:d})"
            for one in some
        )
        parts.append(
            f"(topic = {{topic_{n}:String}} AND incarnation = {{incarnation_{n}:String}} "
            f"AND ({offsets}))"
        )
    return Condition(f"({' OR '.join(parts)})", parameters)


def _topic(log: From) -> tuple[str, str]:
    return log.source.topic, log.incarnation
