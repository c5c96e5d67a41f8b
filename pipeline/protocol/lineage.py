"""Which logs stand before a partition's own, where its topic has been given more partitions.

A key moves to another partition then, and what repeats an event of before the change meets a
partition that never saw it. So a new partition goes on from the one whose keys it has got, as if
its offset 0 were the end of that log at the change (``docs/decisions/growing-topics.md``). A pure
function of the changes, which Kafka keeps (`pipeline.kafka.growth`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Change(NamedTuple):
    """A topic was given more partitions: a multiple of what it had."""

    before: int
    after: int
    ends: tuple[int, ...]
    """Where the log of each partition that there was ended (E)."""


class Stretch(NamedTuple):
    """A log that stands before another one, up to where the other one begins."""

    partition: int
    at: int
    """Where its offset 0 stands in the offsets of the partition that goes on from it: below 0."""
    to: int
    """Where the next log begins, in the same offsets."""

    @property
    def end(self) -> int:
        """Its end, in its own offsets."""
        return self.to - self.at


Lineage = tuple[Stretch, ...]
"""The logs before a partition's own, the oldest first."""


def lineage(changes: Iterable[Change], partition: int) -> Lineage:
    """Return the logs before that of a partition: its parent's, that one's parent's, and so on."""
    changes = list(changes)
    found: list[Stretch] = []
    to = 0
    while (change := _maker(changes, partition)) is not None:
        partition %= change.before
        at = to - change.ends[partition]
        found.append(Stretch(partition, at, to))
        to = at
    return tuple(reversed(found))


def oldest(lineage: Lineage) -> int:
    """Return the first offset that there ever was before a partition's own 0; 0 if none."""
    return lineage[0].at if lineage else 0


def _maker(changes: Iterable[Change], partition: int) -> Change | None:
    """Return the change that has made a partition.

    Of several the last: a command that died before there were partitions may have wanted more.
    """
    made = [change for change in changes if change.before <= partition < change.after]
    return max(made, default=None)
