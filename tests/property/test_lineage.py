"""Lineages against logs that are copied: a new partition's begins with all of its parent's."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.protocol.lineage import Change, lineage, oldest
from tests.support.harness.examples import examples

Event = tuple[int, int]
"""(hash of its key, a number of its own)."""


@dataclass
class Topic:
    """Logs that are sent to by key, and what each partition must know."""

    logs: list[list[Event]]
    copies: list[list[Event]] = field(default_factory=list)
    """By partition, all that stands before its own log, and the log itself."""
    changes: list[Change] = field(default_factory=list)

    def send(self, event: Event) -> None:
        partition = event[0] % len(self.logs)
        self.logs[partition].append(event)
        self.copies[partition].append(event)

    def grow(self, times: int) -> None:
        before = len(self.logs)
        ends = tuple(len(log) for log in self.logs)
        self.changes.append(Change(before, before * times, ends))
        for partition in range(before, before * times):
            self.logs.append([])
            self.copies.append(list(self.copies[partition % before]))


@st.composite
def topics(draw: st.DrawFn) -> Topic:
    partitions = draw(st.integers(1, 3))
    topic = Topic([[] for _ in range(partitions)], [[] for _ in range(partitions)])
    keys = draw(st.lists(st.integers(0, 40), max_size=60))
    growths = sorted(draw(st.lists(st.integers(0, len(keys)), max_size=3)))
    for a, b in pairwise([0, *growths, len(keys)]):
        for number in range(a, b):
            topic.send((keys[number], number))
        if b in growths and len(topic.logs) < 30:
            topic.grow(draw(st.integers(2, 3)))
    return topic


@settings(max_examples=examples(200), deadline=None)
@given(topics(), st.randoms())
def test_a_log_and_what_stands_before_it_hold_all_of_its_keys(topic: Topic, dice: Random) -> None:
    changes = list(topic.changes)
    dice.shuffle(changes)
    for partition, log in enumerate(topic.logs):
        before = lineage(changes, partition)
        at = oldest(before)
        found: list[Event] = []
        for one in before:
            assert (at, one.end) == (one.at, len(topic.logs[one.partition][: one.end]))
            found += topic.logs[one.partition][: one.end]
            at = one.to
        assert at == 0
        found += log
        assert found == topic.copies[partition]
        own = [e for some in topic.logs for e in some if e[0] % len(topic.logs) == partition]
        assert set(own) <= set(found)


def test_a_change_that_was_announced_and_not_made_makes_nothing() -> None:
    announced, made = Change(2, 8, (5, 6)), Change(4, 8, (1, 2, 3, 4))
    assert lineage([announced, made], 5) == lineage([made], 5)
    assert [one.partition for one in lineage([announced, made], 7)] == [1, 3]
